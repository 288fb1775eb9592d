/* SPDX-License-Identifier: MIT */
/* IA32_SPEC_CTRL and its kind on each sort of processor: what guests get, and what the register
 * holds while they run and after (build host). */
/* sources: kernel/speculation.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/backend.h"
#include "kernel/mitigate.h"
#include "kernel/option.h"
#include "kernel/speculation.h"
#include "kernel/vcpu.h"
#include "kernel/x86.h"

#define CONTROLS (CPUID_7_EDX_IBRS_IBPB | CPUID_7_EDX_STIBP | CPUID_7_EDX_SSBD)
#define ALL_BITS (SPEC_CTRL_IBRS | SPEC_CTRL_STIBP | SPEC_CTRL_SSBD)

const struct backend *backend;
static struct vcpu one, two;
static uint32_t edx7, sizes_ebx;
static uint64_t capabilities, hardware; /* of the CPU, and what its SPEC_CTRL holds */
static unsigned accesses;
static bool amd, off;
static struct {
    uint32_t msr;
    unsigned how;
} passed[4];
static unsigned passes;

uint32_t mitigate_leaf7_edx(void)
{
    return edx7;
}

uint64_t mitigate_capabilities(void)
{
    return capabilities;
}

bool option_has(const char *word)
{
    return off && strcmp(word, "mitigations=off") == 0;
}

struct cpuid_regs x86_test_cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    if (leaf == CPUID_VENDOR)
        return (struct cpuid_regs){ .ebx = amd ? CPUID_VENDOR_EBX_AMD : 0 };
    return (struct cpuid_regs){ .ebx = sizes_ebx };
}

uint64_t x86_test_rdmsr(uint32_t msr)
{
    assert_int_equal(msr, MSR_IA32_SPEC_CTRL);
    accesses++;
    return hardware;
}

void x86_test_wrmsr(uint32_t msr, uint64_t value)
{
    assert_int_equal(msr, MSR_IA32_SPEC_CTRL);
    accesses++;
    hardware = value;
}

static void intercept_msr(struct vm *vm, uint32_t msr, unsigned how)
{
    (void)vm;
    assert_true(passes < ARRAY_SIZE(passed));
    passed[passes].msr = msr;
    passed[passes++].how = how;
}

static bool does_pass(uint32_t msr, unsigned how)
{
    for (unsigned i = 0; i < passes; i++)
        if (passed[i].msr == msr && passed[i].how == how)
            return true;
    return false;
}

static int setup(void **state)
{
    static const struct backend fake = { .intercept_msr = intercept_msr };

    (void)state;
    backend = &fake;
    memset(&one, 0, sizeof(one));
    memset(&two, 0, sizeof(two));
    edx7 = sizes_ebx = 0;
    capabilities = hardware = 0;
    amd = off = false;
    return 0;
}

static void look(void)
{
    passes = accesses = 0;
    speculation_init();
    speculation_let_pass(NULL);
}

static bool reads(uint32_t msr, uint64_t *value)
{
    return speculation_read(&one, msr, value) == 0;
}

static bool writes(uint64_t value)
{
    return speculation_write(&one, MSR_IA32_SPEC_CTRL, value) == 0;
}

static void without(void **state)
{
    uint64_t value;

    (void)state;
    look();
    assert_int_equal(passes, 0);
    assert_false(reads(MSR_IA32_SPEC_CTRL, &value) || reads(MSR_IA32_ARCH_CAPABILITIES, &value));
    assert_false(writes(0));
    speculation_load(&one);
    speculation_put(&one);
    assert_int_equal(accesses, 0); /* of a register that is not there */
}

/* IBRS that is written at each system call: the guest's own business, and the next one's not. */
static void without_enhanced_ibrs(void **state)
{
    (void)state;
    edx7 = CONTROLS | CPUID_7_EDX_L1D_FLUSH;
    look();
    assert_true(does_pass(MSR_IA32_SPEC_CTRL, 0));
    assert_true(does_pass(MSR_IA32_PRED_CMD, VINTERCEPT_READ)); /* write-only */
    assert_true(does_pass(MSR_IA32_FLUSH_CMD, VINTERCEPT_READ));
    speculation_load(&one);
    hardware = SPEC_CTRL_IBRS | SPEC_CTRL_STIBP;
    speculation_put(&one);
    assert_int_equal(hardware, 0);
    speculation_load(&two);
    assert_int_equal(hardware, 0);
    speculation_put(&two);
    speculation_load(&one);
    assert_int_equal(hardware, SPEC_CTRL_IBRS | SPEC_CTRL_STIBP);
}

