/* SPDX-License-Identifier: MIT */
/*
 * Memory for the hypervisor, marked by a memory type of our own so that the final map tells it from
 * the rest, and the way out of boot services. Runs in the UEFI loader.
 */
#include <inttypes.h>
#include <string.h>

#include "boot/loader.h"
#include "boot/memmap.h"

#define MAP_SLACK  32u /* descriptors that allocations may add between two looks at the map */
#define EXIT_TRIES 8
/* For firmware, loader and hypervisor: OVMF's machine starts a VM of 4 MiB with 80 MiB. */
#define MACHINE_LEAST_MIB 96u

_Static_assert(sizeof(struct memmap_descriptor) == sizeof(EFI_MEMORY_DESCRIPTOR), "same layout");

/* Firmware's map and its conversion, with room for what is still to come. */
static struct {
    uint8_t *raw;
    UINTN raw_room, raw_size, stride;
    struct boot_mem *out, *scratch;
    size_t room;
} map;

static uint64_t allocate(EFI_ALLOCATE_TYPE how, uint32_t type, uint64_t pages, uint64_t address,
                         const char *what)
{
    EFI_PHYSICAL_ADDRESS result = address;
    EFI_STATUS status = BOOT_SERVICES->AllocatePages(how, (EFI_MEMORY_TYPE)type, pages, &result);

    if (EFI_ERROR(status))
        say_fatal("no memory for %s (%" PRIu64 " KiB): %s; a machine needs at least %u MiB, and "
                  "the memory of its VMs", what, pages * PAGE >> 10, say_status(status),
                  MACHINE_LEAST_MIB);
    return result;
}

void *memory_keep_raw(uint64_t size, uint64_t align, const char *what)
{
    uint64_t extra = align > PAGE ? align / PAGE : 0, pages = PAGES(size);
    uint64_t start = allocate(AllocateAnyPages, MEMMAP_EFI_TYPE_LOADER, pages + extra, 0, what);
    uint64_t aligned = (start + align - 1) & ~(align - 1);
    uint64_t before = (aligned - start) / PAGE;

    if (before > 0)
        BOOT_SERVICES->FreePages(start, before);
    if (extra > before)
        BOOT_SERVICES->FreePages(aligned + pages * PAGE, extra - before);
    return (void *)(uintptr_t)aligned;
}

void *memory_keep(uint64_t size, uint64_t align, const char *what)
{
    return memset(memory_keep_raw(size, align, what), 0, PAGES(size) * PAGE);
}

void *memory_borrow(uint64_t size, const char *what)
{
    return (void *)(uintptr_t)allocate(AllocateAnyPages, EfiLoaderData, PAGES(size), 0, what);
}

uint64_t memory_keep_below(uint64_t limit, const char *what)
{
    return allocate(AllocateMaxAddress, MEMMAP_EFI_TYPE_LOADER, 1, limit, what);
}

void memory_prepare_map(void)
{
    UINTN size = 0, key, stride = 0;
    UINT32 version;

    BOOT_SERVICES->GetMemoryMap(&size, NULL, &key, &stride, &version);
    if (stride < sizeof(struct memmap_descriptor) || version != EFI_MEMORY_DESCRIPTOR_VERSION)
        say_fatal("the firmware's memory map has an unknown format (version %u)", version);
    map.raw_room = size + MAP_SLACK * stride;
    map.room = 2 * map.raw_room / stride;
    map.raw = memory_borrow(map.raw_room, "the firmware's memory map");
    map.scratch = memory_borrow(map.room * sizeof(*map.scratch), "the memory map");
    map.out = memory_keep(map.room * sizeof(*map.out), PAGE, "the memory map");
}

/* Reads firmware's map; the key says which state of the map it is. */
static EFI_STATUS read_map(UINTN *key)
{
    UINT32 version;

    map.raw_size = map.raw_room;
    return BOOT_SERVICES->GetMemoryMap(&map.raw_size, (EFI_MEMORY_DESCRIPTOR *)map.raw, key,
                                       &map.stride, &version);
}

static uint32_t convert_map(void)
{
    return memmap_convert(map.raw, map.raw_size / map.stride, map.stride, map.out, map.scratch,
                          map.room);
}

const struct boot_mem *memory_map(uint32_t *count)
{
    UINTN key;

    if (EFI_ERROR(read_map(&key)))
        say_fatal("the firmware does not give its memory map");
    *count = convert_map();
    return map.out;
}

uint64_t memory_usable(uint64_t *end)
{
    uint32_t count;
    const struct boot_mem *now = memory_map(&count);

    *end = memmap_end(now, count);
    return memmap_sum(now, count, BOOT_MEM_USABLE);
}

/*
 * UEFI Specification, EFI_BOOT_SERVICES.ExitBootServices(): when the map has changed since it was
 * read, read it again; after the first try only these two services may be called, so nothing here
 * prints or allocates until it is clear that boot services go on.
 */
void memory_leave_boot_services(struct bootinfo *info)
{
    EFI_STATUS status = EFI_LOAD_ERROR;
    UINTN key;

    for (int i = 0; i < EXIT_TRIES && EFI_ERROR(status); i++) {
        status = read_map(&key);
        if (!EFI_ERROR(status))
            status = BOOT_SERVICES->ExitBootServices(loader_image, key);
    }
    if (EFI_ERROR(status))
        say_fatal("the firmware does not let go (ExitBootServices): %s", say_status(status));
    info->mem_count = convert_map();
    info->mem_map = (uint64_t)(uintptr_t)map.out;
}
