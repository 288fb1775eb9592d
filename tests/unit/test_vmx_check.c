/* SPDX-License-Identifier: MIT */
/* Every rule of the VM-entry checker: broken on purpose, and none broken by what vmx/setup.c
 * writes (build host). */
/* sources: vmx/check.c vmx/check_controls.c vmx/check_entry.c vmx/check_host.c vmx/check_guest.c
 * vmx/check_segments.c vmx/check_state.c vmx/regs.c vmx/ctls.c vmx/probe.c vmx/setup.c vmx/run.c
 * vmx/decode.c vmx/intercept.c vmx/apicv.c vmx/ept.c kernel/page.c kernel/vcpu_reset.c
 * kernel/inject.c tests/unit/fake_vmx.c
 * tests/unit/host_stubs.c */
/* flags: -Wl,--wrap=log_printf -Wl,--wrap=check_rule */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_vmx.h"
#include "tests/unit/vmx_check_rows.h"
#include "vmx/check.h"

#define RULES 107u /* with each new one comes a row that breaks it */

static struct {
    const char *text, *section;
    bool broken;
} rules[RULES + 1];
static unsigned rule_count;

void __real_check_rule(struct check *c, bool holds, const char *text, const uint16_t *fields);
void __wrap_check_rule(struct check *c, bool holds, const char *text, const uint16_t *fields);

/* Notes which rules there are and which of them a test has broken. */
void __wrap_check_rule(struct check *c, bool holds, const char *text, const uint16_t *fields)
{
    unsigned i = 0;

    while (i < rule_count && (strcmp(rules[i].text, text) || strcmp(rules[i].section, c->section)))
        i++;
    assert_true(i < RULES);
    rule_count = i == rule_count ? i + 1 : rule_count;
    rules[i].text = text;
    rules[i].section = c->section;
    rules[i].broken |= !holds;
    __real_check_rule(c, holds, text, fields);
}

static void put(uint32_t field, uint64_t value)
{
    fake_vmx.vmcs[field] = value;
}

static void put_segments(uint32_t code, uint32_t data, uint32_t limit)
{
    for (unsigned seg = VSEG_ES; seg <= VSEG_GS; seg++) {
        put(VMCS_SEG_ACCESS(seg), seg == VSEG_CS ? code : data);
        put(VMCS_SEG_LIMIT(seg), limit);
        put(VMCS_SEG_SELECTOR(seg), seg == VSEG_CS ? 8 : 16);
        put(VMCS_SEG_BASE(seg), 0);
    }
}

static void protected_mode(void)
{
    vmx_set(&fake_vmx.vcpu, VREG_CR0, CR0_PE | CR0_ET);
    put_segments(0xc09b, 0xc093, UINT32_MAX);
    put(VMCS_GUEST_RIP, 0x100000);
}

static void long_mode(void)
{
    vmx_set(&fake_vmx.vcpu, VREG_CR0, CR0_PG | CR0_PE | CR0_ET);
    vmx_set(&fake_vmx.vcpu, VREG_CR4, CR4_PAE | CR4_PCIDE);
    vmx_set(&fake_vmx.vcpu, VREG_EFER, EFER_LME | EFER_LMA | EFER_NXE);
    put_segments(0xa09b, 0xc093, UINT32_MAX);
    put(VMCS_GUEST_RIP, 0xffffffff81000000);
}

static void virtual_8086(void)
{
    protected_mode();
    put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_VM | RFLAGS_IF);
    for (unsigned seg = VSEG_ES; seg <= VSEG_GS; seg++) {
        put(VMCS_SEG_ACCESS(seg), 0xf3);
        put(VMCS_SEG_LIMIT(seg), UINT16_MAX);
        put(VMCS_SEG_SELECTOR(seg), 0x1000 + seg);
        put(VMCS_SEG_BASE(seg), (0x1000 + seg) << 4);
    }
    put(VMCS_GUEST_RIP, 0x100);
}

