/* SPDX-License-Identifier: MIT */
/* Start of the page allocator from the loader's memory map (root mode, boot CPU only). */
#include "boot/bootinfo.h"
#include "kernel/log.h"
#include "kernel/page.h"

#define LOW_MEMORY_END (1ull << 20)

/* The allocator's states: written once by page_boot_init. */
static hpa_t states_base;
static uint64_t states_size;

/* End of the memory that may ever be the allocator's. */
static hpa_t memory_end(const struct boot_mem *map, uint32_t count)
{
    hpa_t end = 0;

    for (uint32_t i = 0; i < count; i++)
        if (map[i].type == BOOT_MEM_USABLE || map[i].type == BOOT_MEM_LOADER)
            end = MAX(end, map[i].base + map[i].size);
    return end;
}

void page_boot_init(const struct bootinfo *boot)
{
    const struct boot_mem *map = page_ptr(boot->mem_map);
    uint64_t frames = ALIGN_UP(memory_end(map, boot->mem_count) >> PAGE_SHIFT, 8ull);

    states_size = ALIGN_UP(frames, PAGE_SIZE);
    for (uint32_t i = 0; i < boot->mem_count; i++) {
        hpa_t base = MAX(map[i].base, LOW_MEMORY_END);

        if (map[i].type == BOOT_MEM_USABLE && map[i].base + map[i].size >= base + states_size) {
            states_base = base;
            page_init(page_ptr(base), frames);
            return;
        }
    }
    panic("no usable memory of %llu bytes in one piece", (unsigned long long)states_size);
}

static void add_clipped(hpa_t start, hpa_t end, hpa_t from, hpa_t to)
{
    start = MAX(start, from);
    end = MIN(end, to);
    if (start < end)
        page_add(start, end - start);
}

void page_boot_add(const struct bootinfo *boot, hpa_t from, hpa_t to)
{
    const struct boot_mem *map = page_ptr(boot->mem_map);

    from = MAX(from, LOW_MEMORY_END);
    for (uint32_t i = 0; i < boot->mem_count; i++) {
        hpa_t start = map[i].base, end = map[i].base + map[i].size;

        if (map[i].type != BOOT_MEM_USABLE)
            continue;
        add_clipped(start, end, from, MIN(to, states_base));
        add_clipped(start, end, MAX(from, states_base + states_size), to);
    }
}
