/* SPDX-License-Identifier: MIT */
/* Injection, events that an exit interrupted, NMI blocking, windows (build host). */
/* sources: svm/check.c svm/check_rules.c svm/ctls.c svm/decode.c svm/event.c svm/insn.c
 * svm/intercept.c svm/npt.c svm/probe.c svm/regs.c svm/run.c svm/setup.c kernel/pt_host.c
 * kernel/page.c kernel/vcpu_reset.c kernel/fetch.c kernel/insn.c tests/unit/fake_svm.c
 * tests/unit/host_stubs.c */
/* flags: -Wl,--wrap=log_printf */
#include "tests/unit/svm_case.h"

#define VINTR_WINDOW (VINTR_IRQ | VINTR_IGNORE_TPR | 0xfull << VINTR_PRIORITY_SHIFT)

static void enter_with(struct vevent event)
{
    v->event = event;
    exit_with(VMEXIT_NMI, 0);
}

/* APM 2, "Event Injection" */
static void injected(void **state)
{
    static const struct {
        struct vevent event;
        uint64_t word;
        uint8_t behind; /* RIP is this much further */
    } rows[] = {
        { { .type = VEVENT_INTERRUPT, .vector = 0xff }, 0x800000ff, 0 },
        { { .type = VEVENT_NMI, .vector = VECTOR_NMI }, 0x80000202, 0 },
        { { .type = VEVENT_EXCEPTION, .vector = VECTOR_UD }, 0x80000306, 0 },
        { { .type = VEVENT_EXCEPTION, .vector = VECTOR_PF, .has_error_code = true,
            .error_code = 0xfffffffe }, 0xfffffffe80000b0e, 0 },
        { { .type = VEVENT_EXCEPTION, .vector = VECTOR_GP, .has_error_code = true }, 0x80000b0d,
          0 },
        { { .type = VEVENT_SOFT_INTERRUPT, .vector = 0x80, .length = 2 }, 0x80000480, 2 },
        { { .type = VEVENT_SOFT_EXCEPTION, .vector = VECTOR_BP, .length = 1 }, 0x80000303, 1 },
        { { .type = VEVENT_ICEBP, .vector = VECTOR_DB, .length = 1 }, 0x80000301, 1 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(state);
        enter_with(rows[i].event);
        assert_int_equal(fake_svm.entered.control.event_inject, rows[i].word);
        assert_int_equal(fake_svm.entered.save.rip, CASE_RIP + rows[i].behind);
        if (rows[i].behind)
            assert_int_equal(fake_svm.entered.control.next_rip, CASE_RIP + rows[i].behind);
        assert_int_equal(v->event.type, VEVENT_NONE);
    }
}

/* APM 2, "EXITINTINFO" */
static void interrupted_events_come_again(void **state)
{
    static const struct {
        uint64_t info;
        enum vevent_type type;
    } rows[] = {
        { EVENT(EVENT_TYPE_INTR, 0x30), VEVENT_INTERRUPT },
        { EVENT(EVENT_TYPE_NMI, VECTOR_NMI), VEVENT_NMI },
        { EVENT(EVENT_TYPE_EXCEPTION, VECTOR_PF) | EVENT_ERROR_CODE | 0x1234ull << 32,
          VEVENT_EXCEPTION },
        { EVENT(EVENT_TYPE_EXCEPTION, VECTOR_UD), VEVENT_EXCEPTION },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(state);
        control()->exit_int_info = rows[i].info;
        exit_with(VMEXIT_NPF, 0);
        assert_event(v, rows[i].type, (uint8_t)rows[i].info, rows[i].info & EVENT_ERROR_CODE);
        assert_int_equal(v->event.error_code, rows[i].info >> 32);
        assert_int_equal(v->event.length, 0);
        control()->exit_int_info = 0;
        exit_with(VMEXIT_NPF, 0);
        assert_int_equal(fake_svm.entered.control.event_inject, rows[i].info);
        assert_int_equal(v->event.type, VEVENT_NONE);
    }
}

/* QEMU leaves what an earlier exit has said, but for V. A high half without EV is no error code. */
static void stale_words(void **state)
{
    (void)state;
    control()->exit_int_info = (EVENT(EVENT_TYPE_EXCEPTION, VECTOR_PF) | EVENT_ERROR_CODE) ^
                               EVENT_VALID;
    exit_with(VMEXIT_NPF, 0);
    assert_int_equal(v->event.type, VEVENT_NONE);
    control()->exit_int_info = EVENT(EVENT_TYPE_EXCEPTION, VECTOR_UD) | 0x77ull << 32;
    exit_with(VMEXIT_NPF, 0);
    assert_event(v, VEVENT_EXCEPTION, VECTOR_UD, false);
    assert_int_equal(v->event.error_code, 0);
}

static const uint64_t software[] = {
    EVENT(EVENT_TYPE_SOFTWARE, 0x80), EVENT(EVENT_TYPE_SOFTWARE, VECTOR_NMI),
    EVENT(EVENT_TYPE_EXCEPTION, VECTOR_BP), EVENT(EVENT_TYPE_EXCEPTION, VECTOR_OF),
};

/* RIP is the instruction's own, so that it is executed again. */
static void software_interrupts_come_by_themselves(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(software); i++) {
        setup(state);
        control()->exit_int_info = software[i];
        exit_with(VMEXIT_NPF, 0);
        assert_int_equal(v->event.type, VEVENT_NONE);
        assert_int_equal(svm_get(v, VREG_RIP), CASE_RIP);
    }
}

