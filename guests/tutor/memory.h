/* SPDX-License-Identifier: MIT */
/* The kernel's memory: its pool of frames and its page tables. */
#ifndef TUTOR_MEMORY_H
#define TUTOR_MEMORY_H

#include "guests/tutor/frame.h"

/* linker.ld; only the addresses of these mean anything. */
extern const char image_start[], image_read_only_end[], image_end[];

/* memory.c */
void memory_init(void);
struct frame_pool *memory_frames(void);

/* paging.c */
#define PAGE_PRESENT 0x1u
#define PAGE_WRITE 0x2u
void paging_init(struct frame_pool *pool);

/* Maps one page; -ENOMEM when a page table was needed and there was no frame for it. */
int paging_map(struct frame_pool *pool, uint32_t address, paddr_t frame, uint32_t flags);

#endif
