/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own ELF file: its PT_LOADs as one block in the order of link addresses. Pure:
 * runs in the UEFI loader and on the build host.
 */
#ifndef BOOT_ELF64_H
#define BOOT_ELF64_H

#include <stdint.h>

#define ELF64_LINK_BASE 0xffffffff80000000ull /* -2 GiB: where a kernel may be linked from */
#define ELF64_BLOCK_ALIGN (2ull << 20)

struct elf64_plan {
    uint64_t link_base; /* aligned to ELF64_BLOCK_ALIGN */
    uint64_t size;      /* of the block: a multiple of 4 KiB */
    uint64_t entry;     /* a link address */
};

/* Checks the file; returns NULL and fills the plan, or what is wrong. */
const char *elf64_check(const uint8_t *file, uint64_t size, struct elf64_plan *plan);

/* Copies the checked file's segments to a zeroed block of plan->size bytes. */
void elf64_load(const uint8_t *file, const struct elf64_plan *plan, uint8_t *block);

#endif
