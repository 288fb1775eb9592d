/* SPDX-License-Identifier: MIT */
/* Page frames: physical memory in pieces of 4 KiB. */
#ifndef TUTOR_FRAME_H
#define TUTOR_FRAME_H

#include <stdint.h>

typedef uint32_t paddr_t; /* a physical address */

#define FRAME_SIZE 4096u
#define FRAME_COUNT (1u << 20) /* 4 GiB: what 32-bit paging can reach */
#define FRAME_NONE 0u          /* frame 0 is never given away */

struct frame_pool {
    uint32_t busy[FRAME_COUNT / 32]; /* one bit per frame; memory that is not there is busy */
    uint32_t limit;                  /* number of the highest frame of memory, plus one */
    uint32_t total, free;            /* frames: ever given to the pool, free now */
    uint32_t next;                   /* where the next search begins */
};

void frame_pool_init(struct frame_pool *pool);
void frame_add(struct frame_pool *pool, uint64_t start, uint64_t length);
void frame_reserve(struct frame_pool *pool, uint64_t start, uint64_t length);

/* Any frame, with whatever is in it; FRAME_NONE when there is none left. */
paddr_t frame_alloc(struct frame_pool *pool);

/* -EINVAL for an address that no frame_alloc can have returned, or that is free already. */
int frame_free(struct frame_pool *pool, paddr_t frame);

#endif