static void build(enum base base)
{
    fake_vmx_reset();
    fake_vmx_create();
    if (base == PROTECTED || base == RESTRICTED)
        protected_mode();
    if (base == LONG)
        long_mode();
    if (base == V86)
        virtual_8086();
    if (base == RESTRICTED) {
        put(VMCS_PROC_CONTROLS2, vmx_caps.proc2 & ~PROC2_UNRESTRICTED_GUEST);
        fake_vmx.vmcs[VMCS_GUEST_CR0] |= CR0_PG;
    }
}

static const char *explain(uint32_t reason)
{
    fake_vmx.log[0] = '\0';
    vmx_explain_entry_failure(&fake_vmx.vcpu, reason);
    return fake_vmx.log;
}

static void good_states_break_nothing(void **state)
{
    (void)state;
    for (enum base base = REAL; base <= RESTRICTED; base++) {
        build(base);
        const char *log = explain(VMX_EXIT_ENTRY_GUEST_STATE);

        if (strstr(log, "broken: "))
            fail_msg("base %d: %s", base, log);
        assert_non_null(strstr(log, "no rule that is known here is broken"));
        assert_non_null(strstr(log, "GUEST_RIP = 0x"));
    }
}

static void rules_find_what_is_broken(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        build(rows[i].base);
        for (unsigned c = 0; c < 3 && rows[i].changes[c].field; c++)
            put(rows[i].changes[c].field, rows[i].changes[c].value);
        if (strcmp(rows[i].text, "the VPID is not 0") == 0)
            put(VMCS_VPID, 0);
        const char *log = explain(VMX_EXIT_ENTRY_GUEST_STATE);

        if (!strstr(log, rows[i].text))
            fail_msg("not found: %s\n%s", rows[i].text, log);
    }
    for (unsigned i = 0; i < rule_count; i++)
        if (!rules[i].broken)
            fail_msg("no test breaks: %s", rules[i].text);
    assert_int_equal(rule_count, RULES);
}

static void values_are_shown(void **state)
{
    const char *log;

    (void)state;
    build(REAL);
    put(VMCS_GUEST_RFLAGS, 0x8002);
    put(VMCS_GUEST_FS_ACCESS, 0x13);
    put(VMCS_GUEST_FS, 0x1234);
    log = explain(VMX_EXIT_ENTRY_GUEST_STATE | EXIT_REASON_ENTRY_FAILURE);
    assert_non_null(strstr(log, "invalid guest state"));
    assert_non_null(strstr(log, "GUEST_RFLAGS = 0x8002\n"));
    assert_non_null(strstr(log, "GUEST_FS = 0x1234\n"));
    assert_non_null(strstr(log, "GUEST_FS_ACCESS = 0x13\n"));
    assert_null(strstr(log, "GUEST_GS"));
    put(VMCS_INSN_ERROR, 8);
    assert_non_null(strstr(explain(0), "invalid host-state field"));
}

/* Unusable segments and what else the manual leaves alone. */
static void exceptions_from_rules(void **state)
{
    static const struct {
        enum base base;
        struct change changes[3];
    } fine[] = {
        { LONG, { { VMCS_GUEST_DS_ACCESS, 0x10000 }, { VMCS_GUEST_ES_ACCESS, 0x10000 } } },
        { LONG, { { VMCS_GUEST_SS_ACCESS, 0x10000 }, { VMCS_GUEST_SS, 0 } } },
        { LONG, { { VMCS_GUEST_LDTR_ACCESS, 0x10000 }, { VMCS_GUEST_LDTR, 4 } } },
        { LONG, { { VMCS_GUEST_RIP, NOT_CANONICAL } } }, /* bit 47 may differ */
        { REAL, { { VMCS_GUEST_CS_ACCESS, 0x93 } } },    /* real mode after protected mode */
        { REAL, { { VMCS_GUEST_PDPTE0, 3 } } },
        { REAL, { { VMCS_ENTRY_INTR_INFO, EXCEPTION(VECTOR_GP) } } },
        { PROTECTED, { { VMCS_ENTRY_INTR_INFO, EXCEPTION(VECTOR_PF) | INTR_ERROR_CODE } } },
        { PROTECTED, { { VMCS_GUEST_CS_ACCESS, 0xc09f } } }, /* conforming */
        { PROTECTED, { { VMCS_GUEST_DS, 3 } } }, /* RPL is free with unrestricted guest */
        { REAL, { { VMCS_GUEST_ACTIVITY, ACTIVITY_HLT },
                  { VMCS_ENTRY_INTR_INFO, INTR_VALID | 0x20 },
                  { VMCS_GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_IF } } },
        { REAL, { { VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI } } },
        { REAL, { { VMCS_LINK_POINTER, 0x1000 } } },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
        build(fine[i].base);
        for (unsigned c = 0; c < 3 && fine[i].changes[c].field; c++)
            put(fine[i].changes[c].field, fine[i].changes[c].value);
        const char *log = explain(VMX_EXIT_ENTRY_GUEST_STATE);

        if (strstr(log, "broken: "))
            fail_msg("row %zu: %s", i, log);
    }
}

