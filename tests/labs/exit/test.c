/* SPDX-License-Identifier: MIT */
/* What docs/labs/exit.md asks of the handler for RDPMC (build host). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/exit.h"
#include "kernel/log.h"
#include "kernel/vcpu.h"
#include "kernel/x86.h"

#define CODE 15 /* of RDPMC, in SDM 3D, Appendix C; a handler has no need to know it */
#define HIGH 0xA5A5A5A500000000ull
#define NOT_INJECTED (-1)

static struct vcpu vcpu;
static int injected;
static uint32_t injected_error;

void vcpu_inject_error(struct vcpu *v, uint8_t vector, uint32_t error_code)
{
    assert_ptr_equal(v, &vcpu);
    injected = vector;
    injected_error = error_code;
}

void vcpu_inject_exception(struct vcpu *v, uint8_t vector)
{
    vcpu_inject_error(v, vector, UINT32_MAX); /* an error code that #GP does not have */
}

uint64_t vcpu_gpr(struct vcpu *v, unsigned number)
{
    return v->gpr[number];
}

void vcpu_set_gpr(struct vcpu *v, unsigned number, uint64_t value)
{
    v->gpr[number] = value;
}

void log_printf(const char *format, ...)
{
    (void)format;
}

static enum verdict rdpmc(uint64_t rcx)
{
    struct vmexit exit = {.kind = EXIT_RDPMC, .code = CODE, .length = 2};
    const struct exit_handler *handler = NULL;

    SET_FOREACH(p, exit_handler) {
        if ((*p)->kind == EXIT_RDPMC)
            handler = *p;
    }
    assert_non_null(handler);
    injected = NOT_INJECTED;
    for (unsigned i = 0; i < GPRS; i++)
        vcpu.gpr[i] = HIGH | i;
    vcpu.gpr[RCX] = rcx;
    return handler->handle(&vcpu, &exit);
}

static int setup(void **state)
{
    (void)state;
    memset(&vcpu, 0, sizeof(vcpu));
    vcpu.stats.all.exits = 0x123456789ABCull;
    vcpu.stats.all.cycles = 0xFEDCBA9876543210ull;
    for (unsigned i = 0; i < VCPU_EXIT_CODES; i++)
        vcpu.stats.by_code[i].exits = 1000 + i;
    vcpu.stats.by_code[CODE].exits = 0x7700000077ull;
    return 0;
}

static void check_counter(uint64_t rcx, uint64_t value)
{
    assert_int_equal(rdpmc(rcx), VERDICT_NEXT);
    assert_int_equal(injected, NOT_INJECTED);
    assert_int_equal(vcpu.gpr[RAX], (uint32_t)value);
    assert_int_equal(vcpu.gpr[RDX], value >> 32);
}

static void there_is_one_handler(void **state)
{
    unsigned count = 0;

    (void)state;
    SET_FOREACH(p, exit_handler)
        count += (*p)->kind == EXIT_RDPMC;
    assert_int_equal(count, 1);
}

static void counts_exits(void **state)
{
    (void)state;
    check_counter(0, vcpu.stats.all.exits);
}

static void counts_cycles(void **state)
{
    (void)state;
    check_counter(1, vcpu.stats.all.cycles);
}

static void counts_itself(void **state)
{
    (void)state;
    check_counter(2, vcpu.stats.by_code[CODE].exits);
}

static void ignores_the_upper_half(void **state)
{
    (void)state;
    check_counter(HIGH | 1, vcpu.stats.all.cycles);
}

static void leaves_other_registers(void **state)
{
    (void)state;
    assert_int_equal(rdpmc(0), VERDICT_NEXT);
    for (unsigned i = 0; i < GPRS; i++) {
        if (i != RAX && i != RCX && i != RDX)
            assert_int_equal(vcpu.gpr[i], HIGH | i);
    }
    assert_int_equal(vcpu.gpr[RCX], 0);
}

static void refuses_other_counters(void **state)
{
    static const uint64_t bad[] = {3, 4, 255, 0x40000000, 0x80000000, 0xFFFFFFFF};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(rdpmc(bad[i]), VERDICT_RETRY);
        assert_int_equal(injected, VECTOR_GP);
        assert_int_equal(injected_error, 0);
        assert_int_equal(vcpu.gpr[RAX], HIGH | RAX);
        assert_int_equal(vcpu.gpr[RDX], HIGH | RDX);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(there_is_one_handler, setup),
        cmocka_unit_test_setup(counts_exits, setup),
        cmocka_unit_test_setup(counts_cycles, setup),
        cmocka_unit_test_setup(counts_itself, setup),
        cmocka_unit_test_setup(ignores_the_upper_half, setup),
        cmocka_unit_test_setup(leaves_other_registers, setup),
        cmocka_unit_test_setup(refuses_other_counters, setup),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
