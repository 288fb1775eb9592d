/* SPDX-License-Identifier: MIT */
/* Local APIC, secondary CPUs and sleeping of flat guests: see guest.h (guest). */
#include "guests/lib/guest.h"

#define APIC_BASE_X2APIC_ENABLED 0xc00u
#define SVR_ENABLED 0x100u
#define SPURIOUS_VECTOR 0xffu
#define SIPI_PAGE 0x8u
extern const char guest_ap_begin[], guest_ap_end[];
extern uint64_t guest_ap_stack;
static void (*volatile ap_main)(void);

static volatile bool ap_runs; /* with its stack, so that the next one may be started */

void guest_ap_start(void);

void guest_x2apic_on(void)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC_ENABLED);
    wrmsr(X2APIC_SVR, SVR_ENABLED | SPURIOUS_VECTOR);
}

void guest_ap_start(void)
{
    void (*fn)(void) = ap_main;

    ap_runs = true;
    guest_load_idt();
    guest_x2apic_on();
    fn();
    for (;;)
        __asm__ volatile("cli; hlt");
}

void guest_start_cpu(uint32_t apic_id, void (*fn)(void), void *stack_top)
{
    uint64_t to = (uint64_t)apic_id << 32;

    memcpy((void *)(uintptr_t)(SIPI_PAGE << 12), guest_ap_begin,
           (size_t)(guest_ap_end - guest_ap_begin));
    ap_main = fn;
    guest_ap_stack = (uint64_t)(uintptr_t)stack_top;
    ap_runs = false;
    wrmsr(X2APIC_ICR, to | ICR_INIT | ICR_ASSERT);
    wrmsr(X2APIC_ICR, to | ICR_SIPI | ICR_ASSERT | SIPI_PAGE);
    while (!ap_runs)
        cpu_pause();
}

static void woken(struct guest_frame *frame)
{
    (void)frame;
    wrmsr(X2APIC_EOI, 0);
}

void guest_sleep(uint64_t ticks)
{
    uint64_t end = rdtsc() + ticks;

    guest_on_vector(GUEST_WAKE, woken);
    wrmsr(X2APIC_LVT_TIMER, APIC_LVT_TSC_DEADLINE | GUEST_WAKE);
    wrmsr(MSR_TSC_DEADLINE, end);
    while (rdtsc() < end)
        sti_hlt();
}
