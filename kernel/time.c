/* SPDX-License-Identifier: MIT */
/*
 * Time of the host (root mode). Conversions divide instead of multiplying and shifting: they are
 * exact, and no exit path that counts uses them more than once.
 */
#include "kernel/time.h"

#include "kernel/cpu.h"
#include "kernel/lapic.h"
#include "kernel/log.h"
#include "kernel/time_ref.h"
#include "kernel/x86.h"

#define NEVER                     (~0ull)
#define TIMER_MEASURES_PER_SECOND 200u /* 5 ms */

static uint64_t tsc_hz;
static uint64_t timer_hz;           /* of the local APIC's timer; 0: TSC deadline */
static uint64_t deadlines[CPU_MAX]; /* each written by its CPU only */

/* SDM 2A, CPUID, leaf 15H: EBX / EAX is the ratio to a crystal of ECX Hz. */
static uint64_t time_claimed_hz(void)
{
    if (x86_cpuid(CPUID_VENDOR, 0).eax < CPUID_TSC)
        return 0;
    struct cpuid_regs r = x86_cpuid(CPUID_TSC, 0);
    return r.eax ? (uint64_t)r.ecx * r.ebx / r.eax : 0;
}

void time_init(const struct boot_board *board)
{
    const struct time_ref *ref;
    uint64_t measured = 0;
    uint64_t claimed = time_claimed_hz();

    for (unsigned n = 0; !measured && (ref = time_ref_get(board, n)); n++)
        measured = time_ref_measure(ref);
    tsc_hz = time_choose_hz(measured, claimed);
    if (!tsc_hz)
        panic("no clock to measure the TSC with");
    for (unsigned i = 0; i < CPU_MAX; i++)
        deadlines[i] = NEVER;
}

void time_init_timer(void)
{
    if (lapic_has_deadline())
        return;
    uint64_t start = time_tsc();
    lapic_timer_count(UINT32_MAX);
    while (time_tsc() - start < tsc_hz / TIMER_MEASURES_PER_SECOND)
        x86_pause();
    uint64_t counted = UINT32_MAX - lapic_timer_left();
    uint64_t elapsed = time_tsc() - start;
    lapic_timer_count(0);
    timer_hz = counted * tsc_hz / elapsed;
    if (!timer_hz)
        panic("the local APIC's timer does not count");
}

uint64_t time_tsc_hz(void)
{
    return tsc_hz;
}

/* The remainder is below tsc_hz, so the product fits up to 18 GHz. */
uint64_t time_ticks_to_ns(uint64_t ticks)
{
    return ticks / tsc_hz * NS_PER_SECOND + ticks % tsc_hz * NS_PER_SECOND / tsc_hz;
}

uint64_t time_ns_to_ticks(uint64_t ns)
{
    uint64_t seconds = ns / NS_PER_SECOND;
    uint64_t rest = (ns % NS_PER_SECOND * tsc_hz + NS_PER_SECOND - 1) / NS_PER_SECOND;

    if (seconds > (NEVER - rest) / tsc_hz)
        return NEVER;
    return seconds * tsc_hz + rest;
}

/* A count that is too short for a far deadline fires early; time_interrupt() then goes on. */
static void timer_arm_count(uint64_t deadline)
{
    uint64_t now = time_tsc();
    uint64_t left = deadline > now ? MIN(deadline - now, tsc_hz) : 0;
    uint64_t count = (left * timer_hz + tsc_hz - 1) / tsc_hz;

    lapic_timer_count((uint32_t)MIN(MAX(count, 1), (uint64_t)UINT32_MAX));
}

static void timer_arm(uint64_t deadline)
{
    if (lapic_has_deadline())
        lapic_timer_deadline(deadline == NEVER ? 0 : MAX(deadline, 1));
    else if (deadline == NEVER)
        lapic_timer_count(0);
    else
        timer_arm_count(deadline);
}

void time_set_wakeup(uint64_t tsc_deadline)
{
    uint64_t *armed = &deadlines[this_cpu()->index];

    if (*armed == tsc_deadline)
        return;
    *armed = tsc_deadline;
    timer_arm(tsc_deadline);
}

void time_interrupt(void)
{
    uint64_t *armed = &deadlines[this_cpu()->index];

    if (*armed > time_tsc())
        timer_arm(*armed);
    else
        *armed = NEVER;
}
