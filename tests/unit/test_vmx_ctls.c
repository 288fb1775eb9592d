/* SPDX-License-Identifier: MIT */
/* Controls from capability MSRs: what is wanted is on, what is missing is named (build host). */
/* sources: vmx/check.c vmx/check_controls.c vmx/check_entry.c vmx/check_host.c vmx/check_guest.c
 * vmx/check_segments.c vmx/check_state.c vmx/regs.c vmx/ctls.c vmx/probe.c vmx/setup.c vmx/run.c
 * vmx/decode.c vmx/intercept.c vmx/apicv.c vmx/ept.c kernel/page.c kernel/vcpu_reset.c
 * tests/unit/fake_vmx.c
 * tests/unit/host_stubs.c */
/* flags: -Wl,--wrap=log_printf */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_vmx.h"
#include "vmx/ept.h"

/* Of processors: Mullion itself has no use for them. */
#define PROC2_USER_WAIT BIT(26)
#define PROC2_VMFUNC BIT(13)
#define PROC_CR3_LOAD BIT(15)
#define PROC_CR3_STORE BIT(16)

#define PIN_MSRS MSR_IA32_VMX_PINBASED_CTLS, MSR_IA32_VMX_TRUE_PINBASED_CTLS
#define PROC_MSRS MSR_IA32_VMX_PROCBASED_CTLS, MSR_IA32_VMX_TRUE_PROCBASED_CTLS
#define PROC2_MSRS MSR_IA32_VMX_PROCBASED_CTLS2, 0
#define EXIT_MSRS MSR_IA32_VMX_EXIT_CTLS, MSR_IA32_VMX_TRUE_EXIT_CTLS
#define ENTRY_MSRS MSR_IA32_VMX_ENTRY_CTLS, MSR_IA32_VMX_TRUE_ENTRY_CTLS

static int setup(void **state)
{
    (void)state;
    fake_vmx_reset();
    return 0;
}

static void assert_within(uint32_t value, uint32_t msr)
{
    uint64_t capability = fake_vmx_get_msr(msr);

    assert_int_equal(value & (uint32_t)capability, (uint32_t)capability);
    assert_int_equal(value & ~(uint32_t)(capability >> 32), 0);
}

static void good_cpu(void **state)
{
    (void)state;
    assert_int_equal(vmx_probe(), 0);
    assert_within(vmx_caps.pin, MSR_IA32_VMX_TRUE_PINBASED_CTLS);
    assert_within(vmx_caps.proc, MSR_IA32_VMX_TRUE_PROCBASED_CTLS);
    assert_within(vmx_caps.proc2, MSR_IA32_VMX_PROCBASED_CTLS2);
    assert_within(vmx_caps.exit, MSR_IA32_VMX_TRUE_EXIT_CTLS);
    assert_within(vmx_caps.entry, MSR_IA32_VMX_TRUE_ENTRY_CTLS);
    assert_int_equal(vmx_caps.revision, 0x12);
    assert_int_equal(vmx_caps.timer_shift, 5);
    assert_true(vmx_caps.timer_saved);
}

/* CPUs with the erratum of executable large pages. */
static void large_pages_are_not_executed(void **state)
{
    (void)state;
    assert_int_equal(vmx_probe(), 0);
    assert_true(ept_nested_format()->leaf(0, 2, PT_R | PT_X, PT_WB) & BIT(2));
    fake_vmx.multihit = true;
    assert_int_equal(vmx_probe(), 0);
    assert_false(ept_nested_format()->leaf(0, 2, PT_R | PT_X, PT_WB) & BIT(2));
    assert_true(ept_nested_format()->leaf(0, 1, PT_R | PT_X, PT_WB) & BIT(2));
    fake_vmx.multihit = false;
    assert_int_equal(vmx_probe(), 0);
}

