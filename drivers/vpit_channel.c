/* SPDX-License-Identifier: MIT */
/*
 * A counter of the 8254. Source: Intel 8254 data sheet, "Mode Definitions", "Read Operations". It
 * is computed from the time at which its count began, so nothing drifts. Simpler than the chip: a
 * new count begins at once, also in periodic modes. Runs in root mode.
 */
#include "drivers/vpit_channel.h"

#define CONTROL_BCD 0x01u
#define CONTROL_MODE_SHIFT 1
#define CONTROL_MODE 0x07u
#define CONTROL_ACCESS_SHIFT 4
#define CONTROL_ACCESS 0x03u
#define CONTROL_STATUS 0x3Fu /* what the status byte repeats */
#define STATUS_OUTPUT 0x80u
#define STATUS_NULL_COUNT 0x40u

#define COUNT_MAX 0x10000u
#define BCD_COUNT_MAX 10000u

static bool pit_periodic(const struct pit_channel *channel)
{
    return channel->mode == PIT_RATE || channel->mode == PIT_SQUARE;
}

static bool pit_gate_starts(const struct pit_channel *channel)
{
    return channel->mode == PIT_ONE_SHOT || channel->mode == PIT_GATE_STROBE;
}

static uint64_t pit_elapsed(const struct pit_channel *channel, uint64_t now)
{
    return channel->running && now > channel->start ? now - channel->start : channel->elapsed;
}

static void pit_run(struct pit_channel *channel, uint64_t now, uint64_t elapsed)
{
    channel->running = true;
    channel->elapsed = elapsed;
    channel->start = now - elapsed;
}

static void pit_halt(struct pit_channel *channel, uint64_t elapsed)
{
    channel->running = false;
    channel->elapsed = elapsed;
}

bool pit_output(const struct pit_channel *channel, uint64_t now)
{
    uint64_t elapsed = pit_elapsed(channel, now);

    if (!channel->loaded)
        return channel->mode != PIT_TERMINAL_COUNT;
    switch ((enum pit_mode)channel->mode) {
    case PIT_TERMINAL_COUNT:
        return elapsed >= channel->count;
    case PIT_ONE_SHOT: /* high until it is triggered */
        return !channel->running || elapsed >= channel->count;
    case PIT_RATE:
        return !channel->gate || elapsed % channel->count != channel->count - 1;
    case PIT_SQUARE:
        return !channel->gate || elapsed % channel->count < (channel->count + 1) / 2;
    case PIT_STROBE:
    case PIT_GATE_STROBE:
        return elapsed != channel->count;
    }
    return true;
}

uint64_t pit_next_rise(const struct pit_channel *channel, uint64_t now)
{
    uint64_t elapsed = pit_elapsed(channel, now), end = channel->count;

    if (!channel->loaded || !channel->running)
        return PIT_NEVER;
    if (pit_periodic(channel))
        return channel->start + (elapsed / channel->count + 1) * channel->count;
    if (channel->mode == PIT_STROBE || channel->mode == PIT_GATE_STROBE)
        end++; /* the strobe is low for one tick */
    return elapsed < end ? channel->start + end : PIT_NEVER;
}

static uint16_t pit_to_bcd(uint32_t value)
{
    return (uint16_t)(value / 1000 % 10 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 |
                      value % 10);
}

static uint32_t pit_from_bcd(uint32_t value)
{
    return (value >> 12 & 0xF) * 1000 + (value >> 8 & 0xF) * 100 + (value >> 4 & 0xF) * 10 +
           (value & 0xF);
}

/* What the counting element shows. One-shot modes wrap and go on counting. */
static uint16_t pit_current(const struct pit_channel *channel, uint64_t now)
{
    uint64_t elapsed = pit_elapsed(channel, now);
    uint32_t wrap = channel->bcd ? BCD_COUNT_MAX : COUNT_MAX;
    uint64_t down = elapsed % wrap;
    uint32_t value;

    if (!channel->loaded)
        return 0;
    if (channel->mode == PIT_RATE)
        down = elapsed % channel->count;
    else if (channel->mode == PIT_SQUARE) /* counts twice, in steps of two */
        down = elapsed % channel->count * 2 % channel->count;
    value = (uint32_t)((channel->count + wrap - down) % wrap);
    return channel->bcd ? pit_to_bcd(value) : (uint16_t)value;
}

