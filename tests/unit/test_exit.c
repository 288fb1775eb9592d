/* SPDX-License-Identifier: MIT */
/* The step past an instruction, verdicts, and the small handlers (build host). */
/* sources: kernel/exit.c kernel/exits.c kernel/inject.c
 * kernel/vcpu.c kernel/gmem.c kernel/pt.c
 * kernel/pt_change.c kernel/pt_read.c kernel/page.c kernel/iobus.c vmx/ept.c
 * tests/unit/fake_backend.c tests/unit/fake_guest.c tests/unit/fake_stubs.c
 * tests/unit/host_stubs.c */
#include "kernel/exit_loop.h"
#include "tests/unit/exit_case.h"

#include <string.h>

/* An instruction's exit as the loop has it; then the copies are written back. */
static bool dispatch(enum exit_kind kind, uint8_t length)
{
    struct vmexit exit = { .kind = (uint8_t)kind, .length = length };
    bool stay;

    v->rip = fake.regs[VREG_RIP];
    v->rflags = fake.regs[VREG_RFLAGS];
    v->shadow = (uint32_t)fake.regs[VREG_SHADOW];
    memset(fake.copied, true, sizeof(fake.copied));
    stay = exit_finish(v, &exit, exit_handlers[kind](v, &exit));
    fake_write_back();
    return stay;
}

/* SDM 3A: the instruction pointer has the width of the code. */
static void rip_wraps(void **state)
{
    static const struct {
        void (*mode)(void);
        uint64_t rip;
        uint8_t length;
        uint64_t next;
    } rows[] = {
        { fake_real, 0x1000, 2, 0x1002 },
        { fake_real, 0xfffe, 2, 0 },
        { fake_real, 0xffff, 3, 2 },
        { fake_protected, 0xfffe, 2, 0x10000 },
        { fake_protected, 0xffffffff, 2, 1 },
        { fake_protected, 0xfffffffe, 2, 0 },
        { fake_long, 0xfffffffe, 4, 0x100000002 },
        { fake_long, 0xffffffff8100fffe, 2, 0xffffffff81010000 },
        { fake_long, 0x7fffffffffff, 1, 0x800000000000 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(state);
        rows[i].mode();
        fake.regs[VREG_RIP] = rows[i].rip;
        assert_true(dispatch(EXIT_CPUID, rows[i].length));
        assert_int_equal(fake.regs[VREG_RIP], rows[i].next);
    }
}

/* Compatibility mode is 32-bit code, and 16-bit code exists beside it. */
static void rip_wraps_in_compatibility_mode(void **state)
{
    (void)state;
    fake_long();
    fake.segments[VSEG_CS].access = 0xc09b;
    fake.regs[VREG_RIP] = 0xfffffffe;
    dispatch(EXIT_CPUID, 2);
    assert_int_equal(fake.regs[VREG_RIP], 0);
    fake.segments[VSEG_CS].access = 0x9b;
    fake.regs[VREG_RIP] = 0xfffe;
    dispatch(EXIT_CPUID, 2);
    assert_int_equal(fake.regs[VREG_RIP], 0);
}

/* STI and MOV SS shadow one instruction only; blocking by NMI is another matter. */
static void shadow_ends(void **state)
{
    (void)state;
    for (uint64_t shadow = 1; shadow <= 2; shadow++) {
        fake.regs[VREG_SHADOW] = shadow | 8;
        dispatch(EXIT_CPUID, 2);
        assert_int_equal(fake.regs[VREG_SHADOW], 8);
    }
}

static void trap_flag(void **state)
{
    (void)state;
    fake.regs[VREG_RFLAGS] |= RFLAGS_TF;
    fake.regs[VREG_DR6] = DR6_INIT;
    dispatch(EXIT_CPUID, 2);
    assert_exception(VECTOR_DB, -1);
    assert_int_equal(fake.regs[VREG_DR6], DR6_INIT | DR6_BS);
    assert_int_equal(fake.regs[VREG_RIP], 2);
    /* not for an instruction that is to be executed again */
    setup(state);
    fake.regs[VREG_RFLAGS] |= RFLAGS_TF;
    verdict = VERDICT_RETRY;
    dispatch(EXIT_CPUID, 2);
    assert_no_event();
}

static void verdicts(void **state)
{
    static const struct {
        enum verdict verdict;
        bool stay;
        uint64_t rip;
    } rows[] = {
        { VERDICT_NEXT, true, 2 }, { VERDICT_RETRY, true, 0 },
        { VERDICT_LEAVE, false, 2 }, { VERDICT_STOP, true, 0 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(state);
        verdict = rows[i].verdict;
        assert_int_equal(dispatch(EXIT_IO, 2), rows[i].stay);
        assert_int_equal(fake.regs[VREG_RIP], rows[i].rip);
    }
}

static void kinds_have_one_handler(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < EXIT_KINDS; kind++)
        assert_non_null(exit_handlers[kind]);
    expect_assert_failure(exit_init()); /* each kind has a handler already */
}

static void instructions_that_are_not_there(void **state)
{
    (void)state;
    dispatch(EXIT_UNDEFINED, 3);
    assert_exception(VECTOR_UD, -1);
    assert_int_equal(fake.regs[VREG_RIP], 0);
    setup(state);
    dispatch(EXIT_FORBIDDEN, 3);
    assert_exception(VECTOR_GP, 0);
    setup(state);
    dispatch(EXIT_CACHE, 2);
    assert_no_event();
    assert_int_equal(fake.regs[VREG_RIP], 2);
}

static void xsetbv(void **state)
{
    (void)state;
    v->gpr[RAX] = 0xffffffff00000007;
    v->gpr[RCX] = 0xffffffff00000000;
    dispatch(EXIT_XSETBV, 3);
    assert_no_event();
    assert_int_equal(v->xcr0, 7);
    v->gpr[RDX] = 1;
    dispatch(EXIT_XSETBV, 3);
    assert_exception(VECTOR_GP, 0);
    setup(state);
    v->gpr[RAX] = 7;
    fake_cpl(3);
    dispatch(EXIT_XSETBV, 3);
    assert_exception(VECTOR_GP, 0);
    assert_int_equal(v->xcr0, 0);
}

static void exceptions_go_back(void **state)
{
    struct vmexit exit = { .kind = EXIT_EXCEPTION, .vector = VECTOR_DB, .debug_status = DR6_B2 };

    (void)state;
    fake_handle(&exit);
    assert_exception(VECTOR_DB, -1);
    assert_int_equal(fake.regs[VREG_DR6], DR6_B2);
    setup(state);
    exit = (struct vmexit){ .kind = EXIT_EXCEPTION, .vector = VECTOR_AC, .has_error_code = true };
    fake_handle(&exit);
    assert_exception(VECTOR_AC, 0);
    setup(state);
    exit.vector = VECTOR_MC;
    fake_handle(&exit);
    assert_int_equal(machine_checks, 1);
    assert_no_event(); /* the machine's business */
    exit.vector = VECTOR_PF;
    assert_int_equal(fake_handle(&exit), VERDICT_STOP);
    assert_int_equal(fake.failures, 1);
}

static void what_stops_a_vm(void **state)
{
    static const enum exit_kind kinds[] = { EXIT_TRIPLE_FAULT, EXIT_TASK_SWITCH,
                                            EXIT_ENTRY_FAILED, EXIT_UNKNOWN };

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        setup(state);
        dispatch(kinds[i], 0);
        assert_int_equal(fake.failures, 1);
        assert_int_equal(v->event.type, VEVENT_NONE);
    }
}

