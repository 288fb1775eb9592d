/* SPDX-License-Identifier: MIT */
/* MSR policy: each row, what passes, and that all else is #GP (build host). */
/* sources: kernel/msr.c kernel/msr_register.c kernel/mtrr.c kernel/inject.c
 * kernel/vcpu.c kernel/gmem.c kernel/pt.c
 * kernel/pt_change.c kernel/pt_read.c kernel/page.c kernel/iobus.c vmx/ept.c
 * tests/unit/fake_backend.c tests/unit/fake_guest.c tests/unit/fake_stubs.c
 * tests/unit/host_stubs.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/policy.h"
#include "kernel/pvclock.h"
#include "tests/unit/fake_backend.h"

/* Of processors: Mullion itself has no use for them. */
#define MISC_ENABLE_LIMIT_CPUID X86_BIT(22)
#define MISC_ENABLE_XD_DISABLE X86_BIT(34)
#define MSR_AMD_TSC_RATIO 0xc0000104
#define MSR_IA32_APERF 0xe8
#define MSR_IA32_BIOS_UPDT_TRIG 0x79
#define MSR_IA32_MPERF 0xe7
#define MSR_IA32_PERFEVTSEL0 0x186
#define MSR_IA32_PERF_GLOBAL_CTRL 0x38f
#define MSR_IA32_PMC0 0xc1
#define MSR_IA32_SMRR_PHYSBASE 0x1f2
#define MSR_IA32_SYSENTER_ESP 0x175
#define MSR_IA32_THERM_STATUS 0x19c
#define MSR_IA32_TSX_CTRL 0x122
#define MSR_PLATFORM_INFO 0xce

#define ADDRESSES ((1ull << FAKE_PHYSICAL_BITS) - 1)

static struct vcpu *const v = &fake.vcpus[0];
static uint32_t pvclock_msr, vendor_ebx;

static unsigned cpuids; /* executed by the hypervisor */

struct cpuid_regs x86_test_cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    cpuids++;
    if (leaf == CPUID_VENDOR)
        return (struct cpuid_regs){ .ebx = vendor_ebx };
    return (struct cpuid_regs){ .eax = 48 << 8 | FAKE_PHYSICAL_BITS };
}

int cpuid_init(struct vcpu *vcpu)
{
    (void)vcpu;
    return 0;
}

int pvclock_write_wall(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)vcpu;
    pvclock_msr = msr;
    return value & 3 ? -EINVAL : 0;
}

int pvclock_write_system(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    return pvclock_write_wall(vcpu, msr, value & ~1ull);
}

static int setup(void **state)
{
    (void)state;
    fake_create(PAGE_2M, BOOT_BACKING_EAGER);
    assert_int_equal(policy_init(v), 0);
    return 0;
}

static enum verdict access(enum exit_kind kind, uint32_t msr, uint64_t value)
{
    struct vmexit exit = { .kind = (uint8_t)kind, .length = 2 };

    v->event.type = VEVENT_NONE;
    v->gpr[RCX] = 0xffffffff00000000 | msr; /* the upper half is not looked at */
    if (kind == EXIT_MSR_WRITE) {
        v->gpr[RAX] = 0xffffffff00000000 | (uint32_t)value;
        v->gpr[RDX] = value >> 32;
    }
    return fake_handle(&exit);
}

static bool readable(uint32_t msr, uint64_t *value)
{
    enum verdict verdict = access(EXIT_MSR_READ, msr, 0);

    if (verdict == VERDICT_RETRY)
        assert_exception(VECTOR_GP, 0);
    else
        *value = v->gpr[RAX] | v->gpr[RDX] << 32;
    return verdict == VERDICT_NEXT;
}

static bool writable(uint32_t msr, uint64_t value)
{
    enum verdict verdict = access(EXIT_MSR_WRITE, msr, value);

    if (verdict == VERDICT_RETRY)
        assert_exception(VECTOR_GP, 0);
    return verdict == VERDICT_NEXT;
}

static uint64_t read_msr(uint32_t msr)
{
    uint64_t value = 0;

    assert_true(readable(msr, &value));
    return value;
}

