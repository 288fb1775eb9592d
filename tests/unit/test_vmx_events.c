/* SPDX-License-Identifier: MIT */
/* Events that an exit interrupted, injection, windows, entry (build host). */
/* sources: vmx/check.c vmx/check_controls.c vmx/check_entry.c vmx/check_host.c vmx/check_guest.c
 * vmx/check_segments.c vmx/check_state.c vmx/regs.c vmx/ctls.c vmx/probe.c vmx/setup.c vmx/run.c
 * vmx/decode.c vmx/intercept.c vmx/apicv.c vmx/ept.c kernel/page.c kernel/vcpu_reset.c
 * tests/unit/fake_vmx.c
 * tests/unit/host_stubs.c */
/* flags: -Wl,--wrap=log_printf */
#include "tests/unit/vmx_case.h"

/* SDM 3C, "Information for VM Exits That Occur During Event Delivery" */
static void interrupted_events_come_again(void **state)
{
    static const struct {
        uint64_t info;
        enum vevent_type type;
        uint8_t length;
    } rows[] = {
        { EVENT(INTR_TYPE_EXTERNAL, 0x30), VEVENT_INTERRUPT, 0 },
        { EVENT(INTR_TYPE_NMI, VECTOR_NMI), VEVENT_NMI, 0 },
        { EVENT(INTR_TYPE_EXCEPTION, VECTOR_PF) | INTR_ERROR_CODE, VEVENT_EXCEPTION, 0 },
        { EVENT(INTR_TYPE_EXCEPTION, VECTOR_UD), VEVENT_EXCEPTION, 0 },
        { EVENT(INTR_TYPE_SOFT_INTERRUPT, 0x80), VEVENT_SOFT_INTERRUPT, 3 },
        { EVENT(INTR_TYPE_SOFT_EXCEPTION, VECTOR_BP), VEVENT_SOFT_EXCEPTION, 3 },
        { EVENT(INTR_TYPE_PRIVILEGED_EXCEPTION, VECTOR_DB), VEVENT_ICEBP, 3 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(state);
        put(VMCS_IDT_VECTORING_INFO, rows[i].info);
        put(VMCS_IDT_VECTORING_ERROR, 0x1234);
        exit_with(VMX_EXIT_EPT_VIOLATION, 0);
        assert_event(v, rows[i].type, rows[i].info & 0xff, rows[i].info & INTR_ERROR_CODE);
        assert_int_equal(v->event.length, rows[i].length);
        /* injecting it writes the same words again */
        backend->inject(v);
        assert_int_equal(get(VMCS_ENTRY_INTR_INFO), rows[i].info);
        if (rows[i].length)
            assert_int_equal(get(VMCS_ENTRY_INSN_LENGTH), 3);
        if (rows[i].info & INTR_ERROR_CODE)
            assert_int_equal(get(VMCS_ENTRY_ERROR_CODE), 0x1234);
    }
}

static void no_event_no_change(void **state)
{
    (void)state;
    put(VMCS_IDT_VECTORING_INFO, 0x30); /* not valid */
    exit_with(VMX_EXIT_EPT_VIOLATION, 0);
    assert_int_equal(v->event.type, VEVENT_NONE);
    /* such exits happen between instructions only */
    put(VMCS_IDT_VECTORING_INFO, EVENT(INTR_TYPE_EXTERNAL, 0x30));
    exit_with(VMX_EXIT_CPUID, 0);
    assert_int_equal(v->event.type, VEVENT_NONE);
}

/* An NMI whose delivery was interrupted is injected again: that would be refused while NMIs are
 * blocked. An IRET that was interrupted after it had unblocked them blocks them again. */
static void nmi_blocking(void **state)
{
    (void)state;
    put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
    put(VMCS_IDT_VECTORING_INFO, EVENT(INTR_TYPE_NMI, VECTOR_NMI));
    exit_with(VMX_EXIT_EPT_VIOLATION, 0);
    assert_int_equal(get(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_NMI, 0);
    setup(state);
    exit_with(VMX_EXIT_EPT_VIOLATION, EPTQ_READ | EPTQ_NMI_UNBLOCKING);
    assert_int_equal(get(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_NMI, BLOCKING_NMI);
    setup(state);
    put(VMCS_EXIT_INTR_INFO, EVENT(INTR_TYPE_EXCEPTION, VECTOR_AC) | INTR_NMI_UNBLOCKING);
    exit_with(VMX_EXIT_EXCEPTION_NMI, 0);
    assert_int_equal(get(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_NMI, BLOCKING_NMI);
}

static void windows_and_readiness(void **state)
{
    uint64_t proc = get(VMCS_PROC_CONTROLS);

    (void)state;
    put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_IF);
    exit_with(VMX_EXIT_EXTERNAL_INTERRUPT, 0);
    assert_true(backend->interruptible(v) && backend->nmi_ready(v));
    put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS);
    exit_with(VMX_EXIT_EXTERNAL_INTERRUPT, 0);
    assert_false(backend->interruptible(v) || backend->nmi_ready(v));
    put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
    exit_with(VMX_EXIT_EXTERNAL_INTERRUPT, 0);
    assert_true(backend->interruptible(v) && !backend->nmi_ready(v));
    put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED1);
    put(VMCS_GUEST_INTERRUPTIBILITY, 0);
    exit_with(VMX_EXIT_EXTERNAL_INTERRUPT, 0);
    assert_true(!backend->interruptible(v) && backend->nmi_ready(v));
    backend->window(v, VWINDOW_IRQ | VWINDOW_NMI);
    assert_int_equal(get(VMCS_PROC_CONTROLS), proc | PROC_IRQ_WINDOW | PROC_NMI_WINDOW);
    backend->window(v, 0);
    assert_int_equal(get(VMCS_PROC_CONTROLS), proc);
}

static void reset_unblocks(void **state)
{
    (void)state;
    put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
    exit_with(VMX_EXIT_CPUID, 0);
    assert_false(backend->nmi_ready(v));
    vmx_vcpu_reset(v);
    assert_true(backend->nmi_ready(v));
}

static void launch_then_resume(void **state)
{
    (void)state;
    exit_with(VMX_EXIT_CPUID, 0);
    exit_with(VMX_EXIT_CPUID, 0);
    assert_int_equal(fake_vmx.entries, 2);
    assert_int_equal(fake_vmx.launches, 1);
    vmx_put(v); /* VMCLEAR: the next entry is a launch */
    vmx_load(v);
    exit_with(VMX_EXIT_CPUID, 0);
    assert_int_equal(fake_vmx.launches, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(interrupted_events_come_again, setup),
        cmocka_unit_test_setup(no_event_no_change, setup),
        cmocka_unit_test_setup(nmi_blocking, setup),
        cmocka_unit_test_setup(windows_and_readiness, setup),
        cmocka_unit_test_setup(reset_unblocks, setup),
        cmocka_unit_test_setup(launch_then_resume, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
