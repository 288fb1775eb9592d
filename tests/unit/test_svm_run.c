/* SPDX-License-Identifier: MIT */
/* Entries: ASIDs and flushes, the timer, what an entry leaves in the VMCB (build host). */
/* sources: svm/check.c svm/check_rules.c svm/ctls.c svm/decode.c svm/event.c svm/insn.c
 * svm/intercept.c svm/npt.c svm/probe.c svm/regs.c svm/run.c svm/setup.c kernel/pt_host.c
 * kernel/page.c kernel/vcpu_reset.c kernel/fetch.c kernel/insn.c tests/unit/fake_svm.c
 * tests/unit/host_stubs.c */
/* flags: -Wl,--wrap=log_printf */
#include "svm/check.h"
#include "svm/npt.h"
#include "tests/unit/svm_case.h"

static void entered_with(uint32_t asid, enum vmcb_tlb tlb)
{
    exit_with(VMEXIT_NMI, 0);
    assert_int_equal(fake_svm.entered.control.asid, asid);
    assert_int_equal(fake_svm.entered.control.tlb_control, tlb);
    assert_int_equal(control()->tlb_control, TLB_NOTHING);
}

/* An ASID of its own needs no flush; where they run out, all start anew behind one. So it is at the
 * very first, since a TLB may hold what was there before us. */
static void asids(void **state)
{
    (void)state;
    entered_with(1, TLB_FLUSH_ALL);
    entered_with(1, TLB_NOTHING);
    for (uint32_t asid = 2; asid < FAKE_ASIDS; asid++) {
        backend->flush_linear(v);
        entered_with(asid, TLB_NOTHING);
        entered_with(asid, TLB_NOTHING);
    }
    backend->flush(&fake_svm.vm);
    entered_with(1, TLB_FLUSH_ALL);
    entered_with(1, TLB_NOTHING);
    backend->flush(&fake_svm.vm);
    entered_with(2, TLB_NOTHING);
}

/* Two are the fewest that the probe accepts: each flush is one of the whole TLB. */
static void one_asid(void **state)
{
    (void)state;
    svm_caps.asids = 2;
    entered_with(1, TLB_FLUSH_ALL);
    for (unsigned i = 0; i < 3; i++) {
        backend->flush_linear(v);
        entered_with(1, TLB_FLUSH_ALL);
    }
}

/* The next entry asks for the flush again, whichever vCPU it is. */
static void refused(void **state)
{
    (void)state;
    exit_with(VMEXIT_INVALID, 0);
    assert_int_equal(fake_svm.entered.control.tlb_control, TLB_FLUSH_ALL);
    backend->flush_linear(v);
    entered_with(1, TLB_FLUSH_ALL);
    entered_with(1, TLB_NOTHING);
}

/* An ASID of an older generation may be another vCPU's by now. */
static void old_generation(void **state)
{
    struct svm_cpu *cpu = this_cpu()->backend;

    (void)state;
    entered_with(1, TLB_FLUSH_ALL);
    cpu->generation++;
    cpu->next_asid = 5;
    entered_with(5, TLB_NOTHING);
}

/* Each vCPU is flushed by its own CPU. */
static void flush_is_for_this_cpu(void **state)
{
    static struct vcpu other, unborn;
    static struct svm_vcpu other_state;
    static struct cpu elsewhere;

    (void)state;
    other = (struct vcpu){ .vm = &fake_svm.vm, .cpu = &elsewhere, .backend = &other_state };
    unborn = (struct vcpu){ .vm = &fake_svm.vm, .cpu = this_cpu() };
    fake_svm.vm.vcpus[1] = &other;
    fake_svm.vm.vcpus[2] = NULL;
    fake_svm.vm.vcpus[3] = &unborn;
    fake_svm.vm.vcpu_count = 4;
    other_state.generation = 1;
    entered_with(1, TLB_FLUSH_ALL);
    backend->flush(&fake_svm.vm);
    assert_int_equal(other_state.generation, 1);
    entered_with(2, TLB_NOTHING);
    other.cpu = this_cpu();
    backend->flush(&fake_svm.vm);
    assert_int_equal(other_state.generation, 0);
}

static void assert_timer(void)
{
    exit_with(VMEXIT_NMI, 0);
    assert_int_equal(last.kind, EXIT_TIMER);
    assert_int_equal(last.code, SVM_CODE_TIMER);
    assert_int_equal(last.length, 0);
}

static void timer(void **state)
{
    (void)state;
    fake_svm.tsc = 1000;
    backend->set_timer(v, 1001);
    assert_int_equal(fake_svm.wakeup, 1001);
    exit_with(VMEXIT_NMI, 0);
    assert_int_equal(last.kind, EXIT_NONE);
    /* the host's timer comes: not early */
    exit_with(VMEXIT_INTR, 0);
    assert_int_equal(last.kind, EXIT_INTERRUPT);
    exit_with(VMEXIT_NMI, 0);
    assert_int_equal(last.kind, EXIT_NONE);
    fake_svm.tsc = 1001;
    exit_with(VMEXIT_INTR, 0);
    assert_int_equal(last.kind, EXIT_INTERRUPT);
    assert_int_equal(fake_svm.entries, 4);
    assert_timer(); /* without an entry, and once */
    assert_int_equal(fake_svm.entries, 4);
    exit_with(VMEXIT_NMI, 0);
    assert_int_equal(fake_svm.entries, 5);
    /* one that has passed when it is set */
    backend->set_timer(v, 1001);
    assert_timer();
    assert_int_equal(fake_svm.entries, 5);
    backend->set_timer(v, VTIMER_OFF);
    assert_int_equal(fake_svm.wakeup, VTIMER_OFF);
    exit_with(VMEXIT_INTR, 0);
    exit_with(VMEXIT_NMI, 0);
    assert_int_equal(last.kind, EXIT_NONE);
    backend->set_timer(v, 2000);
    backend->put(v);
    assert_int_equal(fake_svm.wakeup, VTIMER_OFF);
}

