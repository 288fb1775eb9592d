/* SPDX-License-Identifier: MIT */
/* The local APIC's timer in its three modes: never early, and what HLT does with it. */
#include "guests/lib/guest.h"

#define VECTOR 0x51
#define PERIODS 8

static volatile unsigned fired;
static volatile uint64_t when;

static void on_timer(struct guest_frame *frame)
{
    (void)frame;
    when = rdtsc();
    fired++;
    wrmsr(X2APIC_EOI, 0);
}

static void wait_for(unsigned n)
{
    while (fired < n)
        sti_hlt();
}

/* Deadlines from the past to 5 ms ahead, while asleep and while working. */
static void check_deadline(uint64_t hz)
{
    static const uint64_t microseconds[] = { 0, 1, 10, 100, 1000, 5000 };
    uint64_t worst = 0;

    wrmsr(X2APIC_LVT_TIMER, APIC_LVT_TSC_DEADLINE | VECTOR);
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(microseconds); i++) {
        uint64_t deadline = rdtsc() + hz / 1000000 * microseconds[i / 2];
        fired = 0;
        wrmsr(MSR_TSC_DEADLINE, deadline);
        if (i % 2) {
            wait_for(1);
        } else {
            sti();
            while (!fired)
                cpu_pause();
            cli();
        }
        guest_check(when >= deadline);
        guest_check_equal(rdmsr(MSR_TSC_DEADLINE), 0);
        worst = when - deadline > worst ? when - deadline : worst;
    }
    guest_printf("deadline: at most %lu ticks late\n", worst);
}

/* Arms the timer and disarms it before it is due; the deadline. An emulator whose host has others
 * to run may be late for 1 ms: then again with more. */
static uint64_t disarm_in_time(uint64_t distance)
{
    uint64_t end = rdtsc() + distance, seen;

    wrmsr(MSR_TSC_DEADLINE, end);
    seen = rdmsr(MSR_TSC_DEADLINE);
    wrmsr(MSR_TSC_DEADLINE, 0);
    if (rdtsc() >= end) {
        sti_nop_cli();
        return disarm_in_time(2 * distance);
    }
    guest_check_equal(seen, end);
    return end;
}

static void check_disarm(uint64_t hz)
{
    uint64_t end = disarm_in_time(hz / 1000);

    fired = 0;
    sti();
    while (rdtsc() < end + hz / 1000)
        cpu_pause();
    cli();
    guest_check_equal(fired, 0);
    /* another mode disarms too */
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + hz / 1000);
    wrmsr(X2APIC_LVT_TIMER, VECTOR);
    guest_check_equal(rdmsr(MSR_TSC_DEADLINE), 0);
    /* without that mode the deadline is ignored */
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + 10);
    guest_check_equal(rdmsr(MSR_TSC_DEADLINE), 0);
}

/* Counts down from `count`, or, where the host is late for it, from more. */
static void count_down(uint32_t count)
{
    uint64_t start, first, second;

    sti_nop_cli(); /* a deadline that the host was too late to disarm */
    fired = 0;
    start = rdtsc();
    wrmsr(X2APIC_TIMER_INIT, count);
    first = rdmsr(X2APIC_TIMER_COUNT);
    second = rdmsr(X2APIC_TIMER_COUNT);
    if (rdtsc() - start < count)
        guest_check(first && first <= count && second < first);
    else
        guest_check(first <= count && second <= first);
    wait_for(1);
    guest_check(when - start >= count);
    guest_check_equal(rdmsr(X2APIC_TIMER_COUNT), 0);
    if (!second)
        count_down(2 * count);
}

static void check_one_shot(uint64_t hz)
{
    uint32_t count = (uint32_t)(hz / 1000);
    uint64_t start, crystal = cpuid(0x15, 0).ecx;

    guest_check(crystal <= hz); /* the clock of this timer */
    wrmsr(X2APIC_LVT_TIMER, VECTOR);
    wrmsr(X2APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
    count_down(count);
    /* divided by 4; masked it only counts */
    wrmsr(X2APIC_TIMER_DIVIDE, 1);
    fired = 0;
    start = rdtsc();
    wrmsr(X2APIC_TIMER_INIT, count / 4);
    wait_for(1);
    guest_check(when - start >= count / 4 * 4);
    wrmsr(X2APIC_LVT_TIMER, APIC_LVT_MASKED | VECTOR);
    wrmsr(X2APIC_TIMER_INIT, 100);
    while (rdmsr(X2APIC_TIMER_COUNT))
        cpu_pause();
    sti_nop_cli();
    guest_check_equal(fired, 1);
}

static void check_periodic(uint64_t hz)
{
    uint64_t start, period = hz / 1000;

    wrmsr(X2APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
    wrmsr(X2APIC_LVT_TIMER, APIC_LVT_PERIODIC | VECTOR);
    fired = 0;
    start = rdtsc();
    wrmsr(X2APIC_TIMER_INIT, (uint32_t)period);
    wait_for(PERIODS);
    guest_check(when - start >= PERIODS * period);
    guest_printf("periodic: %u after %lu ticks of %lu\n", fired, when - start, PERIODS * period);
    wrmsr(X2APIC_TIMER_INIT, 0);
    sti_nop_cli();
    fired = 0;
    start = rdtsc();
    sti();
    while (rdtsc() - start < 3 * period)
        cpu_pause();
    cli();
    guest_check_equal(fired, 0);
}

int guest_main(const struct mullion_flat_info *info)
{
    guest_x2apic_on();
    guest_on_vector(VECTOR, on_timer);
    check_deadline(info->tsc_hz);
    check_disarm(info->tsc_hz);
    check_one_shot(info->tsc_hz);
    check_periodic(info->tsc_hz);
    return 0;
}
