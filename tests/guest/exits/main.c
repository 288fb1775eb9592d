/* SPDX-License-Identifier: MIT */
/*
 * One exit of each kind that a well-behaved guest can cause, several times over: what
 * `make explain` looks at. As a test it says that all of them return.
 */
#include "guests/lib/guest.h"

#define ROUNDS 4u
#define SLEEPS_PER_SECOND 50u /* gdb's stops take QEMU's guest milliseconds: shorter, none halts */
#define IOAPIC 0xfec00000ull
#define UART_SCRATCH 0x3ff

static void undefined(void *arg)
{
    (void)arg;
    __asm__ volatile("vmxoff");
}

static void forbidden(void *arg)
{
    (void)arg;
    __asm__ volatile("rdpmc" : : "c"(0) : "rax", "rdx");
}

/* A deadline that passes while the guest is awake. */
static void deadline(uint64_t ticks)
{
    uint64_t now = rdtsc();

    wrmsr(MSR_TSC_DEADLINE, now + ticks);
    while (rdtsc() < now + 2 * ticks)
        ;
    sti_nop_cli();
}

static void one_of_each(bool has_xsave, uint64_t ticks)
{
    cpuid(MULLION_CPUID_BASE, 0);
    outb(UART_SCRATCH, 1);
    guest_check_equal(inb(UART_SCRATCH), 1);
    wrmsr(X2APIC_TPR, rdmsr(X2APIC_TPR));
    write_cr4(read_cr4() ^ CR4_DE);
    write_cr0((read_cr0() | CR0_AM) & ~CR0_TS);
    write_cr8(read_cr8());
    *(volatile uint32_t *)IOAPIC = 0;
    if (has_xsave)
        xsetbv(0, xgetbv(0));
    __asm__ volatile("wbinvd" : : : "memory");
    guest_check(guest_hypercall(MULLION_HC_NOP, 0, 0) == 0);
    guest_check_equal(guest_catch(undefined, NULL, NULL), VECTOR_UD);
    guest_check_equal(guest_catch(forbidden, NULL, NULL), VECTOR_GP);
    guest_sleep(ticks);
    deadline(ticks);
}

int guest_main(const struct mullion_flat_info *info)
{
    bool has_xsave = cpuid(1, 0).ecx >> 26 & 1;

    guest_x2apic_on();
    if (has_xsave)
        write_cr4(read_cr4() | CR4_OSXSAVE);
    for (unsigned i = 0; i < ROUNDS; i++)
        one_of_each(has_xsave, info->tsc_hz / SLEEPS_PER_SECOND);
    guest_printf("%u rounds\n", ROUNDS);
    return 0;
}
