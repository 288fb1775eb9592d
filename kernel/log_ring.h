/* SPDX-License-Identifier: MIT */
/*
 * The log's ring in memory, which the loader of the next boot reads after a warm reset: oldest
 * byte first from bytes[head] on, around the end; bytes that were never written are 0.
 */
#ifndef KERNEL_LOG_RING_H
#define KERNEL_LOG_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_RING_MAGIC 0x0031474f4c4c554dull /* "MULLOG1" */

struct log_ring {
    uint64_t magic;
    uint32_t size; /* of bytes[] */
    uint32_t head; /* where the next byte goes; less than size */
    char bytes[];
};

/* Set by panic: no more locking. */
extern bool log_panicking;

/* Text that is formatted already. */
void log_text(const char *text, size_t length);

#endif