static void pat(void **state)
{
    (void)state;
    vcpu_set(v, VREG_PAT, PAT_RESET);
    assert_true(read_msr(MSR_IA32_PAT) == PAT_RESET);
    assert_true(writable(MSR_IA32_PAT, 0x0706050401000007));
    assert_true(vcpu_get(v, VREG_PAT) == 0x0706050401000007);
    assert_false(writable(MSR_IA32_PAT, 2));                 /* reserved types */
    assert_false(writable(MSR_IA32_PAT, 3ull << 56));
    assert_false(writable(MSR_IA32_PAT, 0x08ull << 8));
    assert_true(vcpu_get(v, VREG_PAT) == 0x0706050401000007);
}

/* The whole list of what a guest reaches without us. */
static void what_passes(void **state)
{
    static const struct fake_msr list[] = {
        { MSR_IA32_TSC, VINTERCEPT_WRITE },
        { MSR_IA32_SYSENTER_CS, 0 }, { MSR_IA32_SYSENTER_ESP, 0 }, { MSR_IA32_SYSENTER_EIP, 0 },
        { MSR_IA32_STAR, 0 }, { MSR_IA32_LSTAR, 0 }, { MSR_IA32_CSTAR, 0 }, { MSR_IA32_FMASK, 0 },
        { MSR_IA32_FS_BASE, 0 }, { MSR_IA32_GS_BASE, 0 }, { MSR_IA32_KERNEL_GS_BASE, 0 },
        { MSR_IA32_TSC_AUX, 0 },
    };

    (void)state;
    assert_int_equal(fake.msr_count, ARRAY_SIZE(list));
    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        assert_int_equal(fake.msrs[i].msr, list[i].msr);
        assert_int_equal(fake.msrs[i].how, list[i].how);
    }
    assert_int_equal(policy_init(&fake.vcpus[1]), 0); /* the map is the VM's: done once */
    assert_int_equal(fake.msr_count, ARRAY_SIZE(list));
    fake.features = fake.msr_count = 0; /* no RDTSCP: no TSC_AUX */
    assert_int_equal(policy_init(v), 0);
    assert_int_equal(fake.msr_count, ARRAY_SIZE(list) - 1);
}

enum answer { NONE, FINE, BAD };

/* Rows that give a value, and what they take. */
static void values(void **state)
{
    static const struct {
        uint32_t msr;
        enum answer read;
        uint64_t value;
        uint64_t good, bad; /* writes; bad 0: none is */
    } rows[] = {
        { MSR_IA32_TSC, BAD, 0, 5, 0 }, { MSR_IA32_PLATFORM_ID, FINE, 0, 1, 0 },
        { MSR_IA32_BIOS_SIGN_ID, FINE, 0x02007006ull << 32, 0, 0 },
        { MSR_IA32_MTRRCAP, FINE, 0x508, 0, 0 },
        { MSR_IA32_MCG_CAP, FINE, 0, 0, 0 }, { MSR_IA32_MCG_STATUS, FINE, 0, 0, 0 },
        { MSR_IA32_MISC_ENABLE, FINE, 0x1801, ~0ull, 0 },
        { MSR_IA32_DEBUGCTL, FINE, 0, 3, 4 },
        { MSR_IA32_XSS, FINE, 0, 0, 1 },
        { 0x4b564d00, BAD, 0, 0x1000, 0x1002 },
        { 0x4b564d01, BAD, 0, 0x1001, 0x1003 },
        { 0x4b564d04, BAD, 0, 0x1001, 2 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t value;

        assert_int_equal(readable(rows[i].msr, &value), rows[i].read == FINE);
        if (rows[i].read == FINE)
            assert_int_equal(value, rows[i].value);
        assert_true(writable(rows[i].msr, rows[i].good));
        if (rows[i].bad)
            assert_false(writable(rows[i].msr, rows[i].bad));
        if (rows[i].read == FINE)
            assert_int_equal(read_msr(rows[i].msr), rows[i].value); /* no write changes it */
    }
    assert_int_equal(pvclock_msr, 0x4b564d01);
}

/* An MSR that does not exist here is #GP, whatever the machine below has. */
static void absent(void **state)
{
    static const uint32_t list[] = {
        MSR_IA32_FEATURE_CONTROL, MSR_IA32_TSC_ADJUST, MSR_IA32_SPEC_CTRL, MSR_IA32_PRED_CMD,
        MSR_IA32_BIOS_UPDT_TRIG, MSR_IA32_PMC0, MSR_PLATFORM_INFO, MSR_IA32_APERF, MSR_IA32_MPERF,
        MSR_IA32_ARCH_CAPABILITIES, MSR_IA32_FLUSH_CMD, MSR_IA32_TSX_CTRL, MSR_IA32_MCG_CTL,
        MSR_IA32_PERFEVTSEL0, MSR_IA32_THERM_STATUS, MSR_IA32_SMRR_PHYSBASE,
        MSR_IA32_PERF_GLOBAL_CTRL, MSR_IA32_MC0_CTL, MSR_IA32_MC0_STATUS, MSR_IA32_VMX_BASIC,
        MSR_IA32_VMX_TRUE_ENTRY_CTLS, MSR_AMD_SYSCFG, MSR_AMD_VM_HSAVE_PA, MSR_AMD_TSC_RATIO,
        0x7ff, 0x900, 0x4b564cff, 0x4b564d02, 0x4b564d03, 0xffffffff, 0x40000000, 0xc0000200,
    };
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        assert_false(readable(list[i], &value));
        assert_false(writable(list[i], 0));
    }
    assert_int_equal(fake.failures, 0);
}

