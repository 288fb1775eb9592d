/* SPDX-License-Identifier: MIT */
/* CPUID policy: an allow-list, over a host that has everything and one that has nothing (build
 * host). */
/* sources: kernel/cpuid.c kernel/course.c kernel/inject.c
 * kernel/vcpu.c kernel/gmem.c kernel/pt.c
 * kernel/pt_change.c kernel/pt_read.c kernel/page.c kernel/iobus.c vmx/ept.c
 * tests/unit/fake_backend.c tests/unit/fake_guest.c tests/unit/fake_stubs.c
 * tests/unit/host_stubs.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/policy.h"
#include "tests/unit/fake_backend.h"

/* Of processors: Mullion itself has no use for them. */
#define CPUID_1_ECX_DTES64 (1u << 2)
#define CPUID_1_ECX_MONITOR (1u << 3)
#define CPUID_1_ECX_PDCM (1u << 15)
#define CPUID_1_ECX_SMX (1u << 6)
#define CPUID_7_EBX_MPX (1u << 14)
#define CPUID_7_ECX_BUS_LOCK_DETECT (1u << 24)
#define CPUID_7_ECX_WAITPKG (1u << 5)
#define CPUID_80000007_EDX_INVARIANT_TSC (1u << 8)

#define ALL 0xffffffffu
#define HOST_MAX 0x1fu
#define XSAVE_SIZE 832u

static struct vcpu *const v = &fake.vcpus[0];
static uint32_t host_bits; /* in every register of the host */
static uint64_t hz;

uint64_t time_tsc_hz(void)
{
    return hz;
}

struct cpuid_regs x86_test_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r = { host_bits, host_bits, host_bits, host_bits };

    if (leaf == 0)
        r.eax = HOST_MAX;
    if (leaf == CPUID_EXT_MAX)
        r.eax = 0x8000001f;
    if (leaf == CPUID_ADDRESS_SIZES)
        r.eax = host_bits << 16 | 48 << 8 | FAKE_PHYSICAL_BITS;
    if (leaf == CPUID_XSTATE && subleaf == 0)
        r.ebx = XSAVE_SIZE; /* follows XCR0 */
    if (leaf == CPUID_XSTATE && subleaf == 2)
        r = (struct cpuid_regs){ .eax = 256, .ebx = 576 };
    return r;
}

static void create(uint32_t bits, uint32_t vcpus)
{
    fake_create(PAGE_2M, BOOT_BACKING_EAGER);
    host_bits = bits;
    hz = 2100000000;
    fake.config.vcpu_count = vcpus;
    assert_int_equal(cpuid_init(v), 0);
    assert_int_equal(cpuid_init(&fake.vcpus[1]), 0);
}

static int setup(void **state)
{
    (void)state;
    create(ALL, 2);
    return 0;
}

/* As a guest gets it. */
static struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct vmexit exit = { .kind = EXIT_CPUID, .length = 2 };

    v->gpr[RAX] = 0xffffffff00000000 | leaf;
    v->gpr[RCX] = 0xffffffff00000000 | subleaf;
    v->gpr[RBX] = v->gpr[RDX] = ~0ull;
    assert_int_equal(fake_handle(&exit), VERDICT_NEXT);
    assert_int_equal((v->gpr[RAX] | v->gpr[RBX] | v->gpr[RCX] | v->gpr[RDX]) >> 32, 0);
    return (struct cpuid_regs){ (uint32_t)v->gpr[RAX], (uint32_t)v->gpr[RBX],
                                (uint32_t)v->gpr[RCX], (uint32_t)v->gpr[RDX] };
}

static bool is_zero(struct cpuid_regs r)
{
    return !(r.eax | r.ebx | r.ecx | r.edx);
}

enum reg { EAX, EBX, ECX, EDX };

static uint32_t reg_of(uint32_t leaf, enum reg reg)
{
    struct cpuid_regs r = cpuid(leaf, 0);
    const uint32_t regs[] = { r.eax, r.ebx, r.ecx, r.edx };

    return regs[reg];
}

