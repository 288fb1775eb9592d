/* SPDX-License-Identifier: MIT */
/* MSR policy: what can be read and written, what raises #GP, what follows the manual's rules. */
#include "guests/lib/guest.h"

#define MSR_MISC_ENABLE 0x1a0u
#define MSR_MTRRCAP 0xfeu
#define MSR_MTRR_DEF_TYPE 0x2ffu
#define MSR_MTRR_PHYSBASE0 0x200u
#define MSR_MTRR_PHYSMASK0 0x201u
#define MSR_MTRR_FIX64K 0x250u
#define MSR_PAT 0x277u
#define MSR_XSS 0xda0u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_FS_BASE 0xc0000100u
#define NON_CANONICAL 0x0000800000000000ull

static void check_write(uint32_t msr, uint64_t value, int vector)
{
    int got = guest_wrmsr(msr, value);

    if (got != vector)
        guest_printf("WRMSR 0x%x of 0x%lx: vector %d\n", msr, value, got);
    guest_check_equal(got, vector);
}

static void check_kept(uint32_t msr, uint64_t value)
{
    uint64_t old = rdmsr(msr);

    check_write(msr, value, GUEST_NO_FAULT);
    guest_check_equal(rdmsr(msr), value);
    wrmsr(msr, old);
}

/* #GP: does not exist here. FEATURE_CONTROL, SMI count, PMU, VMX, PT, LBR, AMD's. */
static void check_unknown(void)
{
    static const uint32_t unknown[] = {
        0x3a, 0x34, 0xc1, 0x186, 0x38d, 0x38f, 0x480, 0x48b, 0x570, 0x1c8, 0x1db, 0x2a, 0x12345,
        0x4b564d07, 0xc0010117, 0xc0010114, 0xdeadbeef, 0xffffffff, 0x40000000,
    };
    uint64_t value;

    for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
        guest_check_equal(guest_rdmsr(unknown[i], &value), VECTOR_GP);
        check_write(unknown[i], 0, VECTOR_GP);
    }
}

static void check_mtrrs(void)
{
    uint64_t address_bits = cpuid(0x80000008, 0).eax & 0xff, def = rdmsr(MSR_MTRR_DEF_TYPE);

    guest_check_equal(rdmsr(MSR_MTRRCAP) & 0xff, 8);
    for (uint64_t type = 0; type < 8; type++) {
        bool valid = type != 2 && type != 3 && type != 7;
        check_write(MSR_MTRR_DEF_TYPE, 0xc00 | type, valid ? GUEST_NO_FAULT : VECTOR_GP);
        check_write(MSR_MTRR_PHYSBASE0, 0x100000 | type, valid ? GUEST_NO_FAULT : VECTOR_GP);
        check_write(MSR_MTRR_FIX64K, type << 56, valid ? GUEST_NO_FAULT : VECTOR_GP);
    }
    check_write(MSR_MTRR_DEF_TYPE, 0x1006, VECTOR_GP);
    check_write(MSR_MTRR_PHYSMASK0, 1ull << address_bits, VECTOR_GP);
    check_write(MSR_MTRR_PHYSMASK0, 1, VECTOR_GP);
    check_kept(MSR_MTRR_PHYSMASK0, ((1ull << address_bits) - 1) & ~0x7ffull);
    check_kept(MSR_MTRR_FIX64K, 0x0606060606060606);
    wrmsr(MSR_MTRR_DEF_TYPE, def);
    wrmsr(MSR_MTRR_PHYSBASE0, 0);
    wrmsr(MSR_MTRR_FIX64K, 0);
}

static void check_pat(void)
{
    check_kept(MSR_PAT, 0x0007040600070401);
    check_write(MSR_PAT, 0x0007040600070402, VECTOR_GP);
    check_write(MSR_PAT, 0x0807040600070406, VECTOR_GP);
}

