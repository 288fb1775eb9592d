/* SPDX-License-Identifier: MIT */
/* Exit fields to struct vmexit, and the copies of registers (build host). */
/* sources: vmx/check.c vmx/check_controls.c vmx/check_entry.c vmx/check_host.c vmx/check_guest.c
 * vmx/check_segments.c vmx/check_state.c vmx/regs.c vmx/ctls.c vmx/probe.c vmx/setup.c vmx/run.c
 * vmx/decode.c vmx/intercept.c vmx/apicv.c vmx/ept.c kernel/page.c kernel/vcpu_reset.c
 * tests/unit/fake_vmx.c
 * tests/unit/host_stubs.c */
/* flags: -Wl,--wrap=log_printf */
#include "tests/unit/vmx_case.h"

#define INSN(reason, kind) { VMX_EXIT_##reason, #reason, EXIT_##kind, CASE_LENGTH }
#define OTHER(reason, kind) { VMX_EXIT_##reason, #reason, EXIT_##kind, 0 }

static void kinds(void **state)
{
    static const struct decode_row rows[] = {
        INSN(CPUID, CPUID), INSN(HLT, HLT), INSN(VMCALL, HYPERCALL), INSN(RDMSR, MSR_READ),
        INSN(WRMSR, MSR_WRITE), INSN(CR, CR), INSN(IO, IO), INSN(XSETBV, XSETBV),
        INSN(PAUSE, PAUSE), INSN(INVD, CACHE), INSN(WBINVD, CACHE), INSN(RDPMC, RDPMC),
        INSN(XSAVES, FORBIDDEN), INSN(VMXON, UNDEFINED), INSN(VMLAUNCH, UNDEFINED),
        INSN(VMREAD, UNDEFINED), INSN(VMWRITE, UNDEFINED), INSN(VMPTRLD, UNDEFINED),
        INSN(INVEPT, UNDEFINED), INSN(INVVPID, UNDEFINED), INSN(GETSEC, UNDEFINED),
        INSN(MONITOR, UNDEFINED), INSN(MWAIT, UNDEFINED), INSN(VMFUNC, UNDEFINED),
        INSN(SEAMCALL, UNDEFINED), INSN(ENCLS, UNDEFINED),
        OTHER(EXTERNAL_INTERRUPT, INTERRUPT), OTHER(TRIPLE_FAULT, TRIPLE_FAULT), OTHER(INIT, NONE),
        OTHER(SIPI, UNKNOWN), OTHER(IRQ_WINDOW, IRQ_WINDOW), OTHER(NMI_WINDOW, NMI_WINDOW),
        OTHER(TASK_SWITCH, TASK_SWITCH), OTHER(EPT_VIOLATION, MEMORY), OTHER(BUS_LOCK, BUS_LOCK),
        OTHER(NOTIFY, STUCK),
        OTHER(PREEMPTION_TIMER, TIMER), OTHER(VIRTUAL_EOI, APIC_EOI), OTHER(APIC_WRITE, APIC_WRITE),
        OTHER(RDTSC, UNKNOWN), OTHER(DR, UNKNOWN), OTHER(INVLPG, UNKNOWN), OTHER(MTF, UNKNOWN),
    };

    (void)state;
    assert_kinds(rows, ARRAY_SIZE(rows));
}

static void reasons_beyond_the_manual(void **state)
{
    static const uint32_t reasons[] = { 35, 38, 42, 71, VMX_EXIT_REASONS, 0xffff };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        exit_with(reasons[i], 0);
        assert_int_equal(last.kind, EXIT_UNKNOWN);
        assert_true(last.code < VMX_EXIT_REASONS); /* it counts exits by this */
        assert_int_equal(last.length, 0);
        assert_null(vmx_exit_name(reasons[i]));
        assert_false(vmx_exit_enabled(reasons[i]));
    }
    assert_string_equal(vmx_exit_name(VMX_EXIT_CPUID), "CPUID");
    assert_true(vmx_exit_enabled(VMX_EXIT_CPUID));
    assert_string_equal(vmx_exit_name(VMX_EXIT_INVLPG), "INVLPG");
    assert_false(vmx_exit_enabled(VMX_EXIT_INVLPG));
}

/* SDM 3D, Appendix C: bit 26 says that a bus lock came before it. */
static void a_reason_with_a_modifier(void **state)
{
    (void)state;
    exit_with(VMX_EXIT_CPUID | BIT(26), 0);
    assert_int_equal(last.kind, EXIT_CPUID);
    assert_int_equal(last.length, CASE_LENGTH);
    exit_with(VMX_EXIT_PREEMPTION_TIMER | BIT(26), 0);
    assert_int_equal(last.kind, EXIT_TIMER);
}

