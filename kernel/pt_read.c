/* SPDX-License-Identifier: MIT */
/* Reading and tearing down page tables: the half of the walker that maps nothing (root mode). */
#include "kernel/pt_walk.h"

static inline struct pt_leaf leaf_describe(const struct pt_format *format, uint64_t in,
                                           uint64_t entry, unsigned level)
{
    uint64_t size = level_size(level);

    return (struct pt_leaf){ .base = ALIGN_DOWN(in, size), .size = size,
                             .hpa = entry_hpa(format, entry, level),
                             .rights = format->rights(entry),
                             .type = format->type(entry, level) };
}

bool pt_lookup(const struct pt *pt, uint64_t in, struct pt_leaf *leaf)
{
    const struct pt_format *format = pt->format;
    struct walk walk;

    if (!input_ok(format, in))
        return false;
    walk_to(pt, in, &walk);
    if (!entry_present(format, walk.entry))
        return false;
    *leaf = leaf_describe(format, in, walk.entry, walk.level);
    return true;
}

hpa_t pt_translate(const struct pt *pt, uint64_t in)
{
    const struct pt_format *format = pt->format;
    const uint64_t *table = page_ptr(pt->root);

    if (!input_ok(format, in))
        return PAGE_NONE;
    for (unsigned level = format->levels;; level--) {
        uint64_t entry = entry_get(&table[level_index(in, level)]);
        if (!entry_present(format, entry))
            return PAGE_NONE;
        if (entry_is_leaf(format, entry, level))
            return entry_hpa(format, entry, level) + (in & (level_size(level) - 1));
        table = entry_table(format, entry);
    }
}

/* A walk over all entries in ascending order, without recursion. */
struct tour {
    uint64_t *tables[PT_LEVELS_MAX + 1];
    unsigned next[PT_LEVELS_MAX + 1]; /* index of the next entry, by level */
    unsigned level;                   /* format->levels + 1: over */
};

static void tour_enter(struct tour *tour, unsigned level, uint64_t *table)
{
    tour->tables[level] = table;
    tour->next[level] = 0;
    tour->level = level;
}

static uint64_t tour_input(const struct pt_format *format, const struct tour *tour)
{
    uint64_t in = 0, top = ~0ull << (level_shift(format->levels + 1) - 1);

    for (unsigned level = format->levels; level >= tour->level; level--)
        in |= (uint64_t)(tour->next[level] - 1) << level_shift(level);
    return format->canonical && (in & top) ? in | top : in;
}

int pt_foreach(const struct pt *pt, int (*fn)(const struct pt_leaf *leaf, void *arg), void *arg)
{
    const struct pt_format *format = pt->format;
    struct tour tour;

    tour_enter(&tour, format->levels, page_ptr(pt->root));
    while (tour.level <= format->levels) {
        unsigned level = tour.level;

        if (tour.next[level] == PT_ENTRIES) {
            tour.level++;
            continue;
        }
        uint64_t entry = entry_get(&tour.tables[level][tour.next[level]++]);
        if (!entry_present(format, entry))
            continue;
        if (!entry_is_leaf(format, entry, level)) {
            tour_enter(&tour, level - 1, entry_table(format, entry));
            continue;
        }
        struct pt_leaf leaf = leaf_describe(format, tour_input(format, &tour), entry, level);
        int result = fn(&leaf, arg);
        if (result)
            return result;
    }
    return 0;
}

void pt_destroy(struct pt *pt)
{
    const struct pt_format *format = pt->format;
    struct tour tour;

    pt_reap(pt);
    tour_enter(&tour, format->levels, page_ptr(pt->root));
    while (tour.level <= format->levels) {
        unsigned level = tour.level;

        /* A lowest table holds no tables: it goes without a look at its entries. */
        if (level == 1 || tour.next[level] == PT_ENTRIES) {
            page_free(page_hpa(tour.tables[level]), PAGE_ORDER_4K);
            tour.level++;
            continue;
        }
        uint64_t entry = entry_get(&tour.tables[level][tour.next[level]++]);
        if (entry_present(format, entry) && !entry_is_leaf(format, entry, level))
            tour_enter(&tour, level - 1, entry_table(format, entry));
    }
    *pt = (struct pt){ .format = format };
}
