/* SPDX-License-Identifier: MIT */
/*
 * The manifest: which VMs there are and what each one has (docs/manifest.md). Everything here is
 * pure: it runs in the UEFI loader and, for `make image` and the tests, on the build host.
 * All functions return 0 or a negative errno with *error filled; they keep no pointer.
 */
#ifndef BOOT_MANIFEST_H
#define BOOT_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "boot/bootinfo.h"
#include "boot/guest_image.h"

#define MANIFEST_SIZE_MAX (64u << 10) /* bytes of manifest text */
#define MANIFEST_PATH_MAX 256         /* a path with its final NUL */

/* A place in the manifest's text, both from 1; line 0: the file as a whole. */
struct manifest_mark {
    unsigned line, column;
};

struct manifest_error {
    struct manifest_mark at;
    char text[320];
};

struct manifest_vm {
    struct boot_vm vm;        /* all but what the images decide */
    struct guest_parts parts; /* command line, and module names: the modules' paths */
    struct manifest_mark at, cpus_at, memory_at, kernel_at, initrd_at;
    struct manifest_mark modules_at[GUEST_MODULES_MAX];
    char kernel[MANIFEST_PATH_MAX];
    char initrd[MANIFEST_PATH_MAX]; /* empty: none */
};

struct manifest {
    unsigned count;
    struct manifest_vm vms[BOOT_VMS_MAX];
};

/* What the manifest is checked against. */
struct manifest_machine {
    unsigned cpus;
    uint64_t memory; /* bytes that are free for VMs and for the hypervisor's own needs */
};

/* Reads YAML text (not NUL-terminated) and checks every key and value by itself. */
int manifest_parse(const char *text, size_t size, struct manifest *manifest,
                   struct manifest_error *error);

/* Checks the VMs against each other and against the machine. */
int manifest_check(const struct manifest *manifest, const struct manifest_machine *machine,
                   struct manifest_error *error);

/* The file on the ESP for a path in the manifest: "../a/b" is \mullion\a\b. */
int manifest_esp_path(const char *path, char *out, size_t size);

#endif
