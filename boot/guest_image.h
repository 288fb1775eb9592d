/* SPDX-License-Identifier: MIT */
/*
 * Guest images: checked and digested into what bootinfo hands over (entry, segments, setup header),
 * so that the kernel parses no file format. Pure: runs in the UEFI loader and on the build host.
 * The image is not trusted: every length and offset in it is checked before it is used.
 */
#ifndef BOOT_GUEST_IMAGE_H
#define BOOT_GUEST_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "boot/bootinfo.h"

#define GUEST_FLAT_LOAD_ADDRESS 0x100000u
#define GUEST_LOW_TABLES_END 0x10000u /* below: tables that the kernel makes for the guest */
#define GUEST_VIDEO_HOLE 0x9f000u     /* EBDA, video memory, ROMs: no RAM for an image */
#define GUEST_VIDEO_HOLE_END 0x100000u

/* A whole file in memory. */
struct guest_file {
    const uint8_t *data;
    uint64_t size;
    uint64_t hpa; /* of data: in the loader the same number */
};

struct guest_report {
    char error[240]; /* what is wrong and what was expected, without the file's name */
    char note[160];  /* empty, or what is ignored */
};

/*
 * Fills vm's entry, segments and setup header from its kernel file, by vm->kind; vm's memory,
 * command line, initrd and modules (sizes) must be there. Returns 0 or -EINVAL with report->error.
 */
int guest_image_digest(struct boot_vm *vm, const struct guest_file *file,
                       struct guest_report *report);

/* The parts, one for each kind. */
int guest_bzimage(struct boot_vm *vm, const struct guest_file *file, struct guest_report *report);
int guest_multiboot(struct boot_vm *vm, const struct guest_file *file, struct guest_report *report);

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
