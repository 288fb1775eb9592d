/* SPDX-License-Identifier: MIT */
/*
 * What an exit costs, seen by the guest (flat guest): RDTSC before and after each operation,
 * 1,000 times, nothing subtracted. Which instructions are timed is told in docs/bench.md.
 * One line for each: "op NAME MIN MEDIAN" and "cost NAME CONTROL_ACCESSES HOST_MSRS".
 */
#include "guests/lib/guest.h"

#define REPETITIONS 1000u
#define SCRATCH_PORT 0xe0u /* drivers/vnull.c */
#define IOAPIC ((volatile uint32_t *)0xfec00000u)
#define MSR_MISC_ENABLE 0x1a0u
#define MISC_ENABLE_FAST_STRINGS 1u
#define VECTOR 0x50u
#define TIMER_VECTOR 0x51u
#define LARGE_REPETITIONS 800u /* the emulator has at most 2 GiB of memory */
#define DEADLINES_PER_SECOND 5000u /* of 200 us: 20,000 instructions and more in an emulator */
#define SETTLE_SECONDS 6u
#define DIRTY_TICKS 1000000 /* a creation that took longer had to zero memory */

static uint64_t samples[REPETITIONS], handled[REPETITIONS];
static volatile uint64_t interrupts, interrupted_at;

static void sort(uint64_t *values, unsigned count)
{
    for (unsigned gap = count / 2; gap; gap /= 2) {
        for (unsigned i = gap; i < count; i++) {
            uint64_t value = values[i];
            unsigned j = i;
            for (; j >= gap && values[j - gap] > value; j -= gap)
                values[j] = values[j - gap];
            values[j] = value;
        }
    }
}

static void report(const char *name, uint64_t *values, unsigned count)
{
    sort(values, count);
    guest_printf("op %s %lu %lu\n", name, values[0], values[count / 2]);
}

#define MEASURE(name, operation)                                                                   \
    do {                                                                                           \
        for (unsigned i = 0; i < REPETITIONS; i++) {                                               \
            uint64_t start = rdtsc();                                                              \
            operation;                                                                             \
            samples[i] = rdtsc() - start;                                                          \
        }                                                                                          \
        report(name, samples, REPETITIONS);                                                        \
    } while (0)

static void on_interrupt(struct guest_frame *frame)
{
    (void)frame;
    interrupts++;
    wrmsr(X2APIC_EOI, 0);
}

static void on_timer(struct guest_frame *frame)
{
    interrupted_at = rdtsc();
    on_interrupt(frame);
}

/* From the deadline, not from the WRMSR that sets it: how late the handler runs, and how late what
 * was interrupted goes on. */
static void measure_deadline(const char *name, const char *all, uint64_t ticks, bool halt)
{
    for (unsigned i = 0; i < REPETITIONS; i++) {
        uint64_t deadline = rdtsc() + ticks, before = interrupts;

        cli();
        wrmsr(MSR_TSC_DEADLINE, deadline);
        if (halt) {
            sti_hlt();
        } else {
            sti();
            while (interrupts == before)
                ;
        }
        samples[i] = rdtsc() - deadline;
        handled[i] = interrupted_at - deadline;
        guest_check((int64_t)handled[i] >= 0); /* never early */
    }
    report(name, handled, REPETITIONS);
    report(all, samples, REPETITIONS);
}

/* Asleep, so that the hypervisor can scrub free memory and has nothing else to do then. */
static void settle(uint64_t ticks)
{
    uint64_t end = rdtsc() + ticks;

    guest_x2apic_on();
    guest_on_vector(VECTOR, on_interrupt);
    guest_on_vector(TIMER_VECTOR, on_timer);
    wrmsr(X2APIC_LVT_TIMER, APIC_LVT_TSC_DEADLINE | TIMER_VECTOR);
    while (rdtsc() < end) {
        cli();
        wrmsr(MSR_TSC_DEADLINE, end);
        sti_hlt();
    }
    interrupts = 0;
}