/* A delivery in microcode that does not end starts anew, and others get their turn before it. */
static void stuck(void **state)
{
    struct vmexit exit = { .kind = EXIT_STUCK };

    (void)state;
    v->slice_end = 0;
    assert_int_equal(fake_handle(&exit), VERDICT_RETRY);
    assert_int_equal(fake.failures, 0);
    assert_true(v->requests & VCPU_REQ_YIELD);
    exit.state_lost = true;
    assert_int_equal(fake_handle(&exit), VERDICT_STOP);
    assert_int_equal(fake.failures, 1);
    assert_non_null(strstr(fake.reason, "lost its state"));
}

static void of_the_host(void **state)
{
    struct vmexit exit = { .kind = EXIT_INTERRUPT, .vector = 0xf0 };

    (void)state;
    assert_int_equal(fake_handle(&exit), VERDICT_RETRY);
    assert_int_equal(interrupts, 1);
    exit.kind = EXIT_NMI;
    fake_handle(&exit);
    assert_int_equal(nmis, 1);
    assert_no_event(); /* none of it is the guest's */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rip_wraps, setup),
        cmocka_unit_test_setup(rip_wraps_in_compatibility_mode, setup),
        cmocka_unit_test_setup(shadow_ends, setup),
        cmocka_unit_test_setup(trap_flag, setup),
        cmocka_unit_test_setup(verdicts, setup),
        cmocka_unit_test_setup(kinds_have_one_handler, setup),
        cmocka_unit_test_setup(instructions_that_are_not_there, setup),
        cmocka_unit_test_setup(xsetbv, setup),
        cmocka_unit_test_setup(exceptions_go_back, setup),
        cmocka_unit_test_setup(what_stops_a_vm, setup),
        cmocka_unit_test_setup(stuck, setup),
        cmocka_unit_test_setup(of_the_host, setup),
    };

    return cmocka_run_group_tests(tests, once, NULL);
}