/* No number is readable that this test does not know, in the ranges that have any. */
static void nothing_else(void **state)
{
    unsigned count = 0;
    uint64_t value;

    (void)state;
    for (uint32_t msr = 0; msr < 0x2000; msr++)
        count += readable(msr, &value);
    /* PLATFORM_ID, APIC_BASE, BIOS_SIGN_ID, MTRRCAP, MCG_CAP and STATUS, MISC_ENABLE, DEBUGCTL,
     * 16 + 11 + 1 MTRRs, PAT, TSC_DEADLINE, 256 of the x2APIC, XSS */
    assert_int_equal(count, 8 + 28 + 1 + 1 + 256 + 1);
    for (uint32_t msr = 0xc0000000; msr < 0xc0002000; msr++)
        assert_int_equal(readable(msr, &value), msr == MSR_IA32_EFER);
    for (uint32_t msr = 0xc0010000; msr < 0xc0012000; msr++)
        assert_false(readable(msr, &value));
}

static void of_amd(void **state)
{
    static const uint32_t list[] = { MSR_AMD_SYSCFG, MSR_AMD_HWCR, MSR_AMD_NB_CFG,
                                     MSR_AMD_INT_PENDING_MSG, MSR_AMD_DE_CFG };
    uint64_t value;

    (void)state;
    vendor_ebx = CPUID_VENDOR_EBX_AMD;
    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        assert_true(readable(list[i], &value) && writable(list[i], ~0ull));
        assert_int_equal(read_msr(list[i]), value);
    }
    assert_false(readable(MSR_AMD_VM_CR, &value) || readable(MSR_AMD_VM_HSAVE_PA, &value));
    vendor_ebx = 0;
}

static void of_the_interrupt_controller(void **state)
{
    static const uint32_t list[] = { MSR_IA32_APIC_BASE, MSR_IA32_TSC_DEADLINE, 0x800, 0x830,
                                     0x8ff };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        assert_int_equal(read_msr(list[i]), list[i]);
        fake.intc_msr = 0;
        assert_true(writable(list[i], 1));
        assert_int_equal(fake.intc_msr, list[i]);
    }
}

static void efer(void **state)
{
    (void)state;
    assert_true(writable(MSR_IA32_EFER, EFER_LME | EFER_SCE));
    assert_int_equal(fake.regs[VREG_EFER], EFER_LME | EFER_SCE);
    assert_true(writable(MSR_IA32_EFER, EFER_LME | EFER_LMA)); /* LMA is read-only */
    assert_int_equal(fake.regs[VREG_EFER], EFER_LME);
    assert_false(writable(MSR_IA32_EFER, EFER_SVME));
    assert_false(writable(MSR_IA32_EFER, 1 << 1));
    assert_false(writable(MSR_IA32_EFER, 1ull << 63));
    assert_int_equal(fake.regs[VREG_EFER], EFER_LME);
    fake.linear_flushes = 0;
    assert_true(writable(MSR_IA32_EFER, EFER_LME | EFER_NXE));
    assert_int_equal(fake.linear_flushes, 1); /* entries' meaning has changed */
    fake_long();
    assert_false(writable(MSR_IA32_EFER, EFER_NXE)); /* LME with paging on */
    assert_true(writable(MSR_IA32_EFER, EFER_LME | EFER_NXE | EFER_SCE));
    assert_int_equal(fake.regs[VREG_EFER], EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE);
}

