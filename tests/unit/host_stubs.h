/* SPDX-License-Identifier: MIT */
/*
 * What the files of kernel/ need on the build host: fake physical memory behind page_ptr(), locks
 * that check their use, and a panic that cmocka's expect_assert_failure() can expect.
 */
#ifndef TESTS_UNIT_HOST_STUBS_H
#define TESTS_UNIT_HOST_STUBS_H

#include "kernel/types.h"

/* Physical memory [0, size), all zero; drops the one before. Touched pages only cost memory. */
void host_memory_init(uint64_t size);
/* The same, and gives [base, base + size) to the page allocator as dirty memory, filled with junk
 * when it is small enough (up to 64 MiB). */
void host_pages_init(hpa_t base, uint64_t size);

bool host_is_zero(hpa_t hpa, uint64_t size);

/* A reproducible random number, and its restart. */
uint64_t host_random(void);
void host_random_seed(uint64_t seed);

/* Locks that are held now. */
unsigned host_locks_held(void);

#endif