static void stack_is_missing(void)
{
    control()->exit_int_info = fake_svm.entered.control.event_inject;
}

/* Nor is one lost that we have injected, with RIP behind the instruction. */
static void injected_software_interrupts_too(void **state)
{
    const struct vevent bp = { .type = VEVENT_SOFT_EXCEPTION, .vector = VECTOR_BP, .length = 1 };

    (void)state;
    fake_svm.entry = stack_is_missing;
    v->event = bp;
    exit_with(VMEXIT_NPF, 0);
    assert_int_equal(v->event.type, VEVENT_NONE);
    assert_int_equal(svm_get(v, VREG_RIP), CASE_RIP);
    fake_svm.entry = NULL;
    control()->exit_int_info = 0;
    v->event = bp;
    exit_with(VMEXIT_NPF, 0);
    assert_int_equal(svm_get(v, VREG_RIP), CASE_RIP + 1);
    /* and the next instruction is not confused with it */
    control()->exit_int_info = EVENT(EVENT_TYPE_SOFTWARE, 0x80);
    exit_with(VMEXIT_NPF, 0);
    assert_int_equal(svm_get(v, VREG_RIP), CASE_RIP + 1);
    /* a timer's exit in place of the entry */
    control()->exit_int_info = 0;
    backend->set_timer(v, 0);
    v->event = bp;
    exit_with(VMEXIT_NPF, 0);
    assert_int_equal(last.kind, EXIT_TIMER);
    assert_int_equal(svm_get(v, VREG_RIP), CASE_RIP + 1);
}

static void readiness(void **state)
{
    (void)state;
    save()->rflags = RFLAGS_FIXED1 | RFLAGS_IF;
    exit_with(VMEXIT_NMI, 0);
    assert_true(svm_interruptible(v) && svm_nmi_ready(v));
    control()->interrupt_shadow = SHADOW_INTERRUPT;
    exit_with(VMEXIT_NMI, 0);
    assert_false(svm_interruptible(v) || svm_nmi_ready(v));
    control()->interrupt_shadow = SHADOW_GUEST_IF; /* not a shadow */
    exit_with(VMEXIT_NMI, 0);
    assert_true(svm_interruptible(v) && svm_nmi_ready(v));
    save()->rflags = RFLAGS_FIXED1;
    exit_with(VMEXIT_NMI, 0);
    assert_true(!svm_interruptible(v) && svm_nmi_ready(v));
}

static void interrupt_window(void **state)
{
    const struct vmcb_control before = *control();

    (void)state;
    svm_window(v, VWINDOW_IRQ);
    assert_int_equal(control()->vintr, before.vintr | VINTR_WINDOW);
    assert_int_equal(control()->intercept_1, before.intercept_1 | INTERCEPT_1_VINTR);
    exit_with(VMEXIT_VINTR, 0);
    assert_int_equal(last.kind, EXIT_IRQ_WINDOW);
    svm_window(v, 0);
    assert_int_equal(control()->vintr, before.vintr);
    assert_int_equal(control()->intercept_1, before.intercept_1);
}

static void inject_nmi(void)
{
    enter_with((struct vevent){ .type = VEVENT_NMI, .vector = VECTOR_NMI });
}

