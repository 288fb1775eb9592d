/* SPDX-License-Identifier: MIT */
/* Exit fields to struct vmexit, and the copies of registers (build host). */
/* sources: vmx/check.c vmx/check_controls.c vmx/check_entry.c vmx/check_host.c vmx/check_guest.c
 * vmx/check_segments.c vmx/check_state.c vmx/regs.c vmx/ctls.c vmx/probe.c vmx/setup.c vmx/run.c
 * vmx/decode.c vmx/intercept.c vmx/apicv.c vmx/ept.c kernel/page.c tests/unit/fake_vmx.c
 * tests/unit/host_stubs.c */
/* flags: -Wl,--wrap=log_printf */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_vmx.h"
#include "tests/unit/host_stubs.h"

#define RIP 0x1234
#define EVENT(type, vector) (INTR_VALID | (uint64_t)(type) << INTR_TYPE_SHIFT | (vector))

static struct vcpu *const v = &fake_vmx.vcpu;
static struct vmexit last;

static void put(enum vmcs_field field, uint64_t value)
{
    fake_vmx.vmcs[field] = value;
}

static uint64_t get(enum vmcs_field field)
{
    return fake_vmx.vmcs[field];
}

static int setup(void **state)
{
    (void)state;
    fake_vmx_reset();
    fake_vmx_create();
    memset(&last, 0xee, sizeof(last)); /* the run loop does not clear it */
    put(VMCS_GUEST_RIP, RIP);
    put(VMCS_EXIT_INSN_LENGTH, 3);
    return 0;
}

/* An exit with these fields, through vmx_run. */
static const struct vmexit *exit_with(uint32_t reason, uint64_t qualification)
{
    put(VMCS_EXIT_REASON, reason);
    put(VMCS_EXIT_QUALIFICATION, qualification);
    vmx_run(v, &last);
    return &last;
}

static void kinds(void **state)
{
    static const struct {
        uint32_t reason;
        enum exit_kind kind;
        uint8_t length;
    } rows[] = {
        { VMX_EXIT_CPUID, EXIT_CPUID, 3 },           { VMX_EXIT_HLT, EXIT_HLT, 3 },
        { VMX_EXIT_VMCALL, EXIT_HYPERCALL, 3 },      { VMX_EXIT_RDMSR, EXIT_MSR_READ, 3 },
        { VMX_EXIT_WRMSR, EXIT_MSR_WRITE, 3 },       { VMX_EXIT_CR, EXIT_CR, 3 },
        { VMX_EXIT_IO, EXIT_IO, 3 },                 { VMX_EXIT_XSETBV, EXIT_XSETBV, 3 },
        { VMX_EXIT_PAUSE, EXIT_PAUSE, 3 },           { VMX_EXIT_INVD, EXIT_CACHE, 3 },
        { VMX_EXIT_WBINVD, EXIT_CACHE, 3 },          { VMX_EXIT_RDPMC, EXIT_RDPMC, 3 },
        { VMX_EXIT_XSAVES, EXIT_FORBIDDEN, 3 },      { VMX_EXIT_VMXON, EXIT_UNDEFINED, 3 },
        { VMX_EXIT_VMLAUNCH, EXIT_UNDEFINED, 3 },    { VMX_EXIT_VMREAD, EXIT_UNDEFINED, 3 },
        { VMX_EXIT_VMWRITE, EXIT_UNDEFINED, 3 },     { VMX_EXIT_VMPTRLD, EXIT_UNDEFINED, 3 },
        { VMX_EXIT_INVEPT, EXIT_UNDEFINED, 3 },      { VMX_EXIT_INVVPID, EXIT_UNDEFINED, 3 },
        { VMX_EXIT_GETSEC, EXIT_UNDEFINED, 3 },      { VMX_EXIT_MONITOR, EXIT_UNDEFINED, 3 },
        { VMX_EXIT_MWAIT, EXIT_UNDEFINED, 3 },       { VMX_EXIT_VMFUNC, EXIT_UNDEFINED, 3 },
        { VMX_EXIT_SEAMCALL, EXIT_UNDEFINED, 3 },    { VMX_EXIT_ENCLS, EXIT_UNDEFINED, 3 },
        { VMX_EXIT_EXTERNAL_INTERRUPT, EXIT_INTERRUPT, 0 },
        { VMX_EXIT_TRIPLE_FAULT, EXIT_TRIPLE_FAULT, 0 },
        { VMX_EXIT_INIT, EXIT_NONE, 0 },             { VMX_EXIT_SIPI, EXIT_UNKNOWN, 0 },
        { VMX_EXIT_IRQ_WINDOW, EXIT_IRQ_WINDOW, 0 }, { VMX_EXIT_NMI_WINDOW, EXIT_NMI_WINDOW, 0 },
        { VMX_EXIT_TASK_SWITCH, EXIT_TASK_SWITCH, 0 },
        { VMX_EXIT_EPT_VIOLATION, EXIT_MEMORY, 0 },  { VMX_EXIT_BUS_LOCK, EXIT_BUS_LOCK, 0 },
        { VMX_EXIT_PREEMPTION_TIMER, EXIT_TIMER, 0 },
        { VMX_EXIT_VIRTUAL_EOI, EXIT_APIC_EOI, 0 },  { VMX_EXIT_APIC_WRITE, EXIT_APIC_WRITE, 0 },
        { VMX_EXIT_RDTSC, EXIT_UNKNOWN, 0 },         { VMX_EXIT_DR, EXIT_UNKNOWN, 0 },
        { VMX_EXIT_INVLPG, EXIT_UNKNOWN, 0 },        { VMX_EXIT_MTF, EXIT_UNKNOWN, 0 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(state);
        exit_with(rows[i].reason, 0);
        assert_int_equal(last.kind, rows[i].kind);
        assert_int_equal(last.code, rows[i].reason);
        assert_int_equal(last.length, rows[i].length);
    }
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

/* The step past an instruction relies on these copies. */
static void copies_with_an_instruction(void **state)
{
    (void)state;
    put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_TF);
    put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
    exit_with(VMX_EXIT_CPUID, 0);
    assert_int_equal(v->rip, RIP);
    assert_int_equal(v->rflags, RFLAGS_FIXED1 | RFLAGS_TF);
    assert_int_equal(v->shadow & VCPU_SHADOW_MASK, BLOCKING_STI);
    /* and are written at the next entry only */
    v->rip += 2;
    v->shadow = 0;
    v->dirty = VCPU_DIRTY_RIP | VCPU_DIRTY_SHADOW;
    assert_int_equal(get(VMCS_GUEST_RIP), RIP);
    put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI | BLOCKING_NMI);
    exit_with(VMX_EXIT_EXTERNAL_INTERRUPT, 0);
    assert_int_equal(get(VMCS_GUEST_RIP), RIP + 2);
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
    v->dirty = VCPU_DIRTY_RIP;
    before = this_cpu()->control_accesses;
    exit_with(VMX_EXIT_CPUID, 0);
    assert_true(this_cpu()->control_accesses - before <= 6);
}