/* Root mode has IBRS at all times, whatever the guest says. */
static void with_enhanced_ibrs(void **state)
{
    uint64_t value;

    (void)state;
    edx7 = CONTROLS | CPUID_7_EDX_ARCH_CAPABILITIES;
    capabilities = ARCH_CAP_IBRS_ALL;
    look();
    assert_int_equal(passes, 1);
    assert_true(does_pass(MSR_IA32_PRED_CMD, VINTERCEPT_READ));
    speculation_load(&one);
    assert_int_equal(hardware, SPEC_CTRL_IBRS);
    assert_true(reads(MSR_IA32_SPEC_CTRL, &value));
    assert_int_equal(value, 0); /* what it wrote, not what is in force */
    assert_true(writes(SPEC_CTRL_SSBD));
    assert_int_equal(hardware, SPEC_CTRL_SSBD | SPEC_CTRL_IBRS);
    assert_true(reads(MSR_IA32_SPEC_CTRL, &value));
    assert_int_equal(value, SPEC_CTRL_SSBD);
    speculation_put(&one);
    assert_int_equal(hardware, SPEC_CTRL_IBRS);
    speculation_load(&two);
    assert_int_equal(hardware, SPEC_CTRL_IBRS);
    speculation_put(&two);
    speculation_load(&one);
    assert_int_equal(hardware, SPEC_CTRL_SSBD | SPEC_CTRL_IBRS);
    off = true;
    look();
    assert_true(does_pass(MSR_IA32_SPEC_CTRL, 0));
}

/* Bits that CPUID does not offer are reserved: the processor would refuse them in root mode. */
static void reserved_bits(void **state)
{
    (void)state;
    edx7 = CONTROLS | CPUID_7_EDX_ARCH_CAPABILITIES;
    capabilities = ARCH_CAP_IBRS_ALL;
    look();
    assert_true(writes(ALL_BITS));
    for (unsigned bit = 3; bit < 64; bit++)
        assert_false(writes(BIT(bit)));
    assert_int_equal(hardware, ALL_BITS);
    edx7 &= ~CPUID_7_EDX_SSBD;
    look();
    assert_false(writes(SPEC_CTRL_SSBD));
    assert_true(writes(SPEC_CTRL_STIBP));
}

static void promises(void **state)
{
    uint64_t value;

    (void)state;
    edx7 = CPUID_7_EDX_ARCH_CAPABILITIES;
    capabilities = ~0ull;
    look();
    assert_true(reads(MSR_IA32_ARCH_CAPABILITIES, &value));
    assert_true(value & ARCH_CAP_RDCL_NO && value & ARCH_CAP_FB_CLEAR);
    /* TSX_CTRL, MCU_CONTROL, MISC_PACKAGE_CTLS, ENERGY_FILTERING_CTL, DOITM, FB_CLEAR_CTRL,
     * XAPIC_DISABLE_STATUS, OVERCLOCKING_STATUS, GDS_CTRL: registers that guests don't have */
    assert_int_equal(value & (BIT(7) | BIT(9) | BIT(10) | BIT(11) | BIT(12) | BIT(18) | BIT(21) |
                              BIT(23) | BIT(25)), 0);
    assert_int_equal(speculation_write(&one, MSR_IA32_ARCH_CAPABILITIES, value), -EINVAL);
    capabilities = ARCH_CAP_RDCL_NO;
    look();
    assert_true(reads(MSR_IA32_ARCH_CAPABILITIES, &value));
    assert_int_equal(value, ARCH_CAP_RDCL_NO); /* no more than the host's */
}

/* Its bits are elsewhere; the value may be the VMCB's, so each access is ours. */
static void on_amd(void **state)
{
    (void)state;
    amd = true;
    sizes_ebx = CPUID_80000008_EBX_IBPB;
    look();
    assert_int_equal(passes, 1);
    assert_false(writes(0));
    sizes_ebx |= CPUID_80000008_EBX_IBRS | CPUID_80000008_EBX_STIBP | CPUID_80000008_EBX_SSBD;
    look();
    assert_int_equal(passes, 1);
    assert_true(does_pass(MSR_IA32_PRED_CMD, VINTERCEPT_READ));
    speculation_load(&one);
    assert_true(writes(ALL_BITS));
    assert_int_equal(hardware, ALL_BITS);
    speculation_put(&one);
    assert_int_equal(hardware, 0);
    speculation_load(&one);
    assert_int_equal(hardware, ALL_BITS);
    amd = false; /* on another vendor's these mean nothing */
    look();
    assert_int_equal(passes, 0);
    assert_false(writes(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without, setup),
        cmocka_unit_test_setup(without_enhanced_ibrs, setup),
        cmocka_unit_test_setup(with_enhanced_ibrs, setup),
        cmocka_unit_test_setup(reserved_bits, setup),
        cmocka_unit_test_setup(promises, setup),
        cmocka_unit_test_setup(on_amd, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
