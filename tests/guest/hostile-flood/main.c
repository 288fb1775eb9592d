/* SPDX-License-Identifier: MIT */
/* Attack: floods of interrupts: IPIs to itself, and timer deadlines that have passed already. */
#include "guests/lib/guest.h"

#define VECTOR 0x61u
#define TIMER 0x62u
#define IPIS 100000u
#define DEADLINES 20000u

static volatile unsigned ipis, deadlines;

static void on_ipi(struct guest_frame *frame)
{
    (void)frame;
    ipis++;
    wrmsr(X2APIC_EOI, 0);
}

/* The next comes at once: there is never a time without one that waits. */
static void on_timer(struct guest_frame *frame)
{
    (void)frame;
    if (++deadlines < DEADLINES)
        wrmsr(MSR_TSC_DEADLINE, deadlines % 2 ? 1 : rdtsc());
    wrmsr(X2APIC_EOI, 0);
}

int guest_main(const struct mullion_flat_info *info)
{
    uint64_t end;

    guest_on_vector(VECTOR, on_ipi);
    guest_on_vector(TIMER, on_timer);
    guest_x2apic_on();
    sti();
    for (unsigned i = 0; i < IPIS; i++)
        wrmsr(X2APIC_SELF_IPI, VECTOR);
    wrmsr(X2APIC_LVT_TIMER, APIC_LVT_TSC_DEADLINE | TIMER);
    end = rdtsc() + 60 * info->tsc_hz;
    wrmsr(MSR_TSC_DEADLINE, 1);
    while (deadlines < DEADLINES && rdtsc() < end)
        cpu_pause();
    cli();
    guest_printf("%u IPIs, %u deadlines\n", ipis, deadlines);
    guest_check_equal(ipis, IPIS);
    guest_check_equal(deadlines, DEADLINES);
    return 0;
}
