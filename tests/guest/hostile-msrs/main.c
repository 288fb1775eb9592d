/* SPDX-License-Identifier: MIT */
/* Attack: every MSR of the architectural and the hypervisors' ranges read, and written with 0,
 * with all ones and with what it read as. Each either works or raises #GP. */
#include "guests/lib/guest.h"

#define SAMPLES 2000u
#define MSR_PAT 0x277u

static uint64_t reads, writes, refused;

static void count_refused(int vector)
{
    guest_check(vector == GUEST_NO_FAULT || vector == VECTOR_GP);
    refused += vector == VECTOR_GP;
}

static void try_write(uint32_t msr, uint64_t value)
{
    writes++;
    count_refused(guest_wrmsr(msr, value));
}

static void attack(uint32_t msr)
{
    uint64_t value = 0;
    int vector = guest_rdmsr(msr, &value);

    reads++;
    count_refused(vector);
    /* value 0 is a legal way to switch the local APIC off for good */
    if (msr != MSR_APIC_BASE)
        try_write(msr, 0);
    try_write(msr, ~0ull);
    try_write(msr, 1ull << 63 | 0x5a5a5a5a);
    if (vector == GUEST_NO_FAULT)
        try_write(msr, value);
}

static void attack_range(uint32_t first, uint32_t last)
{
    for (uint32_t msr = first; msr <= last; msr++)
        attack(msr);
}

int guest_main(const struct mullion_flat_info *info)
{
    uint64_t pat = rdmsr(MSR_PAT), efer = rdmsr(MSR_EFER), base, start;

    for (unsigned x2apic = 0; x2apic < 2; x2apic++) {
        if (x2apic)
            guest_x2apic_on();
        base = rdmsr(MSR_APIC_BASE);
        attack_range(0x800, 0x8ff);
        guest_check_equal(rdmsr(MSR_APIC_BASE), base);
    }
    attack_range(0, 0x1fff);
    attack_range(0xc0000000, 0xc0001fff);
    attack_range(0x4b564d00, 0x4b564dff);
    attack_range(0x40000000, 0x400000ff);
    for (unsigned i = 0; i < SAMPLES; i++)
        attack((uint32_t)guest_random() | 0x2000);
    guest_printf("%lu MSRs read, %lu writes, %lu refused\n", reads, writes, refused);
    guest_check(reads > 18000 && writes > 3 * reads - 10 && refused > reads);
    guest_check_equal(rdmsr(MSR_PAT), pat);
    guest_check_equal(rdmsr(MSR_EFER), efer);
    guest_check_equal(rdmsr(MSR_APIC_BASE), base);
    guest_check_equal(cpuid(MULLION_CPUID_FEATURES, 0).eax, MULLION_ABI_VERSION);
    guest_x2apic_on();
    wrmsr(X2APIC_TPR, 0);
    start = rdtsc();
    guest_sleep(info->tsc_hz / 1000);
    guest_check(rdtsc() - start >= info->tsc_hz / 1000);
    return 0;
}
