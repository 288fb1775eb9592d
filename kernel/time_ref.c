/* SPDX-License-Identifier: MIT */
/*
 * Clocks of known rate (root mode, at start-up): ACPI PM timer (ACPI 6.5, 4.8.3.3), HPET (IA-PC
 * HPET specification, 2.3), channel 2 of the PIT (Intel 8254 data sheet).
 */
#include "kernel/time_ref.h"

#include "kernel/page.h"
#include "kernel/time.h"
#include "kernel/x86.h"

#define PM_TIMER_HZ        3579545u
#define PM_TIMER_MASK      0xffffffu
#define PIT_HZ             1193182u
#define PIT_CHANNEL2       0x42
#define PIT_COMMAND        0x43
#define PIT_LATCH_CHANNEL2 0x80
#define PIT_CHANNEL2_MODE2 0xb4 /* low byte, then high byte */
#define PIT_CONTROL_PORT   0x61
#define PIT_GATE2          0x01
#define PIT_SPEAKER        0x02
#define HPET_PERIOD        0x04
#define HPET_CONFIGURATION 0x10
#define HPET_COUNTER       0xf0
#define HPET_ENABLE        1u
#define FEMTOSECONDS       1000000000000000ull

#define MEASURE_PER_SECOND  100u /* 10 ms */
#define MEASURE_STUCK_TICKS (1u << 30)
#define MEASURE_TRIES       5
#define MEASURE_READS       1000

static const struct boot_board *board;

static uint32_t pm_timer_read(void)
{
    return x86_in32((uint16_t)board->pm_timer);
}

static uint32_t hpet_read(void)
{
    return x86_mmio_read32((char *)page_ptr(board->hpet) + HPET_COUNTER);
}

/* It counts down. */
static uint32_t pit_read(void)
{
    x86_out8(PIT_COMMAND, PIT_LATCH_CHANNEL2);
    uint32_t low = x86_in8(PIT_CHANNEL2);
    uint32_t high = x86_in8(PIT_CHANNEL2);
    return ~(high << 8 | low);
}

static bool pm_timer_start(struct time_ref *ref)
{
    *ref = (struct time_ref){"ACPI PM timer", PM_TIMER_HZ, PM_TIMER_MASK, pm_timer_read};
    return board->pm_timer != 0;
}

static bool hpet_start(struct time_ref *ref)
{
    if (!board->hpet)
        return false;
    char *base = page_ptr(board->hpet);
    uint32_t period = x86_mmio_read32(base + HPET_PERIOD);
    if (period == 0 || period == UINT32_MAX)
        return false;
    x86_mmio_write32(base + HPET_CONFIGURATION,
                     x86_mmio_read32(base + HPET_CONFIGURATION) | HPET_ENABLE);
    *ref = (struct time_ref){"HPET", FEMTOSECONDS / period, UINT32_MAX, hpet_read};
    return true;
}

static bool pit_start(struct time_ref *ref)
{
    uint8_t control = (uint8_t)(x86_in8(PIT_CONTROL_PORT) & ~PIT_SPEAKER);

    x86_out8(PIT_CONTROL_PORT, control | PIT_GATE2);
    x86_out8(PIT_COMMAND, PIT_CHANNEL2_MODE2);
    x86_out8(PIT_CHANNEL2, 0);
    x86_out8(PIT_CHANNEL2, 0);
    *ref = (struct time_ref){"PIT", PIT_HZ, UINT16_MAX, pit_read};
    return true;
}

const struct time_ref *time_ref_get(const struct boot_board *found, unsigned n)
{
    static bool (*const starts[])(struct time_ref * ref) = {pm_timer_start, hpet_start, pit_start};
    static struct time_ref ref;

    board = found;
    for (unsigned i = 0; i < ARRAY_SIZE(starts); i++)
        if (starts[i](&ref) && n-- == 0)
            return &ref;
    return NULL;
}

struct sample {
    uint32_t count;
    uint64_t tsc;
};

/* Reads until the count changes, so that it is known when within its period it was read. Of some
 * tries the read that took the least time places the count best on the TSC. */
static struct sample take_sample(const struct time_ref *ref)
{
    struct sample best = {0, 0};
    uint64_t best_width = ~0ull;

    for (int i = 0; i < MEASURE_TRIES; i++) {
        uint32_t count, previous = ref->read();
        uint64_t before, width;
        int reads = 0;
        do {
            before = time_tsc();
            count = ref->read();
            width = time_tsc() - before;
        } while (count == previous && ++reads < MEASURE_READS);
        if (width < best_width) {
            best_width = width;
            best = (struct sample){count, before + width / 2};
        }
    }
    return best;
}

uint64_t time_ref_measure(const struct time_ref *ref)
{
    uint32_t wanted = (uint32_t)(ref->hz / MEASURE_PER_SECOND);
    struct sample first = take_sample(ref);

    while (((ref->read() - first.count) & ref->mask) < wanted)
        if (time_tsc() - first.tsc > MEASURE_STUCK_TICKS)
            return 0;
    struct sample last = take_sample(ref);
    return (last.tsc - first.tsc) * ref->hz / ((last.count - first.count) & ref->mask);
}

uint64_t time_choose_hz(uint64_t measured, uint64_t claimed)
{
    uint64_t difference = measured > claimed ? measured - claimed : claimed - measured;

    if (measured == 0 || (claimed != 0 && difference <= measured / 50))
        return claimed;
    return measured;
}