/* An exit that nobody asked for costs; one that is missing is a hole. */
static void exactly_what_is_wanted(void **state)
{
    (void)state;
    assert_int_equal(vmx_probe(), 0);
    assert_int_equal(vmx_caps.pin & ~0x16u, PIN_EXTERNAL_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMI |
                                                PIN_PREEMPTION_TIMER);
    assert_int_equal(vmx_caps.proc & ~0x04006172u,
                     PROC_TSC_OFFSETTING | PROC_IO_BITMAPS | PROC_MSR_BITMAPS | PROC_SECONDARY |
                         PROC_MWAIT | PROC_MONITOR | PROC_CR8_LOAD | PROC_CR8_STORE | PROC_RDPMC);
    assert_int_equal(vmx_caps.proc2 & (PROC2_EPT | PROC2_UNRESTRICTED_GUEST | PROC2_VPID),
                     PROC2_EPT | PROC2_UNRESTRICTED_GUEST | PROC2_VPID);
    /* nothing that lets a guest act on what is not its own */
    assert_int_equal(vmx_caps.proc2 & (PROC2_VMFUNC | PROC2_APIC_ACCESSES | PROC2_APIC_REGISTERS |
                                       PROC2_INTERRUPT_DELIVERY | PROC2_USER_WAIT),
                     0);
}

/* Without true controls, CR3 exits can't be switched off. */
static void old_cpu_without_true_controls(void **state)
{
    (void)state;
    fake_vmx_msr(MSR_IA32_VMX_BASIC, 0x12);
    fake_vmx_msr(MSR_IA32_VMX_TRUE_PROCBASED_CTLS, 0);
    assert_int_equal(vmx_probe(), 0);
    assert_int_equal(vmx_caps.proc & (PROC_CR3_LOAD | PROC_CR3_STORE),
                     PROC_CR3_LOAD | PROC_CR3_STORE);
    assert_within(vmx_caps.proc, MSR_IA32_VMX_PROCBASED_CTLS);
}

