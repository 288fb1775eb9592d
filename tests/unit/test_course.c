/* SPDX-License-Identifier: MIT */
/* CPUID leaves for coursework, by the numbers of the manifest (build host). */
/* sources: kernel/cpuid.c kernel/course.c kernel/inject.c
 * kernel/vcpu.c kernel/gmem.c kernel/pt.c
 * kernel/pt_change.c kernel/pt_read.c kernel/page.c kernel/iobus.c vmx/ept.c
 * tests/unit/fake_backend.c tests/unit/fake_guest.c tests/unit/fake_stubs.c
 * tests/unit/host_stubs.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/policy.h"
#include "tests/unit/fake_backend.h"

#define TOTAL_EXITS 0x4ffffffcu
#define TOTAL_CYCLES 0x4ffffffdu
#define EXITS_BY_REASON 0x4ffffffeu
#define CYCLES_BY_REASON 0x4fffffffu

static struct vcpu *const v = &fake.vcpus[0];

static int setup(void **state)
{
    (void)state;
    fake_create(PAGE_2M, BOOT_BACKING_EAGER);
    fake.config.course = (struct boot_course_leaves){ TOTAL_EXITS, TOTAL_CYCLES, EXITS_BY_REASON,
                                                      CYCLES_BY_REASON };
    assert_int_equal(cpuid_init(v), 0);
    for (unsigned i = 0; i < FAKE_VCPUS; i++) {
        fake.vcpus[i].stats.all.exits = 1000 + i;
        fake.vcpus[i].stats.all.cycles = (5ull << 32) + i;
        fake.vcpus[i].stats.by_code[3].exits = 10 + i;
        fake.vcpus[i].stats.by_code[3].cycles = (1ull << 33) + 7;
        fake.vcpus[i].stats.by_code[5].exits = 99; /* is switched off: can't happen */
        fake.vcpus[i].stats.by_code[7].exits = 99; /* is not defined */
    }
    return 0;
}

static void assert_leaf(uint32_t leaf, uint32_t reason, uint32_t a, uint32_t b, uint32_t c,
                        uint32_t d)
{
    struct vmexit exit = { .kind = EXIT_CPUID, .length = 2 };

    v->gpr[RAX] = leaf;
    v->gpr[RCX] = reason;
    v->gpr[RBX] = v->gpr[RDX] = ~0ull;
    assert_int_equal(fake_handle(&exit), VERDICT_NEXT);
    assert_int_equal(v->gpr[RAX], a);
    assert_int_equal(v->gpr[RBX], b);
    assert_int_equal(v->gpr[RCX], c);
    assert_int_equal(v->gpr[RDX], d);
}

static void totals_over_all_vcpus(void **state)
{
    (void)state;
    assert_leaf(TOTAL_EXITS, 0, 2001, 0, 0, 0);
    assert_leaf(TOTAL_CYCLES, 0, 0, 10, 1, 0); /* high half in EBX, low in ECX */
}

static void by_reason(void **state)
{
    (void)state;
    assert_leaf(EXITS_BY_REASON, 3, 21, 0, 0, 0);
    assert_leaf(CYCLES_BY_REASON, 3, 0, 4, 14, 0);
    assert_leaf(EXITS_BY_REASON, 2, 0, 0, 0, 0);
}

static void reasons_without_a_count(void **state)
{
    static const uint32_t undefined[] = { 7, 10, 11, FAKE_EXIT_CODES, 255, 256, 0x10003,
                                          0xffffffff };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(undefined); i++) {
        assert_leaf(EXITS_BY_REASON, undefined[i], 0, 0, 0, 0xffffffff);
        assert_leaf(CYCLES_BY_REASON, undefined[i], 0, 0, 0, 0xffffffff);
    }
    assert_leaf(EXITS_BY_REASON, 5, 0, 0, 0, 0);
    assert_leaf(CYCLES_BY_REASON, 5, 0, 0, 0, 0);
}

/* Another term, other numbers; and a VM without any. */
static void numbers_are_the_manifests(void **state)
{
    (void)state;
    fake.config.course = (struct boot_course_leaves){ .total_exits = 0x4fffffff };
    assert_leaf(0x4fffffff, 0, 2001, 0, 0, 0);
    assert_leaf(TOTAL_EXITS, 0, 0, 0, 0, 0);
    fake.config.course = (struct boot_course_leaves){ 0 };
    assert_leaf(0x4fffffff, 3, 0, 0, 0, 0);
    assert_leaf(0, 0, 0x16, 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(totals_over_all_vcpus, setup),
        cmocka_unit_test_setup(by_reason, setup),
        cmocka_unit_test_setup(reasons_without_a_count, setup),
        cmocka_unit_test_setup(numbers_are_the_manifests, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
