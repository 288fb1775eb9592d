/* SPDX-License-Identifier: MIT */
/*
 * UEFI's memory map as the sorted one of bootinfo.h. Pure: runs in the UEFI loader (after boot
 * services have ended, so it allocates nothing) and on the build host.
 */
#ifndef BOOT_MEMMAP_H
#define BOOT_MEMMAP_H

#include <stddef.h>
#include <stdint.h>

#include "boot/bootinfo.h"

/* What must be kept; the number is in the range that the UEFI specification gives to loaders. */
#define MEMMAP_EFI_TYPE_LOADER 0x80000001u

/* UEFI Specification, EFI_BOOT_SERVICES.GetMemoryMap(): EFI_MEMORY_DESCRIPTOR version 1. */
struct memmap_descriptor {
    uint32_t type, reserved;
    uint64_t physical_start, virtual_start, pages, attribute;
};

/*
 * Turns `count` descriptors, `stride` bytes apart, into entries without overlaps; where firmware's
 * overlap, the type with the higher number wins. out and scratch (entries that are sorted in
 * between) hold `room` entries. Returns the number of entries, or 0 if there is too little room.
 */
uint32_t memmap_convert(const void *descriptors, size_t count, size_t stride, struct boot_mem *out,
                        struct boot_mem *scratch, size_t room);

/* Bytes of a type. */
uint64_t memmap_sum(const struct boot_mem *map, uint32_t count, uint32_t type);

/* The end of the highest entry. */
uint64_t memmap_end(const struct boot_mem *map, uint32_t count);

#endif
