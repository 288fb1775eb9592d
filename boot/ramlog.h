/* SPDX-License-Identifier: MIT */
/*
 * The log ring in RAM that survives a warm reset (bootinfo's log_hpa): this head, then `size` bytes
 * of ring. The kernel writes at `head` and wraps there; a byte 0 was never written. The loader of
 * the next boot writes what it finds to \mullion\last.log.
 */
#ifndef BOOT_RAMLOG_H
#define BOOT_RAMLOG_H

#include <stddef.h>
#include <stdint.h>

#define RAMLOG_MAGIC 0x0031474f4c4c554dull /* "MULLOG1" and NUL */
#define RAMLOG_AREA (64u << 10)            /* bytes with the head */

struct ramlog {
    uint64_t magic;
    uint32_t size;
    uint32_t head; /* offset in ring[] of the next byte, below size */
    char ring[];
};

#endif