static void missing_controls_are_named(void **state)
{
    static const struct {
        uint32_t msr, true_msr;
        uint64_t bit;
        const char *text;
    } rows[] = {
        { PIN_MSRS, PIN_EXTERNAL_INTERRUPT, "external-interrupt exiting missing: "
                                            "IA32_VMX_PINBASED_CTLS bit 32" },
        { PIN_MSRS, PIN_NMI, "IA32_VMX_PINBASED_CTLS bit 35" },
        { PIN_MSRS, PIN_VIRTUAL_NMI, "virtual NMIs missing: IA32_VMX_PINBASED_CTLS bit 37" },
        { PIN_MSRS, PIN_PREEMPTION_TIMER, "timer missing: IA32_VMX_PINBASED_CTLS bit 38" },
        { PROC_MSRS, PROC_MSR_BITMAPS, "MSR bitmaps missing: IA32_VMX_PROCBASED_CTLS bit 60" },
        { PROC_MSRS, PROC_IO_BITMAPS, "I/O bitmaps missing: IA32_VMX_PROCBASED_CTLS bit 57" },
        { PROC_MSRS, PROC_CR8_LOAD, "CR8-load exiting missing" },
        { PROC_MSRS, PROC_SECONDARY, "secondary controls missing: IA32_VMX_PROCBASED_CTLS bit 63" },
        { PROC2_MSRS, PROC2_EPT, "extended page tables missing: IA32_VMX_PROCBASED_CTLS2 bit 33" },
        { PROC2_MSRS, PROC2_UNRESTRICTED_GUEST,
          "unrestricted guest missing: IA32_VMX_PROCBASED_CTLS2 bit 39" },
        { EXIT_MSRS, EXITC_ACK_INTERRUPT, "acknowledge interrupt on exit missing" },
        { EXIT_MSRS, EXITC_LOAD_EFER, "load EFER at exit missing: IA32_VMX_EXIT_CTLS bit 53" },
        { ENTRY_MSRS, ENTRYC_LOAD_EFER, "load EFER at entry missing: IA32_VMX_ENTRY_CTLS bit 47" },
        { ENTRY_MSRS, ENTRYC_LOAD_PAT, "load PAT at entry missing: IA32_VMX_ENTRY_CTLS bit 46" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(state);
        fake_vmx_forbid(rows[i].msr, rows[i].true_msr, rows[i].bit);
        assert_int_equal(vmx_probe(), -ENOTSUP);
        if (!strstr(fake_vmx.log, rows[i].text))
            fail_msg("not said: %s\n%s", rows[i].text, fake_vmx.log);
    }
}

static void missing_comforts_are_fine(void **state)
{
    (void)state;
    fake_vmx_forbid(PROC2_MSRS, PROC2_VPID | PROC2_RDTSCP | PROC2_INVPCID | PROC2_XSAVES |
                                    PROC2_WBINVD | PROC2_BUS_LOCK | PROC2_NOTIFY);
    fake_vmx_forbid(EXIT_MSRS, EXITC_SAVE_PREEMPTION_TIMER);
    fake_vmx_create();
    assert_false(vmx_caps.timer_saved);
    assert_int_equal(vmx_of(&fake_vmx.vcpu)->timer_slack, 0);
    vmx_flush_linear(&fake_vmx.vcpu);
    assert_int_equal(fake_vmx.invvpids, 0); /* each entry flushes by itself */
}

/* As another hypervisor may have it: VPIDs, but not each kind of INVVPID that we use. */
static void vpid_only_with_invvpid(void **state)
{
    static const uint64_t bits[] = { VPID_CAP_INVVPID, VPID_CAP_INVVPID_SINGLE,
                                     VPID_CAP_INVVPID_ALL };

    for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
        char text[64];

        setup(state);
        fake_vmx_msr(MSR_IA32_VMX_EPT_VPID_CAP,
                     fake_vmx_get_msr(MSR_IA32_VMX_EPT_VPID_CAP) & ~bits[i]);
        snprintf(text, sizeof(text), "INVVPID missing: IA32_VMX_EPT_VPID_CAP bit %d",
                 __builtin_ctzll(bits[i]));
        assert_int_equal(vmx_probe(), 0);
        assert_non_null(strstr(fake_vmx.log, text));
        fake_vmx_create();
        assert_int_equal(fake_vmx.vmcs[VMCS_PROC_CONTROLS2] & PROC2_VPID, 0);
        vmx_flush_linear(&fake_vmx.vcpu);
        assert_int_equal(vmx_cpu_on(this_cpu()), 0);
        assert_int_equal(fake_vmx.invvpids, 0);
    }
}