/* An event that was on its way is not lost to a timer's exit, which enters nothing. */
static void timer_keeps_the_event(void **state)
{
    (void)state;
    backend->set_timer(v, 0);
    v->event = (struct vevent){ .type = VEVENT_EXCEPTION, .vector = VECTOR_PF,
                                .has_error_code = true, .error_code = 6 };
    assert_timer();
    assert_int_equal(fake_svm.entries, 0);
    assert_event(v, VEVENT_EXCEPTION, VECTOR_PF, true);
    assert_int_equal(v->event.error_code, 6);
    control()->exit_int_info = 0; /* as each real exit says */
    exit_with(VMEXIT_NMI, 0);
    assert_int_equal(fake_svm.entered.control.event_inject,
                     EVENT(EVENT_TYPE_EXCEPTION, VECTOR_PF) | EVENT_ERROR_CODE | 6ull << 32);
    assert_int_equal(v->event.type, VEVENT_NONE);
    assert_int_equal(control()->event_inject, 0);
}

static void guest_runs_on(void)
{
    assert_int_equal(save()->rax, 0x1111);
    save()->rax = 0x2222;
    save()->rip = 0x5678;
}

static void entry_and_exit(void **state)
{
    (void)state;
    v->gpr[RAX] = 0x1111;
    svm_set(v, VREG_RIP, 0x4444);
    v->event = (struct vevent){ .type = VEVENT_INTERRUPT, .vector = 0x30 };
    fake_svm.entry = guest_runs_on;
    exit_with(VMEXIT_NMI, 0);
    assert_int_equal(fake_svm.entered.save.rip, 0x4444);
    assert_int_equal(fake_svm.entered.control.event_inject, EVENT(EVENT_TYPE_INTR, 0x30));
    assert_int_equal(v->gpr[RAX], 0x2222);
    assert_int_equal(svm_get(v, VREG_RIP), 0x5678);
    assert_int_equal(control()->event_inject, 0); /* not a second time */
    v->gpr[RAX] = 0x1111;
    exit_with(VMEXIT_NMI, 0);
    assert_int_equal(fake_svm.entered.control.event_inject, 0);
}

static void controls_of_a_vcpu(void **state)
{
    (void)state;
    exit_with(VMEXIT_NMI, 0);
    assert_int_equal(svm_check("test", &fake_svm.entered, 0), 0);
    assert_int_equal(control()->nested_cr3, fake_svm.vm.nested.root);
    assert_int_equal(control()->nested_control, NESTED_PAGING);
    assert_true(control()->vintr & VINTR_MASKING);
    assert_true(control()->intercept_1 & INTERCEPT_1_HLT);
    backend->intercept_idle(v, true);
    assert_true(control()->intercept_1 & INTERCEPT_1_PAUSE);
    backend->intercept_idle(v, false);
    assert_false(control()->intercept_1 & INTERCEPT_1_PAUSE);
    assert_true(control()->intercept_1 & INTERCEPT_1_HLT);
    svm_caps.pause_filter = false; /* every PAUSE would exit */
    backend->intercept_idle(v, true);
    assert_false(control()->intercept_1 & INTERCEPT_1_PAUSE);
}

/* What a guest could hang a processor with stays intercepted. */
static void exceptions_for_a_debugger(void **state)
{
    (void)state;
    assert_int_equal(control()->intercept_exceptions, SVM_EXCEPTIONS);
    backend->intercept_exception(v, VECTOR_BP, true);
    assert_int_equal(control()->intercept_exceptions, SVM_EXCEPTIONS | BIT(VECTOR_BP));
    backend->intercept_exception(v, VECTOR_BP, false);
    backend->intercept_exception(v, VECTOR_DB, false);
    assert_int_equal(control()->intercept_exceptions, SVM_EXCEPTIONS);
}

static void features_and_format(void **state)
{
    (void)state;
    assert_int_equal(backend->features(), 0);
    assert_ptr_equal(backend->nested_format(), &npt_format);
    fake_svm.ext.edx = CPUID_80000001_EDX_RDTSCP;
    fake_svm.leaf7.ebx = CPUID_7_EBX_INVPCID;
    fake_svm.xstate.eax = CPUID_D1_EAX_XSAVES;
    assert_int_equal(backend->features(), 0); /* CPUID is asked once */
    assert_int_equal(svm_probe(), 0);
    assert_int_equal(backend->features(), VFEATURE_RDTSCP | VFEATURE_INVPCID | VFEATURE_XSAVES);
    assert_ptr_equal(backend->nested_format(), &npt_format_2m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(asids, setup),
        cmocka_unit_test_setup(one_asid, setup),
        cmocka_unit_test_setup(refused, setup),
        cmocka_unit_test_setup(old_generation, setup),
        cmocka_unit_test_setup(flush_is_for_this_cpu, setup),
        cmocka_unit_test_setup(timer, setup),
        cmocka_unit_test_setup(timer_keeps_the_event, setup),
        cmocka_unit_test_setup(entry_and_exit, setup),
        cmocka_unit_test_setup(controls_of_a_vcpu, setup),
        cmocka_unit_test_setup(exceptions_for_a_debugger, setup),
        cmocka_unit_test_setup(features_and_format, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