void vm_fail(struct vm *vm, struct vcpu *v, const char *format, ...)
{
    (void)vm;
    (void)v;
    fail_msg("%s", format);
}

/* A single step over STI ends in its shadow; the #DB that is intercepted there goes back. */
static void a_step_over_sti(void **state)
{
    struct vcpu *v = &fake_vmx.vcpu;

    (void)state;
    build(PROTECTED);
    put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_IF | RFLAGS_TF);
    put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
    v->valid = v->dirty = 0;
    vcpu_inject_debug(v, DR6_BS);
    vmx_write_back(v);
    backend->inject(v);
    assert_null(strstr(explain(VMX_EXIT_ENTRY_GUEST_STATE), "broken: "));
}

/* The fake fails the test when a field is read that this CPU does not have. */
static void plain_cpu_has_fewer_fields(void **state)
{
    (void)state;
    fake_vmx_reset();
    fake_vmx_forbid(MSR_IA32_VMX_PROCBASED_CTLS, MSR_IA32_VMX_TRUE_PROCBASED_CTLS,
                    PROC_TPR_SHADOW);
    fake_vmx_forbid(MSR_IA32_VMX_PROCBASED_CTLS2, 0,
                    PROC2_APIC_ACCESSES | PROC2_VPID | PROC2_XSAVES | PROC2_INTERRUPT_DELIVERY);
    fake_vmx_forbid(MSR_IA32_VMX_PINBASED_CTLS, MSR_IA32_VMX_TRUE_PINBASED_CTLS,
                    PIN_POSTED_INTERRUPTS);
    fake_vmx_create();
    assert_null(strstr(explain(VMX_EXIT_ENTRY_GUEST_STATE), "broken: "));
}

/* Through the run loop: a refused instruction, and an exit that says so. */
static void guest_state_refused(void)
{
    fake_vmx.vmcs[VMCS_EXIT_REASON] = VMX_EXIT_ENTRY_GUEST_STATE | EXIT_REASON_ENTRY_FAILURE;
}

static void run_explains(void **state)
{
    struct vmexit exit;

    (void)state;
    build(REAL);
    put(VMCS_GUEST_CR3, TOO_HIGH);
    fake_vmx.entry = guest_state_refused;
    vmx_run(&fake_vmx.vcpu, &exit);
    assert_int_equal(exit.kind, EXIT_ENTRY_FAILED);
    assert_non_null(strstr(fake_vmx.log, "CR3 is within the physical-address width"));
    build(REAL);
    put(VMCS_EXIT_CONTROLS, 0);
    fake_vmx.refuse_entry = 7;
    vmx_run(&fake_vmx.vcpu, &exit);
    assert_int_equal(exit.kind, EXIT_ENTRY_FAILED);
    assert_non_null(strstr(fake_vmx.log, "invalid control field"));
    assert_non_null(strstr(fake_vmx.log, "VM-exit controls as IA32_VMX_EXIT_CTLS allows"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_states_break_nothing), cmocka_unit_test(rules_find_what_is_broken),
        cmocka_unit_test(values_are_shown),          cmocka_unit_test(exceptions_from_rules),
        cmocka_unit_test(a_step_over_sti),
        cmocka_unit_test(plain_cpu_has_fewer_fields), cmocka_unit_test(run_explains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