/* What would be a hole or a lie, though the host has it. */
static void hidden(void **state)
{
    static const struct {
        uint32_t leaf;
        enum reg reg;
        uint32_t bits;
    } rows[] = {
        { 1, ECX, CPUID_1_ECX_MONITOR | CPUID_1_ECX_VMX | CPUID_1_ECX_SMX | CPUID_1_ECX_PDCM |
                      CPUID_1_ECX_DTES64 },
        { 1, EDX, 1u << 18 | 1u << 21 | 1u << 22 | 1u << 27 | 1u << 29 | 1u << 31 },
        { 7, EAX, ALL }, /* no further subleaf */
        { 7, EBX, CPUID_7_EBX_TSC_ADJUST | CPUID_7_EBX_MPX | 1u << 2 | 1u << 4 | 1u << 11 |
                      1u << 12 | 1u << 15 | 1u << 25 },
        { 7, ECX, CPUID_7_ECX_PKU | CPUID_7_ECX_WAITPKG | CPUID_7_ECX_LA57 | 1u << 7 | 1u << 13 |
                      1u << 23 | CPUID_7_ECX_BUS_LOCK_DETECT | 1u << 29 | 1u << 30 | 1u << 31 },
        { 7, EDX, 1u << 18 | 1u << 19 | 1u << 20 | 1u << 22 | 1u << 24 | 1u << 25 | 1u << 5 |
                      1u << 30 },
        { 0xd, EAX, ~7u }, /* states that are not switched */
        { 0xd, EDX, ALL },
        { 0x80000001, ECX, CPUID_80000001_ECX_SVM },
        { 0x80000007, EDX, ~CPUID_80000007_EDX_INVARIANT_TSC },
        { 0x80000008, EBX, ~0x650fd000u }, /* speculation: kernel/speculation.c */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(reg_of(rows[i].leaf, rows[i].reg) & rows[i].bits, 0);
}

static void offered(void **state)
{
    (void)state;
    assert_int_equal(reg_of(0, EAX), 0x16);
    assert_int_equal(reg_of(0, EBX), ALL); /* the vendor is the host's */
    assert_int_equal(reg_of(0x80000000, EAX), 0x80000008);
    assert_int_equal(reg_of(1, ECX) & (CPUID_1_ECX_XSAVE | CPUID_1_ECX_AVX | CPUID_1_ECX_PCID),
                     CPUID_1_ECX_XSAVE | CPUID_1_ECX_AVX | CPUID_1_ECX_PCID);
    assert_int_equal(reg_of(0x80000001, EDX), 0x2c100800);
    assert_int_equal(reg_of(0x80000008, EAX), 48 << 8 | FAKE_PHYSICAL_BITS);
    assert_int_equal(reg_of(6, EAX), 4);
    assert_int_equal(cpuid(0xd, 0).eax, 7);
    assert_int_equal(cpuid(0xd, 0).ecx, XSAVE_SIZE); /* not the host's, which has more states */
    assert_int_equal(cpuid(0xd, 1).eax, 0xf);
}

/* Leaves that no rule names do not exist. */
static void nothing_else(void **state)
{
    static const uint32_t known[] = { 0, 1, 2, 4, 6, 7, 0xb, 0xd, 0x15, 0x16 };

    (void)state;
    for (uint32_t leaf = 0; leaf < 0x80; leaf++) {
        bool listed = false;

        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
            listed |= known[i] == leaf;
        for (uint32_t sub = 0; sub < 64; sub++)
            if (!listed)
                assert_true(is_zero(cpuid(leaf, sub)));
    }
    for (uint32_t leaf = 0x80000009; leaf < 0x80000040; leaf++)
        assert_true(is_zero(cpuid(leaf, 0)));
    for (uint32_t sub = 8; sub < 64; sub++)
        assert_true(is_zero(cpuid(0xd, sub)));
    assert_true(is_zero(cpuid(0xd, 3)) && is_zero(cpuid(0xd, 4))); /* MPX */
    assert_true(is_zero(cpuid(7, 1)) && is_zero(cpuid(4, 4)));
    assert_true(is_zero(cpuid(ALL, ALL)) && is_zero(cpuid(0x7fffffff, 0)));
}

static void poor_host(void **state)
{
    (void)state;
    create(0, 1);
    assert_int_equal(reg_of(1, ECX),
                     CPUID_1_ECX_X2APIC | CPUID_1_ECX_TSC_DEADLINE | CPUID_1_ECX_HYPERVISOR);
    assert_int_equal(reg_of(1, EDX), 0);
    assert_true(is_zero(cpuid(7, 0)));
    fake.regs[VREG_CR4] = CR4_OSXSAVE;
    assert_int_equal(reg_of(1, ECX) & CPUID_1_ECX_OSXSAVE, 0);
}

static void what_the_backend_lacks(void **state)
{
    (void)state;
    fake_create(PAGE_2M, BOOT_BACKING_EAGER);
    fake.features = 0;
    assert_int_equal(cpuid_init(v), 0);
    assert_int_equal(reg_of(7, EBX) & CPUID_7_EBX_INVPCID, 0);
    assert_int_equal(reg_of(7, ECX) & CPUID_7_ECX_RDPID, 0);
    assert_int_equal(reg_of(0x80000001, EDX) & CPUID_80000001_EDX_RDTSCP, 0);
    assert_int_equal(cpuid(0xd, 1).eax & CPUID_D1_EAX_XSAVES, 0);
}

/* Bits and sizes that follow CR4 and XCR0. */
static void live(void **state)
{
    (void)state;
    assert_int_equal(reg_of(1, ECX) & CPUID_1_ECX_OSXSAVE, 0);
    fake.regs[VREG_CR4] = CR4_OSXSAVE;
    assert_int_equal(reg_of(1, ECX) & CPUID_1_ECX_OSXSAVE, CPUID_1_ECX_OSXSAVE);
    assert_int_equal(cpuid(0xd, 0).ebx, XSAVE_SIZE);
}

static void topology(void **state)
{
    static const struct {
        uint32_t vcpus, bits;
    } rows[] = { { 1, 0 }, { 2, 1 }, { 3, 2 }, { 4, 2 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        create(ALL, rows[i].vcpus);
        assert_int_equal(reg_of(1, EBX), rows[i].vcpus << 16 | 0xff00);
        assert_int_equal((bool)(reg_of(1, EDX) & CPUID_1_EDX_HTT), rows[i].vcpus > 1);
        assert_int_equal(cpuid(0xb, 0).ebx, 1);
        assert_int_equal(cpuid(0xb, 0).ecx, 0x100);
        assert_int_equal(cpuid(0xb, 0).eax, 0); /* one thread a core */
        assert_int_equal(cpuid(0xb, 1).eax, rows[i].bits);
        assert_int_equal(cpuid(0xb, 1).ebx, rows[i].vcpus);
        assert_int_equal(cpuid(0xb, 1).ecx, 0x201);
        assert_int_equal(cpuid(0xb, 7).ecx, 7); /* level type 0 ends the list */
        assert_int_equal(cpuid(0xb, 7).ebx, 0);
        assert_int_equal(cpuid(4, 0).eax >> 14, 0); /* caches are not said to be shared */
    }
    v->apic_id = 3;
    assert_int_equal(cpuid_init(v), 0);
    assert_int_equal(reg_of(1, EBX) >> 24, 3);
    for (uint32_t sub = 0; sub < 3; sub++)
        assert_int_equal(cpuid(0xb, sub).edx, 3);
}

static void frequency(void **state)
{
    static const uint64_t rates[] = { 100000000, 999999937, 2100000000, 4294967295, 5300000000 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
        fake_create(PAGE_2M, BOOT_BACKING_EAGER);
        hz = rates[i];
        assert_int_equal(cpuid_init(v), 0);
        struct cpuid_regs r = cpuid(0x15, 0);
        uint64_t told = (uint64_t)r.ecx * r.ebx / r.eax;

        assert_true(told <= hz && hz - told < 8);
        assert_int_equal(reg_of(0x16, EAX), hz / 1000000);
    }
}

/* Time would go backwards for who trusts in these. */
static void cpus_that_do_not_agree(void **state)
{
    setup(state);
    assert_int_equal(reg_of(0x80000007, EDX), CPUID_80000007_EDX_INVARIANT_TSC);
    fake.warp = 1;
    assert_int_equal(cpuid_init(v), 0);
    assert_true(is_zero(cpuid(0x80000007, 0)));
    assert_int_equal(reg_of(0x40000001, EAX), 1 << 3 | 1 << 6);
}

static void hypervisor_leaves(void **state)
{
    struct cpuid_regs r = cpuid(0x40000000, 0);

    (void)state;
    assert_memory_equal(&r.ebx, "KVMKVMKVM\0\0\0", 12);
    assert_int_equal(r.eax, 0x40000001);
    assert_int_equal(reg_of(0x40000001, EAX), 1 << 3 | 1 << 6 | 1 << 24);
    r = cpuid(0x40000100, 0);
    assert_int_equal(r.eax, 0x40000101);
    assert_memory_equal(&r.ebx, "Mull", 4);
    assert_true(is_zero(cpuid(0x40000002, 0)) && is_zero(cpuid(0x4ffffffc, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(hidden, setup),
        cmocka_unit_test_setup(offered, setup),
        cmocka_unit_test_setup(nothing_else, setup),
        cmocka_unit_test_setup(poor_host, setup),
        cmocka_unit_test_setup(what_the_backend_lacks, setup),
        cmocka_unit_test_setup(live, setup),
        cmocka_unit_test_setup(topology, setup),
        cmocka_unit_test_setup(frequency, setup),
        cmocka_unit_test_setup(cpus_that_do_not_agree, setup),
        cmocka_unit_test_setup(hypervisor_leaves, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