/* Each CPU has its own lock: VMXON would raise #GP. */
static void locked_off_on_another_cpu(void **state)
{
    (void)state;
    this_cpu()->backend = NULL;
    assert_int_equal(vmx_probe(), 0);
    fake_vmx_msr(MSR_IA32_FEATURE_CONTROL, FEATURE_CONTROL_LOCKED);
    assert_int_equal(vmx_cpu_on(this_cpu()), -ENOTSUP);
    assert_non_null(strstr(fake_vmx.log, "VT-x is locked off: IA32_FEATURE_CONTROL bit 2"));
    assert_null(this_cpu()->backend);
    fake_vmx_msr(MSR_IA32_FEATURE_CONTROL, 0);
    assert_int_equal(vmx_cpu_on(this_cpu()), 0);
    assert_int_equal(fake_vmx_get_msr(MSR_IA32_FEATURE_CONTROL),
                     FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
    assert_int_equal(fake_vmx.invepts + fake_vmx.invvpids, 2); /* what others left behind */
}

static void all_that_is_missing_is_said_at_once(void **state)
{
    (void)state;
    fake_vmx_forbid(PROC2_MSRS, PROC2_EPT | PROC2_UNRESTRICTED_GUEST);
    fake_vmx_forbid(PIN_MSRS, PIN_NMI);
    assert_int_equal(vmx_probe(), -ENOTSUP);
    assert_non_null(strstr(fake_vmx.log, "NMI exiting missing"));
    assert_non_null(strstr(fake_vmx.log, "extended page tables missing"));
    assert_non_null(strstr(fake_vmx.log, "unrestricted guest missing"));
}

static void presence(void **state)
{
    (void)state;
    fake_vmx_cpuid_1_ecx(0);
    assert_int_equal(vmx_probe(), -ENODEV);
    assert_non_null(strstr(fake_vmx.log, "CPUID leaf 1 ECX bit 5"));
    setup(state);
    fake_vmx_msr(MSR_IA32_FEATURE_CONTROL, FEATURE_CONTROL_LOCKED);
    assert_int_equal(vmx_probe(), -ENOTSUP);
    assert_non_null(strstr(fake_vmx.log, "IA32_FEATURE_CONTROL bit 2"));
    setup(state);
    fake_vmx_msr(MSR_IA32_FEATURE_CONTROL, 0); /* not locked: we switch it on */
    assert_int_equal(vmx_probe(), 0);
    setup(state);
    fake_vmx_msr(MSR_IA32_VMX_EPT_VPID_CAP,
                 fake_vmx_get_msr(MSR_IA32_VMX_EPT_VPID_CAP) & ~(1ull << 14));
    assert_int_equal(vmx_probe(), -ENOTSUP);
    assert_non_null(strstr(fake_vmx.log,
                           "EPT write-back memory type missing: IA32_VMX_EPT_VPID_CAP bit 14"));
}

/* The dangerous fields of a new VMCS. */
static void vmcs_contents(void **state)
{
    uint64_t exceptions;

    (void)state;
    fake_vmx.vm.tsc_offset = 0x123456789abc;
    fake_vmx_create();
    exceptions = fake_vmx.vmcs[VMCS_EXCEPTION_BITMAP];
    assert_true(exceptions & BIT(VECTOR_DB) && exceptions & BIT(VECTOR_AC));
    assert_true(exceptions & BIT(VECTOR_MC));
    assert_int_equal(fake_vmx.vmcs[VMCS_LINK_POINTER], ~0ull);
    assert_int_equal(fake_vmx.vmcs[VMCS_TSC_OFFSET], 0x123456789abc);
    assert_int_equal(fake_vmx.vmcs[VMCS_IO_BITMAP_B], fake_vmx.vmcs[VMCS_IO_BITMAP_A] + PAGE_SIZE);
    /* the guest changes neither VMXE nor MCE nor what it was not offered without us */
    assert_true(fake_vmx.vmcs[VMCS_CR4_MASK] & CR4_VMXE);
    assert_true(fake_vmx.vmcs[VMCS_CR4_MASK] & CR4_MCE);
    assert_true(fake_vmx.vmcs[VMCS_CR4_MASK] & CR4_LA57);
    assert_int_equal(fake_vmx.vmcs[VMCS_CR0_MASK], CR0_NE | CR0_NW | CR0_CD);
    assert_int_not_equal(fake_vmx.vmcs[VMCS_VPID], 0);
    assert_int_equal(fake_vmx.vmcs[VMCS_XSS_EXITING], ~0ull);
    assert_true(fake_vmx.vmcs[VMCS_PROC_CONTROLS2] & PROC2_NOTIFY);
    assert_true(fake_vmx.vmcs[VMCS_PROC_CONTROLS2] & PROC2_BUS_LOCK);
    assert_int_equal(fake_vmx.invvpid_vpid, fake_vmx.vmcs[VMCS_VPID]);
}

/* What the guest reads of CR0 and CR4 is what it wrote; what runs is what VMX wants. */
static void control_registers_are_shadowed(void **state)
{
    struct vcpu *v = &fake_vmx.vcpu;

    (void)state;
    fake_vmx_create();
    assert_int_equal(vmx_get(v, VREG_CR0), CR0_CD | CR0_NW | CR0_ET); /* as after INIT */
    vmx_set(v, VREG_CR0, CR0_PE | CR0_CD | CR0_ET);
    assert_int_equal(vmx_get(v, VREG_CR0), CR0_PE | CR0_CD | CR0_ET);
    assert_int_equal(fake_vmx.vmcs[VMCS_GUEST_CR0], CR0_PE | CR0_NE | CR0_ET);
    fake_vmx.vmcs[VMCS_GUEST_CR0] |= CR0_TS; /* a bit of the guest's own */
    assert_int_equal(vmx_get(v, VREG_CR0), CR0_PE | CR0_CD | CR0_ET | CR0_TS);
    vmx_set(v, VREG_CR4, CR4_PAE);
    assert_int_equal(vmx_get(v, VREG_CR4), CR4_PAE);
    assert_int_equal(fake_vmx.vmcs[VMCS_GUEST_CR4], CR4_PAE | CR4_VMXE | CR4_MCE);
    vmx_set(v, VREG_EFER, EFER_LME | EFER_LMA);
    assert_true(fake_vmx.vmcs[VMCS_ENTRY_CONTROLS] & ENTRYC_GUEST_64);
    vmx_set(v, VREG_EFER, EFER_LME);
    assert_false(fake_vmx.vmcs[VMCS_ENTRY_CONTROLS] & ENTRYC_GUEST_64);
}

/* The timer is written right before an entry. */
static void enter_with_timer(struct vcpu *v, uint64_t tsc)
{
    struct vmexit exit;

    backend->set_timer(v, tsc);
    vmx_run(v, &exit);
}

/* Never early, and late by no more than two of its steps. */
static void timer_is_never_early(void **state)
{
    struct vcpu *v = &fake_vmx.vcpu;

    (void)state;
    fake_vmx_create();
    for (uint64_t now = 1000; now < 1100; now++)
        for (uint64_t delta = 1; delta < 200; delta += 7) {
            fake_vmx.tsc = now;
            enter_with_timer(v, now + delta);
            /* the timer counts when bit 5 of the TSC changes (SDM 3C, "VMX-Preemption Timer") */
            uint64_t fires = ((now >> 5) + fake_vmx.vmcs[VMCS_PREEMPTION_TIMER]) << 5;

            assert_true(fires >= now + delta);
            assert_true(fires - (now + delta) <= 2 * 32);
        }
    enter_with_timer(v, 1);
    assert_int_equal(fake_vmx.vmcs[VMCS_PREEMPTION_TIMER], 0);
    enter_with_timer(v, VTIMER_OFF);
    assert_int_equal(fake_vmx.vmcs[VMCS_PREEMPTION_TIMER], UINT32_MAX);
    enter_with_timer(v, VTIMER_OFF - 1);
    assert_int_equal(fake_vmx.vmcs[VMCS_PREEMPTION_TIMER], UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(good_cpu, setup),
        cmocka_unit_test_setup(large_pages_are_not_executed, setup),
        cmocka_unit_test_setup(exactly_what_is_wanted, setup),
        cmocka_unit_test_setup(old_cpu_without_true_controls, setup),
        cmocka_unit_test_setup(missing_controls_are_named, setup),
        cmocka_unit_test_setup(missing_comforts_are_fine, setup),
        cmocka_unit_test_setup(all_that_is_missing_is_said_at_once, setup),
        cmocka_unit_test_setup(presence, setup),
        cmocka_unit_test_setup(vpid_only_with_invvpid, setup),
        cmocka_unit_test_setup(locked_off_on_another_cpu, setup),
        cmocka_unit_test_setup(vmcs_contents, setup),
        cmocka_unit_test_setup(control_registers_are_shadowed, setup),
        cmocka_unit_test_setup(timer_is_never_early, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
