/* SPDX-License-Identifier: MIT */
/* The page-frame allocator: a bitmap, one bit per frame. Pure. */
#include "guests/tutor/frame.h"

#include <stdbool.h>

#include "guests/tutor/errno.h"
#include "guests/tutor/string.h"

static bool is_busy(const struct frame_pool *pool, uint32_t number)
{
    return pool->busy[number / 32] >> (number % 32) & 1;
}

static void set_busy(struct frame_pool *pool, uint32_t number, bool busy)
{
    uint32_t bit = 1u << (number % 32);

    if (busy)
        pool->busy[number / 32] |= bit;
    else
        pool->busy[number / 32] &= ~bit;
}

/* Frame numbers past 4 GiB, and ranges that wrap around, are cut off. */
static uint32_t clamp(uint64_t number)
{
    return number < FRAME_COUNT ? (uint32_t)number : FRAME_COUNT;
}

static uint64_t range_end(uint64_t start, uint64_t length)
{
    return start + length < start ? UINT64_MAX : start + length;
}

void frame_pool_init(struct frame_pool *pool)
{
    *pool = (struct frame_pool){0};
    memset(pool->busy, 0xFF, sizeof(pool->busy));
}

/* Only frames that lie in the range as a whole: rounded inwards. */
void frame_add(struct frame_pool *pool, uint64_t start, uint64_t length)
{
    uint32_t end = clamp(range_end(start, length) / FRAME_SIZE);
    uint32_t number = clamp(start / FRAME_SIZE + (start % FRAME_SIZE != 0));

    for (; number < end; number++) {
        if (!is_busy(pool, number))
            continue;
        set_busy(pool, number, false);
        pool->total++;
        pool->free++;
        if (number >= pool->limit)
            pool->limit = number + 1;
    }
}

/* Every frame that the range touches: rounded outwards. */
void frame_reserve(struct frame_pool *pool, uint64_t start, uint64_t length)
{
    uint64_t last = range_end(start, length);
    uint32_t end = clamp(last / FRAME_SIZE + (last % FRAME_SIZE != 0));

    for (uint32_t number = clamp(start / FRAME_SIZE); number < end; number++) {
        if (is_busy(pool, number))
            continue;
        set_busy(pool, number, true);
        pool->free--;
    }
}

paddr_t frame_alloc(struct frame_pool *pool)
{
    for (uint32_t i = 0; i < pool->limit; i++) {
        uint32_t number = (pool->next + i) % pool->limit;

        if (number == 0 || is_busy(pool, number))
            continue;
        set_busy(pool, number, true);
        pool->free--;
        pool->next = number + 1;
        return number * FRAME_SIZE;
    }
    return FRAME_NONE;
}

int frame_free(struct frame_pool *pool, paddr_t frame)
{
    uint32_t number = frame / FRAME_SIZE;

    if (frame % FRAME_SIZE || number == 0 || number >= pool->limit || !is_busy(pool, number))
        return -EINVAL;
    set_busy(pool, number, false);
    pool->free++;
    return 0;
}
