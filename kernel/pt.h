/* SPDX-License-Identifier: MIT */
/*
 * The one page-table walker. A `struct pt_format` says how entries look; the walker serves host
 * tables, the nested tables of both vendors and later the IOMMU.
 * Not locked: the owner of a table serialises changes. Never flushes a TLB: pt_map only fills
 * entries that were not present (no flush needed), pt_unmap and pt_protect change present ones, so
 * their caller flushes, and then calls pt_reap.
 */
#ifndef KERNEL_PT_H
#define KERNEL_PT_H

#include "kernel/types.h"

enum pt_rights { PT_R = 1, PT_W = 2, PT_X = 4, PT_USER = 8 };
enum pt_type { PT_WB = 0, PT_UC, PT_WC };

/* Masks instead of functions where the walk is hot. Every entry is 64 bits, a table 4 KiB; an
 * entry that is not present is 0. */
struct pt_format {
    const char *name;
    unsigned levels;        /* 4: 48-bit input addresses */
    unsigned largest_level; /* 1: 4K leaves only; 2: and 2M; 3: and 1G */
    bool canonical;         /* input addresses repeat their top bit up to bit 63 */
    uint64_t present_mask;  /* an entry with any of these bits is present */
    uint64_t large_bit;     /* set in a present entry above level 1 that is a leaf */
    uint64_t address_mask;  /* of the leaf's memory or of the lower table */
    uint64_t table_bits;    /* beside the address in an entry that points to a lower table */
    /* A leaf at `level` (1 = 4K) that maps hpa; rights include PT_R. */
    uint64_t (*leaf)(hpa_t hpa, unsigned level, unsigned rights, enum pt_type type);
    unsigned (*rights)(uint64_t entry); /* of a leaf */
    enum pt_type (*type)(uint64_t entry, unsigned level);
};

struct pt {
    const struct pt_format *format;
    hpa_t root;
    uint64_t table_pages; /* 4 KiB pages in use for tables, the root and those to reap included */
    hpa_t reap;           /* unlinked tables, chained through their first entry; 0: none */
    struct pt_near {      /* the 4 KiB page that was mapped last; kernel/pt.c */
        uint64_t piece;   /* input address / 2 MiB + 1; 0: none */
        uint64_t *table;
        unsigned rights;
        enum pt_type type;
        uint64_t bits;    /* of such a leaf, beside the address */
    } near;
};

struct pt_leaf {
    uint64_t base; /* input address where the leaf starts */
    uint64_t size; /* PAGE_SIZE, PAGE_2M or PAGE_1G */
    hpa_t hpa;     /* of base */
    unsigned rights;
    enum pt_type type;
};

/* 0 or -ENOMEM. */
int pt_init(struct pt *pt, const struct pt_format *format);

/* Frees all tables, not what they map. Nobody may be using them. */
void pt_destroy(struct pt *pt);

/* Maps [in, in + size) to hpa with the largest leaves that alignment allows, none larger than
 * max_level (0: the format's largest). 4 KiB aligned. -EINVAL: misaligned, empty, out of range
 * or not readable; -EEXIST: something is mapped there already (then nothing is changed);
 * -ENOMEM: the part mapped so far is unmapped again. */
int pt_map(struct pt *pt, uint64_t in, hpa_t hpa, uint64_t size, unsigned rights,
           enum pt_type type, unsigned max_level);

/* The same for one 4 KiB page; quick beside the page that was mapped last. */
int pt_map_page(struct pt *pt, uint64_t in, hpa_t hpa, unsigned rights, enum pt_type type);

/* Unmaps; holes are fine; splits large leaves at the edges; unlinks tables that became empty.
 * The caller flushes TLBs before the memory gets another owner, then calls pt_reap. 0, -EINVAL,
 * -ENOMEM (split; then nothing is unmapped). */
int pt_unmap(struct pt *pt, uint64_t in, uint64_t size);

/* Changes rights of what is mapped in the range; splits large leaves at the edges. The caller
 * flushes. -ENOENT: there is a hole, -EINVAL, -ENOMEM (then nothing is changed). */
int pt_protect(struct pt *pt, uint64_t in, uint64_t size, unsigned rights);

/* Frees the tables that pt_unmap (and a failed pt_map) unlinked. Only after the flush: a CPU may
 * hold on to a table that is no longer linked (SDM 3A, Caching Translation Information). */
void pt_reap(struct pt *pt);

/* Finds the leaf that maps `in`: true and *leaf filled, or false. */
bool pt_lookup(const struct pt *pt, uint64_t in, struct pt_leaf *leaf);

/* What `in` maps to, or PAGE_NONE: the quick form of pt_lookup. */
hpa_t pt_translate(const struct pt *pt, uint64_t in);

/* Calls fn for every leaf in ascending order, adjacent leaves not merged; stops when fn returns
 * non-zero and returns that. */
int pt_foreach(const struct pt *pt, int (*fn)(const struct pt_leaf *leaf, void *arg), void *arg);

#endif