/* The step past an instruction relies on these copies. */
static void copies_with_an_instruction(void **state)
{
    (void)state;
    put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_TF);
    put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
    exit_with(VMX_EXIT_CPUID, 0);
    assert_int_equal(v->rip, CASE_RIP);
    assert_int_equal(v->rflags, RFLAGS_FIXED1 | RFLAGS_TF);
    assert_int_equal(v->shadow & VCPU_SHADOW_MASK, BLOCKING_STI);
    /* and are written at the next entry only */
    v->rip += 2;
    v->shadow = 0;
    v->dirty = VCPU_RIP | VCPU_SHADOW;
    assert_int_equal(get(VMCS_GUEST_RIP), CASE_RIP);
    put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI | BLOCKING_NMI);
    exit_with(VMX_EXIT_EXTERNAL_INTERRUPT, 0);
    assert_int_equal(get(VMCS_GUEST_RIP), CASE_RIP + 2);
    assert_int_equal(get(VMCS_GUEST_INTERRUPTIBILITY), BLOCKING_NMI);
    assert_int_equal(v->dirty, 0);
    /* after an exit without an instruction they are read when asked for */
    put(VMCS_GUEST_RIP, 0x9999);
    put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_IF);
    exit_with(VMX_EXIT_EPT_VIOLATION, 0);
    assert_int_equal(vmx_get(v, VREG_RIP), 0x9999);
    assert_int_equal(vmx_get(v, VREG_RFLAGS), RFLAGS_FIXED1 | RFLAGS_IF);
    assert_int_equal(v->rip, 0x9999);
}

/* Design decision 23: at most six for CPUID. */
static void accesses_are_few(void **state)
{
    uint64_t before;

    (void)state;
    exit_with(VMX_EXIT_CPUID, 0);
    v->rip += 2;
    v->dirty = VCPU_RIP;
    before = this_cpu()->control_accesses;
    exit_with(VMX_EXIT_CPUID, 0);
    assert_true(this_cpu()->control_accesses - before <= 6);
}

static void io(void **state)
{
    (void)state;
    exit_with(VMX_EXIT_IO, 0x3f8ull << 16 | 0);
    assert_io(0x3f8, 1, false, false);
    exit_with(VMX_EXIT_IO, 0xcfcull << 16 | 3 | 8);
    assert_io(0xcfc, 4, true, false);
    exit_with(VMX_EXIT_IO, 0xffffull << 16 | 1 | 16 | 32);
    assert_io(0xffff, 2, false, true);
}

static void cr(void **state)
{
    (void)state;
    exit_with(VMX_EXIT_CR, 4 | 0 << 4 | 15 << 8);
    assert_mov_cr(4, true, R15);
    exit_with(VMX_EXIT_CR, 8 | 1 << 4 | 3 << 8);
    assert_mov_cr(8, false, RBX);
    exit_with(VMX_EXIT_CR, 2 << 4);
    assert_true(last.cr.clts && !last.cr.write && !last.cr.lmsw);
    exit_with(VMX_EXIT_CR, 3 << 4 | 0xfff1ull << 16);
    assert_true(last.cr.lmsw && !last.cr.write);
    assert_int_equal(last.cr.lmsw_value, 0xfff1);
}

static void memory(void **state)
{
    (void)state;
    put(VMCS_GUEST_PHYSICAL_ADDRESS, 0xfee00080);
    exit_with(VMX_EXIT_EPT_VIOLATION, EPTQ_READ | EPTQ_LINEAR_VALID | EPTQ_NOT_PAGE_WALK);
    assert_memory(0xfee00080, 'r', false);
    exit_with(VMX_EXIT_EPT_VIOLATION, EPTQ_WRITE | EPTQ_LINEAR_VALID | BIT(3));
    assert_memory(0xfee00080, 'w', true);
    exit_with(VMX_EXIT_EPT_VIOLATION, EPTQ_FETCH);
    assert_memory(0xfee00080, 'x', false);
    expect_assert_failure(exit_with(VMX_EXIT_EPT_MISCONFIG, 0));
}

