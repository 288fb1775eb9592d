/* SPDX-License-Identifier: MIT */
/*
 * The buddy allocator (root mode and build host). Free blocks are on one list per order and kind;
 * the links lie in the blocks themselves and are cleared when a block leaves its list, so a clean
 * block is all zero again. Buddies merge when they are of the same kind. Clean and dirty ones never
 * do: scrubbing takes the smallest dirty block first, which makes them alike, so large clean blocks
 * come back by themselves, and at once when an allocation up to 2 MiB would fail otherwise.
 */
#include "kernel/page.h"

#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/x86.h"

#define ORDERS (PAGE_ORDER_MAX + 1)
#define SCRUB_ORDER 4u /* 64 KiB */
#define HEAL_ORDER_MAX PAGE_ORDER_2M /* larger ones have a fallback: their callers don't wait */

enum kind { CLEAN, DIRTY, KINDS };

/* State of a frame: 0 inside a block or not ours; of a block's first frame: its order and one of */
#define STATE_USED 0x20u
#define STATE_FREE 0x40u /* << kind */

struct links {
    hpa_t next, prev; /* 0: none */
};

static struct {
    struct lock lock; /* protects all of this and the links in free blocks */
    uint32_t filled[KINDS]; /* a bit for each order whose list has a block */
    hpa_t heads[KINDS][ORDERS];
    uint8_t *states;
    uint64_t frames;
    uint32_t scrubbing; /* pieces that CPUs are zeroing now; they count as free */
    struct page_stats stats;
} mem;

static inline uint64_t block_pages(unsigned order)
{
    return 1ull << order;
}

static inline uint8_t *block_state(hpa_t block)
{
    return &mem.states[block >> PAGE_SHIFT];
}

static inline uint8_t free_state(enum kind kind, unsigned order)
{
    return (uint8_t)((STATE_FREE << kind) | order);
}

static inline void list_push(enum kind kind, hpa_t block, unsigned order)
{
    struct links *links = page_ptr(block);
    hpa_t next = mem.heads[kind][order];

    links->next = next;
    links->prev = 0;
    if (next)
        ((struct links *)page_ptr(next))->prev = block;
    mem.heads[kind][order] = block;
    mem.filled[kind] |= 1u << order;
    *block_state(block) = free_state(kind, order);
}

/* Its state is the caller's to set. */
static inline void list_remove(enum kind kind, hpa_t block, unsigned order)
{
    struct links *links = page_ptr(block);
    hpa_t next = links->next, prev = links->prev;

    *links = (struct links){ 0, 0 };
    if (next)
        ((struct links *)page_ptr(next))->prev = prev;
    if (prev) {
        ((struct links *)page_ptr(prev))->next = next;
        return;
    }
    mem.heads[kind][order] = next;
    if (!next)
        mem.filled[kind] &= ~(1u << order);
}

/* Puts a block on its list, merged with its buddies as far as they are free and of its kind. */
static void block_insert(enum kind kind, hpa_t block, unsigned order)
{
    *block_state(block) = 0;
    for (; order < PAGE_ORDER_MAX; order++) {
        hpa_t buddy = block ^ (PAGE_SIZE << order);

        if (buddy >> PAGE_SHIFT >= mem.frames || *block_state(buddy) != free_state(kind, order))
            break;
        list_remove(kind, buddy, order);
        *block_state(buddy) = 0;
        block &= ~(PAGE_SIZE << order);
    }
    list_push(kind, block, order);
}

/* The smallest free block of a kind that is large enough, cut to size; PAGE_NONE: there is none. */
static inline hpa_t block_take(enum kind kind, unsigned order)
{
    uint32_t fitting = mem.filled[kind] >> order;

    if (!fitting)
        return PAGE_NONE;
    unsigned at = order + (unsigned)__builtin_ctz(fitting);
    hpa_t block = mem.heads[kind][at];
    list_remove(kind, block, at);
    while (at > order) {
        at--;
        list_push(kind, block + (PAGE_SIZE << at), at);
    }
    *block_state(block) = (uint8_t)(STATE_USED | order);
    return block;
}

void page_init(uint8_t *states, uint64_t frames)
{
    assert_bug(frames % 8 == 0);
    __builtin_memset(&mem, 0, sizeof(mem));
    lock_init(&mem.lock, LOCK_RANK_PAGE, "page");
    mem.states = states;
    mem.frames = frames;
    x86_zero(states, frames);
}

