/* SPDX-License-Identifier: MIT */
/*
 * The log (root mode). The ring is in memory that a warm reset leaves alone, where the loader
 * finds it at the next boot; until log_init() it is a small one in the image.
 */
#include "kernel/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "boot/bootinfo.h"
#include "kernel/hostcon.h"
#include "kernel/lock.h"
#include "kernel/log_ring.h"
#include "kernel/page.h"
#include "kernel/time.h"

#define LOG_LINE_MAX      512
#define LOG_EARLY_SIZE    2048
#define LOG_TIMESTAMP_MAX 32

static union {
    struct log_ring ring;
    char bytes[sizeof(struct log_ring) + LOG_EARLY_SIZE];
} early = {.ring = {.magic = LOG_RING_MAGIC, .size = LOG_EARLY_SIZE}};

static struct log_ring *ring = &early.ring;
static uint64_t written; /* bytes since the start; ring->head is this modulo the size */
static uint64_t log_start_tsc;
bool log_panicking;
static bool line_open; /* the last text did not end its line */
static struct lock log_lock = LOCK_INIT(LOCK_RANK_LOG, "log");

static void ring_put(const char *text, size_t length)
{
    while (length) {
        size_t part = MIN(length, (size_t)(ring->size - ring->head));
        memcpy(ring->bytes + ring->head, text, part);
        ring->head = (uint32_t)((ring->head + part) % ring->size);
        written += part;
        text += part;
        length -= part;
    }
}

void log_init(const struct bootinfo *boot)
{
    struct log_ring *old = ring;
    size_t length = (size_t)MIN(written, (uint64_t)old->size);

    log_start_tsc = boot->tsc_at_entry;
    if (!boot->log_hpa || boot->log_size <= sizeof *ring + LOG_EARLY_SIZE ||
        boot->log_size > UINT32_MAX)
        return;
    ring = page_ptr(boot->log_hpa);
    memset(ring, 0, boot->log_size);
    ring->size = (uint32_t)(boot->log_size - sizeof *ring);
    written = 0;
    if (length < old->size)
        ring_put(old->bytes, length);
    ring->magic = LOG_RING_MAGIC; /* last: a ring without it is not read */
}

static size_t log_timestamp(char *to)
{
    uint64_t us = time_tsc_hz() ? time_ticks_to_ns(time_tsc() - log_start_tsc) / 1000 : 0;

    return (size_t)snprintf(to, LOG_TIMESTAMP_MAX, "[%5lu.%06lu] ", us / 1000000, us % 1000000);
}

/* Line by line, because each is prefixed; and each in one piece, as others write to the screen. */
static void log_lines(const char *text, size_t length)
{
    char line[LOG_TIMESTAMP_MAX + LOG_LINE_MAX];

    while (length) {
        const char *end = memchr(text, '\n', length);
        size_t part = MIN(end ? (size_t)(end - text) + 1 : length, (size_t)LOG_LINE_MAX);
        size_t used = line_open ? 0 : log_timestamp(line);

        memcpy(line + used, text, part);
        ring_put(line, used + part);
        hostcon_write(line, used + part);
        line_open = text[part - 1] != '\n';
        text += part;
        length -= part;
    }
}

void log_printf(const char *format, ...)
{
    char text[LOG_LINE_MAX];
    va_list args;

    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length >= LOG_LINE_MAX) {
        length = LOG_LINE_MAX - 1;
        text[length - 1] = '\n';
    }
    if (length > 0)
        log_text(text, (size_t)length);
}

void log_text(const char *text, size_t length)
{
    if (log_panicking) { /* the others stand still, and one of them may hold the lock */
        log_lines(text, length);
        return;
    }
    lock_acquire(&log_lock);
    log_lines(text, length);
    lock_release(&log_lock);
}

static size_t ring_read(uint64_t *pos, char *buffer, size_t size)
{
    uint64_t end = written;
    uint64_t oldest = end > ring->size ? end - ring->size : 0;
    size_t length;

    if (*pos < oldest)
        *pos = oldest;
    for (length = 0; length < size && *pos < end; length++, ++*pos)
        buffer[length] = ring->bytes[*pos % ring->size];
    return length;
}

size_t log_read(uint64_t *pos, char *buffer, size_t size)
{
    if (log_panicking)
        return ring_read(pos, buffer, size);
    lock_acquire(&log_lock);
    size_t length = ring_read(pos, buffer, size);
    lock_release(&log_lock);
    return length;
}
