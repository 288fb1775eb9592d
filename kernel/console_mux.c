/* SPDX-License-Identifier: MIT */
/* The debug port as one stream for several channels (root mode). */
#include "kernel/console_mux.h"

#include "kernel/cpu.h"
#include "kernel/lock.h"
#include "kernel/log_ring.h"
#include "kernel/x86.h"

#define MUX_PORT 0xe9 /* reads as its own number where an emulator listens */

static bool present;
static uint8_t current = MUX_LOG;
static struct cpu *volatile screen_writer;
static struct lock mux_lock = LOCK_INIT(LOCK_RANK_DEVICE, "mux");

bool mux_probe(void)
{
    present = x86_in8(MUX_PORT) == MUX_PORT;
    return present;
}

static void put(uint8_t byte)
{
    x86_out8(MUX_PORT, byte);
}

static void put_all(uint8_t channel, const char *text, size_t length)
{
    if (channel != current) {
        put(MUX_ESCAPE);
        put(channel);
        current = channel;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] == MUX_ESCAPE)
            put(MUX_ESCAPE);
        put((uint8_t)text[i]);
    }
}

void mux_write(uint8_t channel, const char *text, size_t length)
{
    if (!present)
        return;
    if (log_panicking) {
        put_all(channel, text, length);
        return;
    }
    lock_acquire(&mux_lock);
    put_all(channel, text, length);
    lock_release(&mux_lock);
}

void mux_write_log(const char *text, size_t length)
{
    if (screen_writer != this_cpu() || log_panicking)
        mux_write(MUX_LOG, text, length);
}

void mux_screen_begin(void)
{
    screen_writer = this_cpu();
}

void mux_screen_end(void)
{
    screen_writer = NULL;
}