/* Until IRET has been executed; its intercept comes before. */
static void nmi_blocking(void **state)
{
    (void)state;
    assert_false(control()->intercept_1 & INTERCEPT_1_IRET);
    inject_nmi();
    assert_true(fake_svm.entered.control.intercept_1 & INTERCEPT_1_IRET);
    assert_false(svm_nmi_ready(v));
    save()->rip = 0x5000;
    exit_with(VMEXIT_IRET, 0);
    assert_int_equal(last.kind, EXIT_NMI_WINDOW);
    assert_int_equal(last.length, 0); /* it is executed now */
    assert_false(control()->intercept_1 & INTERCEPT_1_IRET);
    assert_false(svm_nmi_ready(v));
    assert_false(svm_get(v, VREG_RFLAGS) & RFLAGS_TF); /* nobody waits for it */
    save()->rip = 0x1000;
    exit_with(VMEXIT_NMI, 0);
    assert_true(svm_nmi_ready(v));
}

#define STALE (DR6_INIT | DR6_B0 | DR6_BS)

/* An NMI waits, and IRET is about to be stepped. */
static void step_iret(void)
{
    inject_nmi();
    svm_window(v, VWINDOW_NMI);
    assert_false(svm_get(v, VREG_RFLAGS) & RFLAGS_TF); /* IRET's intercept is the window */
    save()->dr6 = STALE;
    exit_with(VMEXIT_IRET, 0);
    assert_true(svm_get(v, VREG_RFLAGS) & RFLAGS_TF);
    assert_false(svm_nmi_ready(v));
    svm_write_back(v);
    v->valid = v->requests = 0;
}

/* It comes behind the IRET. What IRET has put into RFLAGS is the guest's, and so is DR6. */
static void nmi_window_behind_iret(void **state)
{
    for (unsigned traced = 0; traced < 2; traced++) {
        uint64_t flags = RFLAGS_FIXED1 | RFLAGS_IF | (traced ? RFLAGS_TF : 0);

        setup(state);
        save()->rflags = RFLAGS_FIXED1 | RFLAGS_IF;
        step_iret();
        v->valid = VCPU_RFLAGS;
        assert_false(svm_interruptible(v)); /* an interrupt would push our TF */
        assert_false(v->valid & VCPU_SHADOW); /* the next look comes here as well */
        v->valid = 0;
        assert_int_equal(save()->dr6, DR6_INIT);
        save()->rflags = flags; /* by IRET */
        save()->rip = 0x1000;
        save()->dr6 = DR6_INIT | DR6_BS;
        exit_with(VMEXIT_EXCP(VECTOR_DB), 0);
        assert_int_equal(last.kind, EXIT_NONE);
        assert_int_equal(svm_get(v, VREG_RFLAGS), flags);
        assert_int_equal(save()->dr6, STALE);
        assert_true(v->requests & VCPU_REQ_IRQ);
        assert_true(svm_nmi_ready(v) && svm_interruptible(v));
        assert_int_equal(control()->intercept_exceptions, SVM_EXCEPTIONS);
        exit_with(VMEXIT_EXCP(VECTOR_DB), 0); /* nobody steps now: the guest's */
        assert_int_equal(last.kind, EXIT_EXCEPTION);
    }
}

/* A breakpoint of the guest's at the same time is its own. */
static void breakpoint_behind_iret(void **state)
{
    (void)state;
    step_iret();
    save()->rip = 0x1000;
    save()->dr6 = DR6_INIT | DR6_BS | DR6_B1;
    exit_with(VMEXIT_EXCP(VECTOR_DB), 0);
    assert_int_equal(last.kind, EXIT_EXCEPTION);
    assert_true(last.debug_status & DR6_B1);
    assert_true(svm_nmi_ready(v));
}

/* It gets its fault, with its own TF. */
static void iret_that_faults(void **state)
{
    static const uint8_t vectors[] = { VECTOR_TS, VECTOR_NP, VECTOR_SS, VECTOR_GP, VECTOR_PF };

    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        setup(state);
        step_iret();
        assert_true(control()->intercept_exceptions & BIT(vectors[i]));
        save()->cr2 = 0x1111;
        control()->exit_info2 = 0x7777;
        exit_with(VMEXIT_EXCP(vectors[i]), 0x18);
        assert_int_equal(last.kind, EXIT_NONE);
        assert_event(v, VEVENT_EXCEPTION, vectors[i], true);
        assert_int_equal(v->event.error_code, 0x18);
        assert_int_equal(save()->cr2, vectors[i] == VECTOR_PF ? 0x7777 : 0x1111);
        assert_false(svm_get(v, VREG_RFLAGS) & RFLAGS_TF);
        assert_int_equal(save()->dr6, STALE);
        assert_int_equal(control()->intercept_exceptions, SVM_EXCEPTIONS);
        assert_false(control()->intercept_1 & INTERCEPT_1_IRET);
        assert_true(fake_svm.wakeup != VTIMER_OFF); /* the NMI comes then */
    }
}

