/* SPDX-License-Identifier: MIT */
/*
 * Physical memory: a buddy allocator over 4 KiB .. 1 GiB blocks that knows which free blocks are
 * clean (all zero). Freed memory is scrubbed by idle CPUs before anyone else gets it, so that
 * giving memory away is fast. All calls may come from any CPU; one lock (rank LOCK_RANK_PAGE).
 */
#ifndef KERNEL_PAGE_H
#define KERNEL_PAGE_H

#include <string.h>

#include "kernel/types.h"

#define PAGE_ORDER_4K 0u
#define PAGE_ORDER_2M 9u
#define PAGE_ORDER_1G 18u
#define PAGE_ORDER_MAX PAGE_ORDER_1G
#define PAGE_NONE (~(hpa_t)0)

struct page_stats {
    uint64_t total_pages; /* 4 KiB pages that the allocator was given */
    uint64_t free_pages;  /* of these free now, clean or not */
    uint64_t clean_pages; /* of these free and known to be zero */
};

struct bootinfo;

/* Forgets all memory. `states`: one byte for each 4 KiB frame below `frames`, a multiple of 8. */
void page_init(uint8_t *states, uint64_t frames);

/* Gives [base, base + size) to the allocator as dirty memory. 4 KiB aligned, below page_init's
 * limit, not frame 0 (so that 0 never names a page). Only at start-up. */
void page_add(hpa_t base, uint64_t size);

/* page_init and page_add from the loader's memory map: page_boot_init first (panics when there is
 * no room for the states), then the usable memory in [from, to). Memory below 1 MiB is left out:
 * it is for trampolines and firmware's leftovers. */
void page_boot_init(const struct bootinfo *boot);
void page_boot_add(const struct bootinfo *boot, hpa_t from, hpa_t to);

/* A block of 4 KiB << order, aligned to its size and all zero; PAGE_NONE: not enough memory.
 * Takes a clean block where there is one, else zeroes one now. Up to 2 MiB it also scrubs until
 * fragments have merged; above, callers fall back to smaller blocks. */
hpa_t page_alloc(unsigned order);

/* The largest clean block of at most *order and at least 2 MiB, and its order; PAGE_NONE: only
 * page_alloc could help, which zeroes. */
hpa_t page_alloc_clean(unsigned *order);

/* Makes of a block in use smaller ones, to be freed one by one. */
void page_split(hpa_t block, unsigned order, unsigned into);

/* Returns a block from page_alloc, whole. Its content is scrubbed before it is given out again.
 * Panics when this block with this order is not in use. */
void page_free(hpa_t block, unsigned order);

/* Zeroes a bounded piece (at most 64 KiB) of one dirty free block. False: nothing is dirty. */
bool page_scrub_step(void);

/* Is there free memory that waits for page_scrub_step? A hint. */
bool page_dirty(void);

struct page_stats page_get_stats(void);

/* Direct map: every byte of RAM is mapped (RW, NX) at PHYSMAP_BASE + its physical address. */
#define PHYSMAP_BASE 0xffff800000000000ull
#ifdef MULLION_HOST_TEST
void *page_ptr(hpa_t hpa); /* the test provides memory */
hpa_t page_hpa(const void *ptr);
#else
static inline void *page_ptr(hpa_t hpa)
{
    return (void *)(uintptr_t)(PHYSMAP_BASE + hpa);
}
/* Only for pointers into the direct map. */
static inline hpa_t page_hpa(const void *ptr)
{
    return (hpa_t)(uintptr_t)ptr - PHYSMAP_BASE;
}
#endif

/* One zeroed 4 KiB page as a pointer, and back; NULL: not enough memory. */
static inline void *page_zalloc(void)
{
    hpa_t hpa = page_alloc(PAGE_ORDER_4K);
    return hpa == PAGE_NONE ? NULL : page_ptr(hpa);
}
/* 4 KiB << order with all bits set, for a map in which each means an exit; NULL: not enough. */
static inline void *page_alloc_ones(unsigned order)
{
    hpa_t hpa = page_alloc(order);
    return hpa == PAGE_NONE ? NULL : memset(page_ptr(hpa), 0xff, PAGE_SIZE << order);
}
static inline void page_zfree(void *page)
{
    if (page)
        page_free(page_hpa(page), PAGE_ORDER_4K);
}

#endif