void page_add(hpa_t base, uint64_t size)
{
    assert_bug(base && !((base | size) & (PAGE_SIZE - 1)));
    assert_bug(base + size >= base && (base + size) >> PAGE_SHIFT <= mem.frames);
    lock_acquire(&mem.lock);
    mem.stats.total_pages += size >> PAGE_SHIFT;
    mem.stats.free_pages += size >> PAGE_SHIFT;
    while (size) {
        unsigned order = PAGE_ORDER_MAX;

        while ((base & ((PAGE_SIZE << order) - 1)) || size < PAGE_SIZE << order)
            order--;
        block_insert(DIRTY, base, order);
        base += PAGE_SIZE << order;
        size -= PAGE_SIZE << order;
    }
    lock_release(&mem.lock);
}

/* The result of one try: a block, or whether scrubbing could help. */
struct attempt {
    hpa_t block; /* PAGE_NONE: there is none */
    bool dirty;  /* this block must be zeroed; without one: there is dirty memory */
};

static inline struct attempt block_alloc(unsigned order)
{
    struct attempt attempt = { .dirty = false };

    lock_acquire(&mem.lock);
    attempt.block = block_take(CLEAN, order);
    if (likely(attempt.block != PAGE_NONE)) {
        mem.stats.clean_pages -= block_pages(order);
    } else {
        attempt.dirty = mem.filled[DIRTY] || mem.scrubbing;
        attempt.block = block_take(DIRTY, order);
    }
    if (attempt.block != PAGE_NONE)
        mem.stats.free_pages -= block_pages(order);
    lock_release(&mem.lock);
    return attempt;
}

hpa_t page_alloc(unsigned order)
{
    assert_bug(order <= PAGE_ORDER_MAX);
    for (;;) {
        struct attempt attempt = block_alloc(order);

        if (likely(attempt.block != PAGE_NONE)) {
            if (attempt.dirty)
                x86_zero(page_ptr(attempt.block), PAGE_SIZE << order);
            return attempt.block;
        }
        if (!attempt.dirty || order > HEAL_ORDER_MAX)
            return PAGE_NONE;
        if (!page_scrub_step())
            x86_pause(); /* another CPU has the last dirty piece in hand */
    }
}

hpa_t page_alloc_clean(unsigned *order)
{
    hpa_t block = PAGE_NONE;
    uint32_t smaller;

    lock_acquire(&mem.lock);
    smaller = mem.filled[CLEAN] & ((2u << *order) - (1u << PAGE_ORDER_2M));
    if (smaller && !(mem.filled[CLEAN] >> *order))
        *order = 31 - (unsigned)__builtin_clz(smaller);
    if (mem.filled[CLEAN] >> PAGE_ORDER_2M)
        block = block_take(CLEAN, *order);
    if (block != PAGE_NONE) {
        mem.stats.clean_pages -= block_pages(*order);
        mem.stats.free_pages -= block_pages(*order);
    }
    lock_release(&mem.lock);
    return block;
}

void page_split(hpa_t block, unsigned order, unsigned into)
{
    lock_acquire(&mem.lock);
    assert_bug(*block_state(block) == (STATE_USED | order) && into <= order);
    for (uint64_t i = 0; i < block_pages(order); i += block_pages(into))
        block_state(block)[i] = (uint8_t)(STATE_USED | into);
    lock_release(&mem.lock);
}

void page_free(hpa_t block, unsigned order)
{
    assert_bug(order <= PAGE_ORDER_MAX && block >> PAGE_SHIFT < mem.frames &&
               !(block & ((PAGE_SIZE << order) - 1)));
    lock_acquire(&mem.lock);
    if (unlikely(*block_state(block) != (STATE_USED | order)))
        panic("page: free of %#llx, order %u, in state %#x", (unsigned long long)block, order,
              *block_state(block));
    mem.stats.free_pages += block_pages(order);
    block_insert(DIRTY, block, order);
    lock_release(&mem.lock);
}

bool page_scrub_step(void)
{
    lock_acquire(&mem.lock);
    if (!mem.filled[DIRTY]) {
        lock_release(&mem.lock);
        return false;
    }
    unsigned order = MIN((unsigned)__builtin_ctz(mem.filled[DIRTY]), SCRUB_ORDER);
    hpa_t piece = block_take(DIRTY, order);
    mem.scrubbing++;
    lock_release(&mem.lock);

    x86_zero(page_ptr(piece), PAGE_SIZE << order);

    lock_acquire(&mem.lock);
    mem.scrubbing--;
    mem.stats.clean_pages += block_pages(order);
    block_insert(CLEAN, piece, order);
    lock_release(&mem.lock);
    return true;
}

struct page_stats page_get_stats(void)
{
    lock_acquire(&mem.lock);
    struct page_stats stats = mem.stats;
    lock_release(&mem.lock);
    return stats;
}

bool page_dirty(void)
{
    return __atomic_load_n(&mem.filled[DIRTY], __ATOMIC_RELAXED) != 0;
}
