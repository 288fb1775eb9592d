/* SPDX-License-Identifier: MIT */
/*
 * The log: a RAM ring and all host consoles (kernel/hostcon.h) at once, from any CPU. Formats are
 * newlib's integer and string conversions (no floating point). Lines end with \n; each is prefixed
 * with its time.
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include "kernel/types.h"

void log_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Our own bug: stops every CPU (NMI), prints file, line, registers and the last exits. */
void panic_at(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
#define assert_bug(condition)                                                                      \
    do {                                                                                           \
        if (unlikely(!(condition)))                                                                \
            panic("assertion failed: %s", #condition);                                             \
    } while (0)

/* Copies up to size bytes of the ring, oldest first, from logical offset *pos; advances *pos. */
size_t log_read(uint64_t *pos, char *buffer, size_t size);

/* Starts the ring: in memory that survives a warm reset when the loader has set some aside.
 * Before this call text is kept in a small buffer of the image. */
struct bootinfo;
void log_init(const struct bootinfo *boot);

#endif