static void exceptions(void **state)
{
    (void)state;
    put(VMCS_EXIT_INTR_INFO, EVENT(INTR_TYPE_EXCEPTION, VECTOR_AC) | INTR_ERROR_CODE);
    put(VMCS_EXIT_INTR_ERROR, 0);
    exit_with(VMX_EXIT_EXCEPTION_NMI, 0);
    assert_int_equal(last.kind, EXIT_EXCEPTION);
    assert_int_equal(last.vector, VECTOR_AC);
    assert_true(last.has_error_code);
    put(VMCS_EXIT_INTR_INFO, EVENT(INTR_TYPE_EXCEPTION, VECTOR_DB));
    exit_with(VMX_EXIT_EXCEPTION_NMI, DR6_BS);
    assert_false(last.has_error_code);
    assert_int_equal(last.debug_status, DR6_BS);
    put(VMCS_EXIT_INTR_INFO, EVENT(INTR_TYPE_SOFT_EXCEPTION, VECTOR_BP));
    exit_with(VMX_EXIT_EXCEPTION_NMI, 0);
    assert_int_equal(last.vector, VECTOR_BP);
    assert_int_equal(last.event, VEVENT_SOFT_EXCEPTION);
    assert_int_equal(last.length, CASE_LENGTH);
    assert_int_equal(v->rip, CASE_RIP); /* for the trace */
    put(VMCS_EXIT_INTR_INFO, EVENT(INTR_TYPE_NMI, VECTOR_NMI));
    exit_with(VMX_EXIT_EXCEPTION_NMI, 0);
    assert_int_equal(last.kind, EXIT_NMI);
    put(VMCS_EXIT_INTR_INFO, EVENT(INTR_TYPE_EXTERNAL, 0xf2));
    exit_with(VMX_EXIT_EXTERNAL_INTERRUPT, 0);
    assert_int_equal(last.vector, 0xf2);
}

/* SDM 3C, "Basic VM-Exit Information": for too long no event could come. */
static void notify(void **state)
{
    (void)state;
    assert_true(vmx_exit_enabled(VMX_EXIT_NOTIFY));
    exit_with(VMX_EXIT_NOTIFY, 0);
    assert_false(last.state_lost);
    assert_int_equal(get(VMCS_GUEST_INTERRUPTIBILITY), 0);
    exit_with(VMX_EXIT_NOTIFY, NOTIFYQ_CONTEXT_INVALID);
    assert_true(last.state_lost);
    /* in an IRET from an NMI */
    exit_with(VMX_EXIT_NOTIFY, EPTQ_NMI_UNBLOCKING);
    assert_int_equal(get(VMCS_GUEST_INTERRUPTIBILITY), BLOCKING_NMI);
    assert_false(last.state_lost);
    /* in the delivery of #AC, which starts anew */
    put(VMCS_IDT_VECTORING_INFO, EVENT(INTR_TYPE_EXCEPTION, VECTOR_AC) | INTR_ERROR_CODE);
    put(VMCS_IDT_VECTORING_ERROR, 0);
    exit_with(VMX_EXIT_NOTIFY, 0);
    assert_int_equal(v->event.type, VEVENT_EXCEPTION);
    assert_int_equal(v->event.vector, VECTOR_AC);
    assert_true(v->event.has_error_code);
}

/* The entry fails in its place, so that nobody else hears of it. */
static void a_machine_check_at_an_entry(void **state)
{
    (void)state;
    exit_with(VMX_EXIT_ENTRY_MACHINE_CHECK | EXIT_REASON_ENTRY_FAILURE, 0);
    assert_int_equal(last.kind, EXIT_ENTRY_FAILED);
    assert_int_equal(fake_vmx.machine_checks, 1);
    assert_non_null(strstr(fake_vmx.log, "failed: machine check"));
    exit_with(VMX_EXIT_ENTRY_GUEST_STATE | EXIT_REASON_ENTRY_FAILURE, 0);
    assert_int_equal(fake_vmx.machine_checks, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(kinds, setup),
        cmocka_unit_test_setup(reasons_beyond_the_manual, setup),
        cmocka_unit_test_setup(a_reason_with_a_modifier, setup),
        cmocka_unit_test_setup(copies_with_an_instruction, setup),
        cmocka_unit_test_setup(accesses_are_few, setup),
        cmocka_unit_test_setup(io, setup),
        cmocka_unit_test_setup(cr, setup),
        cmocka_unit_test_setup(memory, setup),
        cmocka_unit_test_setup(exceptions, setup),
        cmocka_unit_test_setup(notify, setup),
        cmocka_unit_test_setup(a_machine_check_at_an_entry, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
