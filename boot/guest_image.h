/* SPDX-License-Identifier: MIT */
/*
 * Guest images: checked and digested into what bootinfo hands over (entry, segments), so that the
 * kernel parses no file format. Pure: runs in the UEFI loader and on the build host.
 * The image is not trusted: every length and offset in it is checked before it is used.
 */
#ifndef BOOT_GUEST_IMAGE_H
#define BOOT_GUEST_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "boot/bootinfo.h"

#define GUEST_CMDLINE_MAX 1024
#define GUEST_IMAGE_SEGMENTS_MAX 8
#define GUEST_MODULES_MAX 8
#define GUEST_MODULE_NAME_MAX 64

/* A whole file in memory. */
struct guest_file {
    const uint8_t *data;
    uint64_t size;
    uint64_t hpa; /* of data: in the loader the same number */
};

struct guest_module {
    struct guest_file file;
    char name[GUEST_MODULE_NAME_MAX]; /* the manifest's path; a Multiboot module's string */
};

/* What a guest is made from. */
struct guest_parts {
    struct guest_file kernel;
    struct guest_module initrd; /* linux; size 0: none */
    uint32_t module_count;      /* multiboot */
    struct guest_module modules[GUEST_MODULES_MAX];
    char cmdline[GUEST_CMDLINE_MAX];
};

struct guest_report {
    char error[240]; /* what is wrong and what was expected, without the file's name */
    char note[160];  /* empty, or what is ignored */
};

/*
 * Fills vm's ranges, entry and segments from its kernel file, by vm->kind and vm->memory; the rest
 * is up to machine_build (boot/machine_build.h). Returns 0 or -EINVAL with report->error.
 */
int guest_image_digest(struct boot_vm *vm, const struct guest_parts *parts,
                       struct guest_report *report);

/* The parts, one for each kind. */
int guest_bzimage(struct boot_vm *vm, const struct guest_parts *parts, struct guest_report *report);
int guest_multiboot(struct boot_vm *vm, const struct guest_file *file, struct guest_report *report);

/* Where the setup header of a checked bzImage ends, as an offset in the file. */
uint64_t guest_bzimage_header_end(const struct guest_file *file);

/* Fills report->error; returns -EINVAL. */
int guest_refuse(struct guest_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Adds a segment: size bytes at an offset of the file, mem_size bytes in the guest. Refuses what
 * leaves the file, the VM's RAM or the places meant for an image, and what overlaps another.
 */
int guest_add_segment(struct boot_vm *vm, const struct guest_file *file, uint64_t offset,
                      struct boot_segment segment, struct guest_report *report);

#endif