static void mtrrs(void **state)
{
    static const struct {
        uint32_t msr;
        uint64_t value;
        bool fine;
    } rows[] = {
        { MSR_IA32_MTRR_DEF_TYPE, MTRR_DEF_TYPE_E | MTRR_DEF_TYPE_FE | MEM_TYPE_WT, true },
        { MSR_IA32_MTRR_DEF_TYPE, 2, false }, { MSR_IA32_MTRR_DEF_TYPE, 7, false },
        { MSR_IA32_MTRR_DEF_TYPE, 1 << 9, false }, { MSR_IA32_MTRR_DEF_TYPE, 1 << 12, false },
        { 0x200, 0xc0000000 | MEM_TYPE_UC, true },
        { 0x20e, ADDRESSES & ~0xfffull, true },
        { 0x200, 0xc0000000 | 3, false },
        { 0x200, 0xc0000100, false },
        { 0x200, ADDRESSES + 1, false },
        { 0x201, (ADDRESSES & ~0xfffull) | 0x800, true },
        { 0x20f, 0x800, true },
        { 0x201, 0x400, false }, { 0x201, ADDRESSES + 1, false },
        { 0x250, 0x0606060606060606, true },
        { 0x26f, 0x0501040006010405, true },
        { 0x26f, 0x0201040006010405, false },
        { 0x259, 0x0000000000000700, false },
        { 0x210, 0, false }, /* a ninth pair, and gaps */
        { 0x251, 0, false }, { 0x260, 0, false },
    };

    (void)state;
    assert_int_equal(read_msr(MSR_IA32_MTRR_DEF_TYPE), MTRR_DEF_TYPE_E | MEM_TYPE_WB);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(writable(rows[i].msr, rows[i].value), rows[i].fine);
        if (rows[i].fine)
            assert_int_equal(read_msr(rows[i].msr), rows[i].value);
    }
    /* each is a register of its own, and of its vCPU */
    assert_true(writable(0x201, 0x1800));
    assert_int_equal(read_msr(0x203), 0);
    assert_int_equal(read_msr(0x200), 0xc0000000 | MEM_TYPE_UC);
}

static void misc_enable(void **state)
{
    (void)state;
    assert_true(writable(MSR_IA32_MISC_ENABLE, 0));
    assert_int_equal(read_msr(MSR_IA32_MISC_ENABLE), 0x1800);
    assert_true(writable(MSR_IA32_MISC_ENABLE, MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_XD_DISABLE |
                                                   MISC_ENABLE_LIMIT_CPUID));
    assert_int_equal(read_msr(MSR_IA32_MISC_ENABLE), 0x1801);
}

/* Nested, each CPUID is an exit. */
static void asked_once(void **state)
{
    uint64_t mask = policy_address_mask();
    unsigned before = cpuids;

    (void)state;
    assert_int_equal(mask, BIT(FAKE_PHYSICAL_BITS) - 1);
    assert_int_equal(policy_address_mask(), mask);
    assert_int_equal(cpuids, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(asked_once, setup),
        cmocka_unit_test_setup(what_passes, setup),
        cmocka_unit_test_setup(values, setup),
        cmocka_unit_test_setup(absent, setup),
        cmocka_unit_test_setup(nothing_else, setup),
        cmocka_unit_test_setup(of_amd, setup),
        cmocka_unit_test_setup(of_the_interrupt_controller, setup),
        cmocka_unit_test_setup(pat, setup),
        cmocka_unit_test_setup(efer, setup),
        cmocka_unit_test_setup(mtrrs, setup),
        cmocka_unit_test_setup(misc_enable, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
