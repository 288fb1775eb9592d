/* SPDX-License-Identifier: MIT */
/* What docs/labs/course.md asks of course_leaf (build host). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/log.h"
#include "kernel/policy.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"

#define VCPUS 3
#define CODES 70
#define UNDEFINED_CODE 35
#define DISABLED_CODE 37
#define USED_CODE 10
#define NONE 0xFFFFFFFFu
enum leaf {
    TOTAL = 0x4ffffff0, CYCLES = 0x4ffffff5, BY_REASON = 0x40000777, CYCLES_OF = 0x4abcdef0,
};

static struct vcpu vcpus[VCPUS];
static struct boot_vm config;
static struct vm vm;

static const char *exit_name(unsigned code)
{
    assert_true(code < CODES);
    return code == UNDEFINED_CODE ? NULL : "SOME";
}

static bool exit_enabled(unsigned code)
{
    assert_true(code < CODES);
    return code != DISABLED_CODE;
}

static const struct backend fake = {
    .name = "fake", .exit_codes = CODES, .exit_name = exit_name, .exit_enabled = exit_enabled};
const struct backend *backend = &fake;

uint64_t vcpu_gpr(struct vcpu *v, unsigned number)
{
    return v->gpr[number];
}

void log_printf(const char *format, ...)
{
    (void)format;
}

/* vCPU i has (i + 1) * base of everything, code c adds c. */
static int setup(void **state)
{
    (void)state;
    memset(vcpus, 0, sizeof(vcpus));
    config.course = (struct boot_course_leaves){TOTAL, CYCLES, BY_REASON, CYCLES_OF};
    vm = (struct vm){.config = &config, .vcpu_count = VCPUS};
    for (unsigned i = 0; i < VCPUS; i++) {
        struct vcpu_stats *s = &vcpus[i].stats;
        vm.vcpus[i] = &vcpus[i];
        vcpus[i].vm = &vm;
        s->all = (struct vcpu_counter){(i + 1) * 0x50000001ull, (i + 1) * 0x123456789ull};
        for (unsigned c = 0; c < VCPU_EXIT_CODES; c++)
            s->by_code[c] = (struct vcpu_counter){(i + 1) * 7ull + c, (i + 1) * 0x300000000ull + c};
    }
    return 0;
}

static struct cpuid_regs leaf(uint32_t number, uint64_t rcx)
{
    struct cpuid_regs r = {1, 2, 3, 4};

    for (unsigned i = 0; i < GPRS; i++)
        vcpus[1].gpr[i] = 0x11111111u * i;
    vcpus[1].gpr[RCX] = rcx;
    assert_true(course_leaf(&vcpus[1], number, &r));
    return r;
}

static void check(struct cpuid_regs r, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    assert_int_equal(r.eax, a);
    assert_int_equal(r.ebx, b);
    assert_int_equal(r.ecx, c);
    assert_int_equal(r.edx, d);
}

static void totals_are_the_whole_vm(void **state)
{
    (void)state;
    check(leaf(TOTAL, 0), (uint32_t)(6 * 0x50000001ull), 0, 0, 0);
    check(leaf(TOTAL, USED_CODE), (uint32_t)(6 * 0x50000001ull), 0, 0, 0);
}

static void cycles_in_two_halves(void **state)
{
    uint64_t sum = 6 * 0x123456789ull;

    (void)state;
    check(leaf(CYCLES, 0), 0, (uint32_t)(sum >> 32), (uint32_t)sum, 0);
}

static void by_reason(void **state)
{
    uint64_t cycles = 6 * 0x300000000ull + 3 * USED_CODE;

    (void)state;
    check(leaf(BY_REASON, USED_CODE), 6 * 7 + 3 * USED_CODE, 0, 0, 0);
    check(leaf(CYCLES_OF, USED_CODE), 0, (uint32_t)(cycles >> 32), (uint32_t)cycles, 0);
}

static void reason_is_ecx(void **state)
{
    (void)state;
    check(leaf(BY_REASON, 0xABCD00000000ull | USED_CODE), 6 * 7 + 3 * USED_CODE, 0, 0, 0);
}

static void undefined_reasons(void **state)
{
    static const uint32_t bad[] = {UNDEFINED_CODE, CODES, CODES + 1, 255, 256, 65536, 0x80000000u,
                                   NONE};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        check(leaf(BY_REASON, bad[i]), 0, 0, 0, NONE);
        check(leaf(CYCLES_OF, bad[i]), 0, 0, 0, NONE);
    }
}

static void reasons_that_are_off(void **state)
{
    (void)state;
    check(leaf(BY_REASON, DISABLED_CODE), 0, 0, 0, 0);
    check(leaf(CYCLES_OF, DISABLED_CODE), 0, 0, 0, 0);
}

static void other_leaves(void **state)
{
    static const uint32_t others[] = {0x40000000, 0x40000100, TOTAL + 1, TOTAL - 1, CYCLES + 1};
    struct cpuid_regs r;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
        assert_false(course_leaf(&vcpus[0], others[i], &r));
}

static void numbers_come_from_the_manifest(void **state)
{
    struct cpuid_regs r;

    (void)state;
    config.course = (struct boot_course_leaves){.total_exits = 0x45678000};
    check(leaf(0x45678000, 0), (uint32_t)(6 * 0x50000001ull), 0, 0, 0);
    assert_false(course_leaf(&vcpus[0], TOTAL, &r));
    assert_false(course_leaf(&vcpus[0], CYCLES, &r));
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(totals_are_the_whole_vm), CASE(cycles_in_two_halves), CASE(by_reason),
        CASE(reason_is_ecx),           CASE(undefined_reasons),    CASE(reasons_that_are_off),
        CASE(other_leaves),            CASE(numbers_come_from_the_manifest),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