static void check_efer(void)
{
    uint64_t efer = rdmsr(MSR_EFER);

    guest_check_equal(efer & (EFER_LME | EFER_LMA), EFER_LME | EFER_LMA);
    for (unsigned bit = 0; bit < 64; bit++) {
        bool known = (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE) >> bit & 1;
        if (!known)
            check_write(MSR_EFER, efer | 1ull << bit, VECTOR_GP);
    }
    check_write(MSR_EFER, efer & ~EFER_LME, VECTOR_GP); /* while paging */
    check_write(MSR_EFER, efer & ~EFER_LMA, GUEST_NO_FAULT);
    guest_check_equal(rdmsr(MSR_EFER), efer);
    check_kept(MSR_EFER, efer ^ EFER_SCE);
    check_kept(MSR_EFER, efer ^ EFER_NXE);
}

static void check_syscall_msrs(void)
{
    check_kept(MSR_STAR, 0x0023001000000000);
    check_kept(MSR_LSTAR, 0xffff800012345678);
    check_kept(MSR_KERNEL_GS_BASE, 0x00007fff12345678);
    check_kept(MSR_FS_BASE, 0xffffffff80000000);
    if (guest_in_qemu_tcg()) /* which takes any value */
        return;
    check_write(MSR_LSTAR, NON_CANONICAL, VECTOR_GP);
    check_write(MSR_KERNEL_GS_BASE, NON_CANONICAL, VECTOR_GP);
}

static void check_apic_base(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE), value;

    guest_check_equal(base & 0xfffff900, 0xfee00900);
    guest_check_equal(guest_rdmsr(X2APIC_ID, &value), VECTOR_GP); /* still in xAPIC mode */
    check_write(MSR_APIC_BASE, base | 1, VECTOR_GP);
    check_write(MSR_APIC_BASE, (base & ~0x800ull) | 0x400, VECTOR_GP);
    check_write(MSR_APIC_BASE, base | 1ull << 60, VECTOR_GP);
    guest_x2apic_on();
    guest_check_equal(rdmsr(X2APIC_ID), 0);
    check_write(MSR_APIC_BASE, base, VECTOR_GP); /* not back to xAPIC */
    check_write(X2APIC_EOI, 1, VECTOR_GP);
    check_write(X2APIC_ID, 0, VECTOR_GP);
    check_write(X2APIC_TPR, 0x100, VECTOR_GP);
    guest_check_equal(guest_rdmsr(X2APIC_EOI, &value), VECTOR_GP);
    guest_check_equal(guest_rdmsr(0x80e, &value), VECTOR_GP); /* DFR is not in x2APIC mode */
}

static void read_tsc_as_user(void *arg)
{
    *(uint64_t *)arg = rdmsr(MSR_TSC);
}

static void check_misc(void)
{
    uint64_t tsc = rdtsc(), value;
    struct guest_fault fault;

    guest_check_equal(rdmsr(MSR_MISC_ENABLE) & 1, 1);
    wrmsr(MSR_MISC_ENABLE, 0);
    guest_check_equal(rdmsr(MSR_MISC_ENABLE) & 1, 0);
    wrmsr(MSR_MISC_ENABLE, ~0ull);
    guest_check_equal(rdmsr(MSR_MISC_ENABLE) & ~0x1801ull, 0);
    if (!guest_in_qemu_tcg()) /* where it reads as 0 */
        guest_check(rdmsr(MSR_TSC) - tsc < 10000000);
    check_write(MSR_TSC, 0x123456789abcdef, GUEST_NO_FAULT);
    guest_check(rdtsc() - tsc < 1ull << 40); /* one TSC for all vCPUs: it stays */
    check_write(MSR_XSS, 0, GUEST_NO_FAULT);
    check_write(MSR_XSS, 1ull << 8, VECTOR_GP);
    guest_check_equal(guest_catch_user(read_tsc_as_user, &value, &fault), VECTOR_GP);
    guest_check_equal(fault.error_code, 0);
}

int guest_main(const struct mullion_flat_info *info)
{
    (void)info;
    check_unknown();
    check_mtrrs();
    check_pat();
    check_efer();
    check_syscall_msrs();
    check_misc();
    check_apic_base();
    return 0;
}
