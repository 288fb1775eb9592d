/* SPDX-License-Identifier: MIT */
/* Random instructions and register values (guest). */
#ifndef TESTS_GUEST_HOSTILE_RANDOM_CODE_H
#define TESTS_GUEST_HOSTILE_RANDOM_CODE_H

#include "guests/lib/guest.h"

/* A number below `limit`. */
uint64_t code_below(uint64_t limit);
/* Fills a page, the instructions from `offset` on. */
void code_fill(uint8_t *page, unsigned offset);
/* Registers that point to memory in [from, from + size), and where it hurts; those of some
 * instructions fit them. */
void code_registers(struct guest_frame *frame, uint64_t from, uint64_t size, uint64_t end_of_ram);

#endif
