/* SPDX-License-Identifier: MIT */
/* One counter of the 8254, as a function of time; drivers/vpit.c has three. Runs in root mode. */
#ifndef DRIVERS_VPIT_CHANNEL_H
#define DRIVERS_VPIT_CHANNEL_H

#include "kernel/types.h"

enum pit_mode {
    PIT_TERMINAL_COUNT = 0, /* one interrupt when the count is over */
    PIT_ONE_SHOT = 1,       /* the same, started by the gate */
    PIT_RATE = 2,           /* periodic, low for one tick */
    PIT_SQUARE = 3,         /* periodic, low for half of it */
    PIT_STROBE = 4,         /* low for one tick when the count is over */
    PIT_GATE_STROBE = 5,    /* the same, started by the gate */
};

enum pit_access { PIT_LATCH = 0, PIT_LOW = 1, PIT_HIGH = 2, PIT_BOTH = 3 };

struct pit_channel {
    uint8_t mode;      /* enum pit_mode */
    uint8_t access;    /* enum pit_access */
    uint8_t control;   /* low 6 bits of the control word, for the status byte */
    bool bcd;
    bool gate;
    bool null_count;   /* a count was announced and not yet written */
    bool loaded;       /* there is a count */
    bool running;      /* counts since `start`; else it stands at `elapsed` */
    bool write_high;   /* the next byte written is the high one */
    bool read_high;
    bool count_latched, status_latched;
    uint8_t low;       /* first byte of a count */
    uint8_t status;    /* latched */
    uint16_t latch;    /* latched count */
    uint32_t count;    /* 1 to 65536, or 1 to 16665 in BCD */
    uint64_t start;    /* tick at which this count began */
    uint64_t elapsed;
};

#define PIT_NEVER (~0ull)

/* `now` is in ticks of the input clock. */
void pit_control(struct pit_channel *channel, uint64_t now, uint8_t control);
void pit_write(struct pit_channel *channel, uint64_t now, uint8_t value);
uint8_t pit_read(struct pit_channel *channel, uint64_t now);
void pit_latch_count(struct pit_channel *channel, uint64_t now);
void pit_latch_status(struct pit_channel *channel, uint64_t now);
void pit_gate(struct pit_channel *channel, uint64_t now, bool gate);
bool pit_output(const struct pit_channel *channel, uint64_t now);
/* The first tick after `now` at which the output rises, or PIT_NEVER. */
uint64_t pit_next_rise(const struct pit_channel *channel, uint64_t now);

#endif
