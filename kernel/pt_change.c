/* SPDX-License-Identifier: MIT */
/*
 * The page-table walker: changing what is mapped (root mode and build host). Tables that become
 * empty are unlinked, and freed only by pt_reap, after the caller's flush.
 */
#include <errno.h>

#include "kernel/pt_walk.h"

/* Replaces a large leaf by a table of leaves that map the same. */
static int leaf_split(struct pt *pt, const struct walk *walk)
{
    const struct pt_format *format = pt->format;
    unsigned level = walk->level - 1;
    hpa_t table = page_alloc(PAGE_ORDER_4K);

    if (table == PAGE_NONE)
        return -ENOMEM;
    uint64_t *slot = page_ptr(table);
    uint64_t entry = format->leaf(entry_hpa(format, walk->entry, walk->level), level,
                                  format->rights(walk->entry),
                                  format->type(walk->entry, walk->level));
    for (unsigned i = 0; i < PT_ENTRIES; i++, entry += level_size(level))
        slot[i] = entry;
    pt->table_pages++;
    entry_set(&walk->tables[walk->level][walk->index], table | format->table_bits);
    return 0;
}

/* Splits leaves until none crosses `edge`. */
static int edge_split(struct pt *pt, uint64_t edge)
{
    for (;;) {
        struct walk walk;

        walk_to(pt, edge, &walk);
        if (!entry_present(pt->format, walk.entry) || !(edge & (level_size(walk.level) - 1)))
            return 0;
        int error = leaf_split(pt, &walk);
        if (error)
            return error;
    }
}

static int edges_split(struct pt *pt, uint64_t in, uint64_t size)
{
    int error = edge_split(pt, in);

    return error ? error : edge_split(pt, in + size);
}

static bool table_is_empty(const struct pt_format *format, const uint64_t *table)
{
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        if (entry_present(format, entry_get(&table[i])))
            return false;
    return true;
}

/* Unlinks the walk's table if it is empty, and those above that become so. The link through the
 * first entry is no present entry to a CPU that still holds on to the table: it is page-aligned. */
static void tables_prune(struct pt *pt, const struct walk *walk, uint64_t in)
{
    const struct pt_format *format = pt->format;

    for (unsigned level = walk->level; level < format->levels; level++) {
        uint64_t *table = walk->tables[level];

        if (!table_is_empty(format, table))
            return;
        entry_set(&walk->tables[level + 1][level_index(in, level + 1)], 0);
        entry_set(table, pt->reap);
        pt->reap = page_hpa(table);
    }
}

int pt_unmap(struct pt *pt, uint64_t in, uint64_t size)
{
    if (!range_ok(pt->format, in, size))
        return -EINVAL;
    pt->near.piece = 0; /* its table may be one that goes */
    int error = edges_split(pt, in, size);
    if (error)
        return error;
    while (size) {
        struct walk walk;
        uint64_t at = in;

        walk_to(pt, in, &walk);
        unsigned run = walk_run(&walk, in, size), done = 0;
        uint64_t *slot = &walk.tables[walk.level][walk.index];
        for (; done < run; done++) {
            uint64_t entry = entry_get(&slot[done]);
            if (!entry_present(pt->format, entry))
                continue;
            if (!entry_is_leaf(pt->format, entry, walk.level))
                break;
            entry_set(&slot[done], 0);
        }
        walk_advance(&walk, done, &in, &size);
        tables_prune(pt, &walk, at);
    }
    return 0;
}

/* Is everything in the range mapped? */
static bool range_is_mapped(const struct pt *pt, uint64_t in, uint64_t size)
{
    while (size) {
        struct walk walk;

        walk_to(pt, in, &walk);
        if (!entry_present(pt->format, walk.entry))
            return false;
        walk_advance(&walk, 1, &in, &size);
    }
    return true;
}

int pt_protect(struct pt *pt, uint64_t in, uint64_t size, unsigned rights)
{
    const struct pt_format *format = pt->format;

    if (!range_ok(format, in, size) || !(rights & PT_R))
        return -EINVAL;
    if (!range_is_mapped(pt, in, size))
        return -ENOENT;
    int error = edges_split(pt, in, size);
    if (error)
        return error;
    while (size) {
        struct walk walk;

        walk_to(pt, in, &walk);
        entry_set(&walk.tables[walk.level][walk.index],
                  format->leaf(entry_hpa(format, walk.entry, walk.level), walk.level, rights,
                               format->type(walk.entry, walk.level)));
        walk_advance(&walk, 1, &in, &size);
    }
    return 0;
}

static void table_free(struct pt *pt, hpa_t table)
{
    page_free(table, PAGE_ORDER_4K);
    pt->table_pages--;
}

void pt_reap(struct pt *pt)
{
    while (pt->reap) {
        hpa_t table = pt->reap;

        pt->reap = entry_get(page_ptr(table));
        table_free(pt, table);
    }
}
