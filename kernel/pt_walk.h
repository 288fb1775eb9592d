/* SPDX-License-Identifier: MIT */
/* What the files of the walker share: entries, levels, and one walk down. Only for kernel/pt*.c. */
#ifndef KERNEL_PT_WALK_H
#define KERNEL_PT_WALK_H

#include "kernel/page.h"
#include "kernel/pt.h"

#define PT_ENTRIES 512u
#define PT_INDEX_BITS 9u
#define PT_LEVELS_MAX 5u

/* Hardware reads the tables at any time: entries are read and written in one piece, and a table's
 * content is visible before the entry that links it. */
static inline uint64_t entry_get(const uint64_t *slot)
{
    return __atomic_load_n(slot, __ATOMIC_RELAXED);
}

static inline void entry_set(uint64_t *slot, uint64_t entry)
{
    __atomic_store_n(slot, entry, __ATOMIC_RELEASE);
}

static inline unsigned level_shift(unsigned level)
{
    return PAGE_SHIFT + PT_INDEX_BITS * (level - 1);
}

static inline uint64_t level_size(unsigned level)
{
    return 1ull << level_shift(level);
}

static inline unsigned level_index(uint64_t in, unsigned level)
{
    return (unsigned)(in >> level_shift(level)) & (PT_ENTRIES - 1);
}

static inline bool entry_present(const struct pt_format *format, uint64_t entry)
{
    return (entry & format->present_mask) != 0;
}

static inline bool entry_is_leaf(const struct pt_format *format, uint64_t entry, unsigned level)
{
    return level == 1 || (entry & format->large_bit) != 0;
}

static inline uint64_t *entry_table(const struct pt_format *format, uint64_t entry)
{
    return page_ptr(entry & format->address_mask);
}

static inline hpa_t entry_hpa(const struct pt_format *format, uint64_t entry, unsigned level)
{
    return entry & format->address_mask & ~(level_size(level) - 1);
}

/* Canonical addresses moved up by half of their span begin at 0, like those of other formats. */
static inline bool input_ok(const struct pt_format *format, uint64_t in)
{
    unsigned bits = level_shift(format->levels + 1);

    return (in + ((uint64_t)format->canonical << (bits - 1))) >> bits == 0;
}

static inline bool range_ok(const struct pt_format *format, uint64_t in, uint64_t size)
{
    uint64_t last = in + size - 1;
    bool wraps = last < in || (in ^ last) >> 63; /* the latter: across non-canonical addresses */

    return size && !wraps && !((in | size) & (PAGE_SIZE - 1)) && input_ok(format, in) &&
           input_ok(format, last);
}

/* Where a walk ended: the tables it went through, and the entry that is a leaf or not present. */
struct walk {
    uint64_t *tables[PT_LEVELS_MAX + 1]; /* by level, from the root down to `level` */
    unsigned level;
    unsigned index;
    uint64_t entry;
};

static inline void walk_to(const struct pt *pt, uint64_t in, struct walk *walk)
{
    const struct pt_format *format = pt->format;
    uint64_t *table = page_ptr(pt->root);
    unsigned level = format->levels;

    for (unsigned shift = level_shift(level);; shift -= PT_INDEX_BITS, level--) {
        unsigned index = (unsigned)(in >> shift) & (PT_ENTRIES - 1);
        uint64_t entry = entry_get(&table[index]);

        walk->tables[level] = table;
        if (!entry_present(format, entry) || entry_is_leaf(format, entry, level)) {
            walk->level = level;
            walk->index = index;
            walk->entry = entry;
            return;
        }
        table = entry_table(format, entry);
    }
}

/* Entries from the walk's end on that lie in the same table and within `size` of `in`. An entry
 * that begins before or ends beyond the range counts as one. */
static inline unsigned walk_run(const struct walk *walk, uint64_t in, uint64_t size)
{
    uint64_t offset = in & (level_size(walk->level) - 1);
    uint64_t count = (offset + size + level_size(walk->level) - 1) >> level_shift(walk->level);

    return (unsigned)MIN(count, PT_ENTRIES - walk->index);
}

/* Moves past `count` entries of the walk's level; size becomes 0 at the end of the range. */
static inline void walk_advance(const struct walk *walk, unsigned count, uint64_t *in,
                                uint64_t *size)
{
    uint64_t offset = *in & (level_size(walk->level) - 1);
    uint64_t step = MIN(count * level_size(walk->level) - offset, *size);

    *in += step;
    *size -= step;
}

#endif
