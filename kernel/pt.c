/* SPDX-License-Identifier: MIT */
/*
 * The page-table walker: making tables and mapping, for every format (root mode and build host).
 * Invariant between calls: no table but the root is empty.
 */
#include "kernel/pt.h"

#include <errno.h>

#include "kernel/pt_walk.h"

static bool range_is_free(const struct pt *pt, uint64_t in, uint64_t size)
{
    while (size) {
        struct walk walk;

        walk_to(pt, in, &walk);
        unsigned run = walk_run(&walk, in, size), clear = 0;
        const uint64_t *slot = &walk.tables[walk.level][walk.index];
        while (clear < run && !entry_present(pt->format, entry_get(&slot[clear])))
            clear++;
        if (clear < run && entry_is_leaf(pt->format, entry_get(&slot[clear]), walk.level))
            return false;
        walk_advance(&walk, clear, &in, &size);
    }
    return true;
}

/* A new table behind an entry; 0: no memory. */
static uint64_t table_link(struct pt *pt, uint64_t *slot)
{
    hpa_t table = page_alloc(PAGE_ORDER_4K);

    if (table == PAGE_NONE)
        return 0;
    pt->table_pages++;
    uint64_t entry = table | pt->format->table_bits;
    entry_set(slot, entry);
    return entry;
}

/* The entry for `in` at `level`, with all tables on the way. No leaf is on the way (range_is_free).
 * NULL: no memory. */
static inline uint64_t *slot_make(struct pt *pt, uint64_t in, unsigned level)
{
    const struct pt_format *format = pt->format;
    uint64_t *table = page_ptr(pt->root);

    for (unsigned at = format->levels; at > level; at--) {
        uint64_t *slot = &table[level_index(in, at)];
        uint64_t entry = entry_get(slot);

        if (unlikely(!entry_present(format, entry))) {
            entry = table_link(pt, slot);
            if (!entry)
                return NULL;
        }
        table = entry_table(format, entry);
    }
    return &table[level_index(in, level)];
}

/* The largest level whose leaves fit the alignment and size. */
static inline unsigned leaf_level(uint64_t in, hpa_t hpa, uint64_t size, unsigned max_level)
{
    unsigned level = max_level;

    while (level > 1 && (((in | hpa) & (level_size(level) - 1)) || size < level_size(level)))
        level--;
    return level;
}

int pt_init(struct pt *pt, const struct pt_format *format)
{
    hpa_t root = page_alloc(PAGE_ORDER_4K);

    if (root == PAGE_NONE)
        return -ENOMEM;
    *pt = (struct pt){ .format = format, .root = root, .table_pages = 1 };
    return 0;
}

/* The general case; kept out of pt_map so that the hot one saves few registers. */
__attribute__((noinline)) static int map_range(struct pt *pt, uint64_t in, hpa_t hpa,
                                               uint64_t size, unsigned rights, enum pt_type type,
                                               unsigned max_level)
{
    const hpa_t beyond = ~(pt->format->address_mask | (PAGE_SIZE - 1));
    uint64_t start = in, whole = size;

    if (!range_ok(pt->format, in, size) || (hpa & (PAGE_SIZE - 1)) || !(rights & PT_R) ||
        ((hpa | (hpa + size - 1)) & beyond))
        return -EINVAL;
    if (!max_level || max_level > pt->format->largest_level)
        max_level = pt->format->largest_level;
    if (!range_is_free(pt, in, size))
        return -EEXIST;
    while (size) {
        unsigned level = leaf_level(in, hpa, size, max_level);
        uint64_t step = level_size(level);
        uint64_t run = MIN(size >> level_shift(level), PT_ENTRIES - level_index(in, level));
        uint64_t *slot = slot_make(pt, in, level);

        if (unlikely(!slot)) {
            (void)pt_unmap(pt, start, whole); /* no leaf crosses the edges: no split, no failure */
            return -ENOMEM;
        }
        uint64_t entry = pt->format->leaf(hpa, level, rights, type);
        in += run * step;
        hpa += run * step;
        size -= run * step;
        for (; run; run--, entry += step)
            entry_set(slot++, entry);
    }
    return 0;
}

/* The entry for `in` at a level if it is not present while all tables on the way exist; NULL: not
 * so, or the address is bad. */
static inline uint64_t *slot_find(const struct pt *pt, uint64_t in, unsigned level)
{
    const struct pt_format *format = pt->format;
    const uint64_t present = format->present_mask, large = format->large_bit;
    unsigned shift = level_shift(format->levels);
    uint64_t *table = page_ptr(pt->root);

    if ((in & (level_size(level) - 1)) || !input_ok(format, in))
        return NULL;
    for (; shift > level_shift(level); shift -= PT_INDEX_BITS) {
        uint64_t entry = entry_get(&table[(in >> shift) & (PT_ENTRIES - 1)]);

        if (!(entry & present) || (entry & large))
            return NULL;
        table = entry_table(format, entry);
    }
    table += level_index(in, level);
    return entry_get(table) & present ? NULL : table;
}

static inline bool leaf_ok(const struct pt_format *format, hpa_t hpa, uint64_t size,
                           unsigned rights)
{
    return !(hpa & (~format->address_mask | (size - 1))) && (rights & PT_R);
}

__attribute__((noinline)) static int map_page(struct pt *pt, uint64_t in, hpa_t hpa,
                                              unsigned rights, enum pt_type type)
{
    const struct pt_format *format = pt->format;
    uint64_t *slot = leaf_ok(format, hpa, PAGE_SIZE, rights) ? slot_find(pt, in, 1) : NULL;

    if (!slot)
        return map_range(pt, in, hpa, PAGE_SIZE, rights, type, 1);
    pt->near = (struct pt_near){ in / PAGE_2M + 1, slot - level_index(in, 1), rights, type,
                                 format->leaf(0, 1, rights, type) };
    entry_set(slot, pt->near.bits | hpa);
    return 0;
}

static inline bool fits_near(const struct pt *pt, uint64_t in, hpa_t hpa, unsigned rights,
                             enum pt_type type)
{
    const struct pt_near *near = &pt->near;

    return near->piece == in / PAGE_2M + 1 && near->rights == rights && near->type == type &&
           !((in | hpa) & (PAGE_SIZE - 1)) && !(hpa & ~pt->format->address_mask);
}

/* Pages are mostly mapped beside the one before, in the same way. */
int pt_map_page(struct pt *pt, uint64_t in, hpa_t hpa, unsigned rights, enum pt_type type)
{
    uint64_t *slot;

    if (likely(fits_near(pt, in, hpa, rights, type))) {
        slot = &pt->near.table[level_index(in, 1)];
        if (likely(!(entry_get(slot) & pt->format->present_mask))) {
            entry_set(slot, pt->near.bits | hpa);
            return 0;
        }
    }
    return map_page(pt, in, hpa, rights, type);
}

/* The hot case is one 2 MiB page whose neighbours are mapped: RAM of a new VM. */
int pt_map(struct pt *pt, uint64_t in, hpa_t hpa, uint64_t size, unsigned rights,
           enum pt_type type, unsigned max_level)
{
    const struct pt_format *format = pt->format;
    uint64_t *slot = NULL;

    if (size == PAGE_SIZE)
        return pt_map_page(pt, in, hpa, rights, type);
    if (size == PAGE_2M && format->largest_level > 1 && max_level != 1 &&
        leaf_ok(format, hpa, size, rights))
        slot = slot_find(pt, in, 2);
    if (unlikely(!slot))
        return map_range(pt, in, hpa, size, rights, type, max_level);
    entry_set(slot, format->leaf(hpa, 2, rights, type));
    return 0;
}
