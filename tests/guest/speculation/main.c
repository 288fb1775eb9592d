/* SPDX-License-Identifier: MIT */
/*
 * Speculation controls: each register is there exactly where CPUID says so, takes the bits that it
 * offers and no other, and keeps its value while another VM has the CPU and another value.
 */
#include "guests/lib/guest.h"

#define MSR_SPEC_CTRL 0x48u
#define MSR_PRED_CMD 0x49u
#define MSR_ARCH_CAPABILITIES 0x10au
#define MSR_FLUSH_CMD 0x10bu
#define ARCH_CAP_IBRS_ALL 2u
#define IBRS 1u
#define STIBP 2u
#define SSBD 4u
#define ROUNDS 40u
#define SHORT_SLEEP 100000u

static uint32_t edx7, ebx8;

static int vector(bool there)
{
    return there ? GUEST_NO_FAULT : VECTOR_GP;
}

static void check_command(uint32_t msr, bool there)
{
    uint64_t value;

    guest_check_equal(guest_rdmsr(msr, &value), VECTOR_GP); /* write-only */
    guest_check_equal(guest_wrmsr(msr, 1), vector(there));
    guest_check_equal(guest_wrmsr(msr, 1ull << 40), VECTOR_GP);
}

static void check_capabilities(bool there)
{
    uint64_t value = 0;

    guest_check_equal(guest_rdmsr(MSR_ARCH_CAPABILITIES, &value), vector(there));
    guest_check_equal(guest_wrmsr(MSR_ARCH_CAPABILITIES, value), VECTOR_GP);
    guest_printf("ARCH_CAPABILITIES 0x%lx\n", value);
}

/* Bits that it has; 0: it is not there. */
static uint64_t offered(void)
{
    return (edx7 >> 26 & 1 || ebx8 >> 14 & 1 ? IBRS : 0) |
           (edx7 >> 27 & 1 || ebx8 >> 15 & 1 ? STIBP : 0) |
           (edx7 >> 31 & 1 || ebx8 >> 24 & 1 ? SSBD : 0);
}

static void check_control(uint64_t bits, uint64_t own)
{
    uint64_t value = 0;

    guest_check_equal(guest_rdmsr(MSR_SPEC_CTRL, &value), vector(bits));
    guest_check_equal(value, 0);
    guest_check_equal(guest_wrmsr(MSR_SPEC_CTRL, 1ull << 63), VECTOR_GP);
    for (unsigned i = 0; bits && i < ROUNDS; i++) {
        uint64_t mine = (own + i) & bits;

        wrmsr(MSR_SPEC_CTRL, mine);
        guest_check_equal(rdmsr(MSR_SPEC_CTRL), mine);
        guest_sleep(SHORT_SLEEP);
        guest_check_equal(rdmsr(MSR_SPEC_CTRL), mine);
    }
}

int guest_main(const struct mullion_flat_info *info)
{
    edx7 = cpuid(7, 0).edx;
    ebx8 = cpuid(0x80000008, 0).ebx;
    guest_x2apic_on();
    check_command(MSR_PRED_CMD, edx7 >> 26 & 1 || ebx8 >> 12 & 1);
    check_command(MSR_FLUSH_CMD, edx7 >> 28 & 1);
    check_capabilities(edx7 >> 29 & 1);
    check_control(offered(), guest_option(info, "own", 0));
    guest_printf("SPEC_CTRL bits 0x%lx\n", offered());
    return 0;
}
