/* SPDX-License-Identifier: MIT */
/* The memory map (see memmap.h). Pure: runs in the UEFI loader and on the build host. */
#include "boot/memmap.h"

#include <string.h>

#define PAGE        4096ull
#define ADDRESS_END (1ull << 52) /* no x86 processor has more physical address bits */

/* UEFI Specification, EFI_MEMORY_TYPE, in its order. */
static const uint8_t types[] = {
    BOOT_MEM_RESERVED, /* EfiReservedMemoryType */
    BOOT_MEM_USABLE,   /* EfiLoaderCode: this program, done when the kernel runs */
    BOOT_MEM_USABLE,   /* EfiLoaderData */
    BOOT_MEM_USABLE,   /* EfiBootServicesCode */
    BOOT_MEM_USABLE,   /* EfiBootServicesData */
    BOOT_MEM_RUNTIME,  /* EfiRuntimeServicesCode */
    BOOT_MEM_RUNTIME,  /* EfiRuntimeServicesData */
    BOOT_MEM_USABLE,   /* EfiConventionalMemory */
    BOOT_MEM_RESERVED, /* EfiUnusableMemory: it has errors */
    BOOT_MEM_ACPI,     /* EfiACPIReclaimMemory */
    BOOT_MEM_ACPI,     /* EfiACPIMemoryNVS */
    BOOT_MEM_MMIO,     /* EfiMemoryMappedIO */
    BOOT_MEM_MMIO,     /* EfiMemoryMappedIOPortSpace */
    BOOT_MEM_RESERVED, /* EfiPalCode */
    BOOT_MEM_RESERVED, /* EfiPersistentMemory: its contents are somebody's data */
};

static uint32_t boot_type(const struct memmap_descriptor *d)
{
    if (d->type == MEMMAP_EFI_TYPE_LOADER)
        return BOOT_MEM_LOADER;
    /* Page 0 is the null pointer of many a program: nobody gets it. */
    if (d->type >= sizeof(types) || d->physical_start == 0)
        return BOOT_MEM_RESERVED;
    return types[d->type];
}

static size_t add(struct boot_mem *map, size_t count, uint64_t base, uint64_t end, uint32_t type)
{
    if (base < end)
        map[count++] = (struct boot_mem){.base = base, .size = end - base, .type = type};
    return count;
}

/* Copies the descriptors, page 0 apart from what follows it. */
static size_t collect(const uint8_t *descriptors, size_t count, size_t stride, struct boot_mem *map,
                      size_t room)
{
    size_t used = 0;

    for (size_t i = 0; i < count && used + 2 <= room; i++) {
        struct memmap_descriptor d;
        uint64_t end;

        memcpy(&d, descriptors + i * stride, sizeof(d));
        d.physical_start &= ~(PAGE - 1);
        if (d.physical_start >= ADDRESS_END)
            continue;
        end = d.pages > (ADDRESS_END - d.physical_start) / PAGE ? ADDRESS_END
                                                                : d.physical_start + d.pages * PAGE;
        if (d.physical_start == 0 && end > 0) {
            used = add(map, used, 0, PAGE, BOOT_MEM_RESERVED);
            d.physical_start = PAGE;
        }
        used = add(map, used, d.physical_start, end, boot_type(&d));
    }
    return used;
}

/* Insertion: firmware's map is nearly sorted. */
static void sort(struct boot_mem *map, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct boot_mem entry = map[i];
        size_t at = i;

        for (; at > 0 && map[at - 1].base > entry.base; at--)
            map[at] = map[at - 1];
        map[at] = entry;
    }
}

/* From `at` on: the type that rules there (0: none) and where that may change. */
static uint32_t type_at(const struct boot_mem *map, size_t count, uint64_t at, uint64_t *until)
{
    uint32_t type = 0;

    *until = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        uint64_t end = map[i].base + map[i].size;

        if (map[i].base > at) {
            *until = map[i].base < *until ? map[i].base : *until;
            break; /* sorted: no other starts earlier */
        }
        if (end <= at)
            continue;
        *until = end < *until ? end : *until;
        type = map[i].type > type ? map[i].type : type;
    }
    return type;
}

uint32_t memmap_convert(const void *descriptors, size_t count, size_t stride, struct boot_mem *out,
                        struct boot_mem *scratch, size_t room)
{
    size_t raw, used = 0;

    if (stride < sizeof(struct memmap_descriptor) || count + 1 > room)
        return 0;
    raw = collect(descriptors, count, stride, scratch, room);
    sort(scratch, raw);
    for (uint64_t at = 0, until; at < ADDRESS_END; at = until) {
        uint32_t type = type_at(scratch, raw, at, &until);
        struct boot_mem *last = used > 0 ? &out[used - 1] : NULL;

        if (type == 0)
            continue;
        if (last != NULL && last->type == type && last->base + last->size == at) {
            last->size += until - at;
            continue;
        }
        if (used == room)
            return 0;
        used = add(out, used, at, until, type);
    }
    return (uint32_t)used;
}

uint64_t memmap_sum(const struct boot_mem *map, uint32_t count, uint32_t type)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++)
        sum += map[i].type == type ? map[i].size : 0;
    return sum;
}

uint64_t memmap_end(const struct boot_mem *map, uint32_t count)
{
    return count == 0 ? 0 : map[count - 1].base + map[count - 1].size;
}