static void pit_load(struct pit_channel *channel, uint64_t now, uint16_t value)
{
    if (channel->bcd)
        channel->count = value ? pit_from_bcd(value) : BCD_COUNT_MAX;
    else
        channel->count = value ? value : COUNT_MAX;
    channel->loaded = true;
    channel->null_count = false;
    if (pit_gate_starts(channel))
        return; /* the next trigger takes the new count */
    if (channel->gate)
        pit_run(channel, now, 0);
    else
        pit_halt(channel, 0);
}

void pit_control(struct pit_channel *channel, uint64_t now, uint8_t control)
{
    uint8_t access = control >> CONTROL_ACCESS_SHIFT & CONTROL_ACCESS;
    uint8_t mode = control >> CONTROL_MODE_SHIFT & CONTROL_MODE;

    if (access == PIT_LATCH) {
        pit_latch_count(channel, now);
        return;
    }
    *channel = (struct pit_channel){
        .mode = mode > PIT_GATE_STROBE ? mode & 3 : mode, /* the highest bit of 2 and 3 is free */
        .access = access,
        .control = control & CONTROL_STATUS,
        .bcd = control & CONTROL_BCD,
        .gate = channel->gate,
        .null_count = true,
    };
}

void pit_write(struct pit_channel *channel, uint64_t now, uint8_t value)
{
    switch ((enum pit_access)channel->access) {
    case PIT_LATCH: /* no control word yet */
        break;
    case PIT_LOW:
        pit_load(channel, now, value);
        break;
    case PIT_HIGH:
        pit_load(channel, now, (uint16_t)(value << 8));
        break;
    case PIT_BOTH:
        if (channel->write_high) {
            pit_load(channel, now, (uint16_t)(value << 8 | channel->low));
        } else {
            channel->low = value;
            if (channel->mode == PIT_TERMINAL_COUNT) /* the first byte stops the count */
                pit_halt(channel, pit_elapsed(channel, now));
        }
        channel->write_high = !channel->write_high;
        break;
    }
}

uint8_t pit_read(struct pit_channel *channel, uint64_t now)
{
    uint16_t value = channel->count_latched ? channel->latch : pit_current(channel, now);
    bool high = channel->access == PIT_HIGH;

    if (channel->status_latched) {
        channel->status_latched = false;
        return channel->status;
    }
    if (channel->access == PIT_BOTH) {
        high = channel->read_high;
        channel->read_high = !high;
    }
    if (channel->access != PIT_BOTH || high)
        channel->count_latched = false;
    return (uint8_t)(high ? value >> 8 : value);
}

void pit_latch_count(struct pit_channel *channel, uint64_t now)
{
    if (channel->count_latched) /* the first one holds until it is read */
        return;
    channel->latch = pit_current(channel, now);
    channel->count_latched = true;
}

void pit_latch_status(struct pit_channel *channel, uint64_t now)
{
    if (channel->status_latched)
        return;
    channel->status = (uint8_t)((pit_output(channel, now) ? STATUS_OUTPUT : 0) |
                                (channel->null_count ? STATUS_NULL_COUNT : 0) | channel->control);
    channel->status_latched = true;
}

void pit_gate(struct pit_channel *channel, uint64_t now, bool gate)
{
    bool rises = gate && !channel->gate;

    if (gate == channel->gate)
        return;
    channel->gate = gate;
    if (!channel->loaded)
        return;
    if (rises && (pit_periodic(channel) || pit_gate_starts(channel)))
        pit_run(channel, now, 0);
    else if (rises)
        pit_run(channel, now, channel->elapsed);
    else if (!pit_gate_starts(channel))
        pit_halt(channel, pit_elapsed(channel, now));
}