static void touch_pages(const char *name, uint64_t step, unsigned count)
{
    uint64_t address = 0x800000;

    for (unsigned i = 0; i < count; i++, address += step) {
        uint64_t start = rdtsc();
        *(volatile uint8_t *)(uintptr_t)address = 1;
        samples[i] = rdtsc() - start;
    }
    report(name, samples, count);
}

static uint64_t cost(uint64_t which)
{
    return (uint64_t)guest_hypercall(MULLION_HC_COST, which, 0);
}

/* A hypercall reads the counter, so its own cost is taken off. */
#define COST(name, operation)                                                                      \
    do {                                                                                           \
        uint64_t result[2];                                                                        \
        for (unsigned which = 0; which < 2; which++) {                                             \
            uint64_t first = cost(which), second = cost(which);                                    \
            operation;                                                                             \
            result[which] = cost(which) - second - (second - first);                               \
        }                                                                                          \
        guest_printf("cost %s %lu %lu\n", name, result[0], result[1]);                             \
    } while (0)

#define HYPERCALL_NOP(instruction)                                                                 \
    do {                                                                                           \
        uint64_t rax = MULLION_HC_NOP;                                                             \
        __asm__ volatile(instruction : "+a"(rax) : : "memory");                                    \
    } while (0)

static void measure_exits(void)
{
    MEASURE("cpuid", cpuid(0, 0));
    if (guest_is_amd())
        MEASURE("vmcall", HYPERCALL_NOP("vmmcall"));
    else
        MEASURE("vmcall", HYPERCALL_NOP("vmcall"));
    MEASURE("rdmsr", rdmsr(MSR_MISC_ENABLE));
    MEASURE("wrmsr", wrmsr(MSR_MISC_ENABLE, MISC_ENABLE_FAST_STRINGS));
    MEASURE("out", outb(SCRATCH_PORT, 1));
    MEASURE("in", inb(SCRATCH_PORT));
    MEASURE("mmio_read", (void)*IOAPIC);
    MEASURE("mmio_write", *IOAPIC = 0);
    COST("cpuid", cpuid(0, 0));
    COST("out", outb(SCRATCH_PORT, 1));
    COST("mmio_read", (void)*IOAPIC);
}

static void measure_interrupts(uint64_t tsc_hz)
{
    sti();
    MEASURE("self_ipi", wrmsr(X2APIC_SELF_IPI, VECTOR));
    guest_check(interrupts == REPETITIONS);
    measure_deadline("hlt_timer", "hlt_timer_all", tsc_hz / DEADLINES_PER_SECOND, true);
    measure_deadline("tsc_deadline", "tsc_deadline_all", tsc_hz / DEADLINES_PER_SECOND, false);
}

int guest_main(const struct mullion_flat_info *info)
{
    const char *mode = (const char *)(uintptr_t)info->cmdline;
    int64_t created = guest_hypercall(MULLION_HC_FIGURE, MULLION_FIGURE_START_TICKS, 0);

    guest_printf("figure create_to_first_instruction %ld\n", created);
    guest_printf("figure tsc_hz %llu\n", info->tsc_hz);
    guest_printf("figure free_pages %ld\n",
                 guest_hypercall(MULLION_HC_FIGURE, MULLION_FIGURE_FREE_PAGES, 0));
    if (mode[0] == 'f' || (mode[0] == 'r' && created < DIRTY_TICKS))
        return 0; /* figures only */
    settle(info->tsc_hz * SETTLE_SECONDS);
    if (mode[0] == 'r')
        return 0; /* the restart finds clean memory */
    if (mode[0] == '4') {
        touch_pages("ept_4k", 0x1000, REPETITIONS);
    } else if (mode[0] == '2') {
        touch_pages("ept_2m", 0x200000, LARGE_REPETITIONS);
    } else {
        measure_exits();
        measure_interrupts(info->tsc_hz);
    }
    return 0;
}