/* A machine check has nothing to do with it: the IRET is still to come. */
static void machine_check_before_iret(void **state)
{
    (void)state;
    step_iret();
    exit_with(VMEXIT_EXCP(VECTOR_MC), 0);
    assert_int_equal(last.vector, VECTOR_MC);
    assert_false(svm_nmi_ready(v));
    assert_true(svm_get(v, VREG_RFLAGS) & RFLAGS_TF);
}

/* In a shadow, or while the guest steps itself: when the host's timer has made it exit. */
static void nmi_that_waits_otherwise(void **state)
{
    (void)state;
    fake_svm.tsc = 5000;
    control()->interrupt_shadow = SHADOW_INTERRUPT;
    svm_window(v, VWINDOW_NMI);
    assert_false(svm_get(v, VREG_RFLAGS) & RFLAGS_TF);
    assert_in_range(fake_svm.wakeup, fake_svm.tsc + 1, fake_svm.tsc + 1000000);
    backend->set_timer(v, fake_svm.tsc + 1);
    assert_int_equal(fake_svm.wakeup, fake_svm.tsc + 1);
    backend->set_timer(v, VTIMER_OFF);
    assert_true(fake_svm.wakeup != VTIMER_OFF);
    backend->set_timer(v, fake_svm.tsc + 10000000);
    fake_svm.wakeup = VTIMER_OFF; /* it has come */
    control()->interrupt_shadow = 0;
    exit_with(VMEXIT_INTR, 0);
    assert_true(v->requests & VCPU_REQ_IRQ);
    assert_true(svm_nmi_ready(v));
    svm_window(v, 0);
    assert_int_equal(fake_svm.wakeup, fake_svm.tsc + 10000000); /* the deadline is not lost */
    fake_svm.wakeup = VTIMER_OFF;
    exit_with(VMEXIT_INTR, 0);
    assert_int_equal(fake_svm.wakeup, fake_svm.tsc + 10000000);
    backend->set_timer(v, fake_svm.tsc); /* nor armed where it has passed */
    fake_svm.wakeup = VTIMER_OFF;
    svm_window(v, VWINDOW_IRQ);
    assert_int_equal(fake_svm.wakeup, VTIMER_OFF);
    setup(state);
    inject_nmi();
    save()->rflags = RFLAGS_FIXED1 | RFLAGS_TF;
    svm_window(v, VWINDOW_NMI);
    assert_int_equal(fake_svm.wakeup, VTIMER_OFF);
    exit_with(VMEXIT_IRET, 0);
    assert_int_equal(control()->intercept_exceptions, SVM_EXCEPTIONS);
    assert_true(fake_svm.wakeup != VTIMER_OFF);
    save()->dr6 = DR6_INIT | DR6_BS;
    exit_with(VMEXIT_EXCP(VECTOR_DB), 0);
    assert_int_equal(last.kind, EXIT_EXCEPTION);
    assert_int_equal(last.debug_status, DR6_BS);
    assert_true(svm_get(v, VREG_RFLAGS) & RFLAGS_TF);
}

static void reset_unblocks(void **state)
{
    const struct vmcb_control before = *control();

    (void)state;
    inject_nmi();
    svm_vcpu_reset(v);
    assert_true(svm_nmi_ready(v));
    assert_int_equal(control()->intercept_1, before.intercept_1);
    step_iret();
    svm_vcpu_reset(v);
    assert_int_equal(control()->intercept_exceptions, SVM_EXCEPTIONS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(injected, setup),
        cmocka_unit_test_setup(interrupted_events_come_again, setup),
        cmocka_unit_test_setup(stale_words, setup),
        cmocka_unit_test_setup(software_interrupts_come_by_themselves, setup),
        cmocka_unit_test_setup(injected_software_interrupts_too, setup),
        cmocka_unit_test_setup(readiness, setup),
        cmocka_unit_test_setup(interrupt_window, setup),
        cmocka_unit_test_setup(nmi_blocking, setup),
        cmocka_unit_test_setup(nmi_window_behind_iret, setup),
        cmocka_unit_test_setup(breakpoint_behind_iret, setup),
        cmocka_unit_test_setup(iret_that_faults, setup),
        cmocka_unit_test_setup(machine_check_before_iret, setup),
        cmocka_unit_test_setup(nmi_that_waits_otherwise, setup),
        cmocka_unit_test_setup(reset_unblocks, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