static void io(void **state)
{
    (void)state;
    exit_with(VMX_EXIT_IO, 0x3f8ull << 16 | 0);
    assert_int_equal(last.io.port, 0x3f8);
    assert_int_equal(last.io.size, 1);
    assert_false(last.io.in || last.io.string || last.io.rep);
    exit_with(VMX_EXIT_IO, 0xcfcull << 16 | 3 | 8);
    assert_int_equal(last.io.port, 0xcfc);
    assert_int_equal(last.io.size, 4);
    assert_true(last.io.in);
    exit_with(VMX_EXIT_IO, 0xffffull << 16 | 1 | 16 | 32);
    assert_int_equal(last.io.port, 0xffff);
    assert_int_equal(last.io.size, 2);
    assert_true(last.io.string && last.io.rep && !last.io.in);
}

static void cr(void **state)
{
    (void)state;
    exit_with(VMX_EXIT_CR, 4 | 0 << 4 | 15 << 8);
    assert_int_equal(last.cr.number, 4);
    assert_true(last.cr.write && !last.cr.clts && !last.cr.lmsw);
    assert_int_equal(last.cr.gpr, R15);
    exit_with(VMX_EXIT_CR, 8 | 1 << 4 | 3 << 8);
    assert_int_equal(last.cr.number, 8);
    assert_false(last.cr.write);
    assert_int_equal(last.cr.gpr, RBX);
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
    assert_int_equal(last.memory.gpa, 0xfee00080);
    assert_true(last.memory.read && !last.memory.write && !last.memory.fetch);
    assert_true(last.memory.gva_valid && !last.memory.page_walk && !last.memory.present);
    exit_with(VMX_EXIT_EPT_VIOLATION, EPTQ_WRITE | EPTQ_LINEAR_VALID | BIT(3));
    assert_true(last.memory.write && last.memory.page_walk && last.memory.present);
    exit_with(VMX_EXIT_EPT_VIOLATION, EPTQ_FETCH);
    assert_true(last.memory.fetch && !last.memory.gva_valid && !last.memory.page_walk);
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
    put(VMCS_EXIT_INTR_INFO, EVENT(INTR_TYPE_NMI, VECTOR_NMI));
    exit_with(VMX_EXIT_EXCEPTION_NMI, 0);
    assert_int_equal(last.kind, EXIT_NMI);
    put(VMCS_EXIT_INTR_INFO, EVENT(INTR_TYPE_EXTERNAL, 0xf2));
    exit_with(VMX_EXIT_EXTERNAL_INTERRUPT, 0);
    assert_int_equal(last.vector, 0xf2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(kinds, setup),
        cmocka_unit_test_setup(reasons_beyond_the_manual, setup),
        cmocka_unit_test_setup(copies_with_an_instruction, setup),
        cmocka_unit_test_setup(accesses_are_few, setup),
        cmocka_unit_test_setup(io, setup),
        cmocka_unit_test_setup(cr, setup),
        cmocka_unit_test_setup(memory, setup),
        cmocka_unit_test_setup(exceptions, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
