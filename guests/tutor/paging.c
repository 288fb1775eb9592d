/* SPDX-License-Identifier: MIT */
/*
 * Page tables: a directory of 1024 tables of 1024 pages (SDM 3A, "32-Bit Paging"). All memory is
 * mapped to its own address, with two exceptions that catch mistakes: page 0 is absent, so null
 * pointers fault, and the kernel's code and constants can't be written.
 */
#include "guests/tutor/errno.h"
#include "guests/tutor/io.h"
#include "guests/tutor/memory.h"
#include "guests/tutor/power.h"
#include "guests/tutor/string.h"

#define TABLE_ENTRIES 1024
#define ENTRY_ADDRESS 0xFFFFF000u

static uint32_t directory[TABLE_ENTRIES] __attribute__((aligned(FRAME_SIZE)));

/* Every table is reachable at its physical address, before paging is on and after. */
static uint32_t *table_of(uint32_t entry)
{
    return (uint32_t *)(entry & ENTRY_ADDRESS);
}

int paging_map(struct frame_pool *pool, uint32_t address, paddr_t frame, uint32_t flags)
{
    uint32_t *entry = &directory[address / FRAME_SIZE / TABLE_ENTRIES];

    if (!(*entry & PAGE_PRESENT)) {
        paddr_t table = frame_alloc(pool);

        if (table == FRAME_NONE)
            return -ENOMEM;
        *entry = table | PAGE_PRESENT | PAGE_WRITE;
        memset(table_of(*entry), 0, FRAME_SIZE);
    }
    table_of(*entry)[address / FRAME_SIZE % TABLE_ENTRIES] = frame | flags;
    return 0;
}

static uint32_t flags_of(uint32_t address)
{
    if (address >= (uint32_t)image_start && address < (uint32_t)image_read_only_end)
        return PAGE_PRESENT;
    return PAGE_PRESENT | PAGE_WRITE;
}

void paging_init(struct frame_pool *pool)
{
    for (uint32_t number = 1; number < pool->limit; number++) {
        uint32_t address = number * FRAME_SIZE;

        if (paging_map(pool, address, address, flags_of(address)) < 0)
            power_panic("no memory for page tables");
    }
    cpu_enable_paging((uint32_t)directory);
}
