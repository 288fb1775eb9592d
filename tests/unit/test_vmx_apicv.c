/* SPDX-License-Identifier: MIT */
/* APIC virtualisation: controls, what the MSR bitmaps open and when, guest interrupt status, and
 * what is missing (build host). */
/* sources: vmx/check.c vmx/check_controls.c vmx/check_entry.c vmx/check_host.c vmx/check_guest.c
 * vmx/check_segments.c vmx/check_state.c vmx/regs.c vmx/ctls.c vmx/probe.c vmx/setup.c vmx/run.c
 * vmx/decode.c vmx/intercept.c vmx/apicv.c vmx/ept.c kernel/page.c kernel/vcpu_reset.c
 * tests/unit/fake_vmx.c
 * tests/unit/host_stubs.c */
/* flags: -Wl,--wrap=log_printf */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/page.h"
#include "kernel/x86.h"
#include "tests/unit/fake_vmx.h"

#define X2APIC_LAST (MSR_IA32_X2APIC_BASE + 0xff)
#define APICV_PROC2 (PROC2_X2APIC_MODE | PROC2_APIC_REGISTERS | PROC2_INTERRUPT_DELIVERY)

static void *page;

static int setup(void **state)
{
    (void)state;
    fake_vmx_reset();
    fake_vmx.vm.apicv = true;
    fake_vmx_create();
    page = page_zalloc();
    assert_non_null(page);
    return 0;
}

static bool msr_exits(uint32_t msr, bool write)
{
    const uint8_t *bits = page_ptr(fake_vmx.vmcs[VMCS_MSR_BITMAP]);

    return bits[(write ? 2048 : 0) + msr / 8] >> (msr & 7) & 1;
}

static void all_exit(void)
{
    for (uint32_t msr = MSR_IA32_X2APIC_BASE; msr <= X2APIC_LAST; msr++)
        assert_true(msr_exits(msr, false) && msr_exits(msr, true));
}

static void closed_until_it_is_on(void **state)
{
    (void)state;
    all_exit();
    assert_false(fake_vmx.vmcs[VMCS_PROC_CONTROLS] & PROC_TPR_SHADOW);
    assert_false(fake_vmx.vmcs[VMCS_PROC_CONTROLS2] & APICV_PROC2);
    vmx_apicv.set(&fake_vmx.vcpu, page, 0);
    assert_true(fake_vmx.vmcs[VMCS_PROC_CONTROLS] & PROC_TPR_SHADOW);
    assert_false(fake_vmx.vmcs[VMCS_PROC_CONTROLS] & (PROC_CR8_LOAD | PROC_CR8_STORE));
    assert_int_equal(fake_vmx.vmcs[VMCS_PROC_CONTROLS2] & APICV_PROC2, APICV_PROC2);
    assert_int_equal(fake_vmx.vmcs[VMCS_VIRTUAL_APIC], page_hpa(page));
    vmx_apicv.set(&fake_vmx.vcpu, NULL, 0);
    all_exit();
    assert_false(fake_vmx.vmcs[VMCS_PROC_CONTROLS] & PROC_TPR_SHADOW);
    assert_false(fake_vmx.vmcs[VMCS_PROC_CONTROLS2] & APICV_PROC2);
    assert_int_equal(fake_vmx.vmcs[VMCS_PROC_CONTROLS] & (PROC_CR8_LOAD | PROC_CR8_STORE),
                     PROC_CR8_LOAD | PROC_CR8_STORE);
}

/* SDM 3A, table 11-6: the registers that x2APIC mode can read, less the timer's current count. */
static bool readable(uint32_t n)
{
    return n == 0x02 || n == 0x03 || n == 0x08 || n == 0x0a || n == 0x0d ||
           (n >= 0x0f && n <= 0x28) || n == 0x30 || (n >= 0x32 && n <= 0x38) || n == 0x3e;
}

static void what_opens(void **state)
{
    (void)state;
    vmx_apicv.set(&fake_vmx.vcpu, page, 0);
    for (uint32_t n = 0; n <= 0xff; n++) {
        bool written = n == 0x08 || n == 0x0b || n == 0x3f; /* TPR, EOI, self IPI */
        assert_int_equal(msr_exits(MSR_IA32_X2APIC_BASE + n, false), !readable(n));
        assert_int_equal(msr_exits(MSR_IA32_X2APIC_BASE + n, true), !written);
    }
    assert_true(msr_exits(MSR_IA32_X2APIC_BASE - 1, false));
    assert_true(msr_exits(X2APIC_LAST + 1, false));
    assert_true(msr_exits(MSR_IA32_TSC_DEADLINE, true));
}

static void policy_holds_in_both_modes(void **state)
{
    (void)state;
    vmx_intercept_msr(&fake_vmx.vm, MSR_IA32_PAT, 0);
    assert_false(msr_exits(MSR_IA32_PAT, true));
    vmx_apicv.set(&fake_vmx.vcpu, page, 0);
    assert_false(msr_exits(MSR_IA32_PAT, true));
    vmx_intercept_msr(&fake_vmx.vm, MSR_IA32_PAT, VINTERCEPT_WRITE);
    assert_true(msr_exits(MSR_IA32_PAT, true));
}

static void interrupt_status(void **state)
{
    (void)state;
    vmx_apicv.set(&fake_vmx.vcpu, page, 0x61);
    assert_int_equal(fake_vmx.vmcs[VMCS_GUEST_INTERRUPT_STATUS], 0x6100);
    vmx_apicv.raise(&fake_vmx.vcpu, 0x45);
    assert_int_equal(fake_vmx.vmcs[VMCS_GUEST_INTERRUPT_STATUS], 0x6145);
    vmx_apicv.raise(&fake_vmx.vcpu, 0x33); /* the highest counts */
    assert_int_equal(fake_vmx.vmcs[VMCS_GUEST_INTERRUPT_STATUS], 0x6145);
    vmx_apicv.raise(&fake_vmx.vcpu, 0xff);
    assert_int_equal(fake_vmx.vmcs[VMCS_GUEST_INTERRUPT_STATUS], 0x61ff);
}

static void eoi_exits(void **state)
{
    uint64_t vectors[APICV_WORDS];

    (void)state;
    for (unsigned i = 0; i < APICV_WORDS; i++)
        vectors[i] = 0x1111111111111111u * (i + 1);
    vmx_apicv.set(&fake_vmx.vcpu, page, 0);
    vmx_apicv.eoi_exits(&fake_vmx.vcpu, vectors);
    assert_int_equal(fake_vmx.vmcs[VMCS_EOI_EXIT0], 0x1111111111111111);
    assert_int_equal(fake_vmx.vmcs[VMCS_EOI_EXIT3], 0x4444444444444444);
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    assert_int_equal(vmx_apicv.available(), 0);
    fake_vmx_forbid(MSR_IA32_VMX_PROCBASED_CTLS2, 0, PROC2_INTERRUPT_DELIVERY);
    assert_int_equal(vmx_apicv.available(), -ENOTSUP);
    assert_non_null(strstr(fake_vmx.log, "virtual-interrupt delivery missing: "
                                         "IA32_VMX_PROCBASED_CTLS2 bit 41"));
    assert_null(strstr(fake_vmx.log, "TPR shadow"));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(closed_until_it_is_on),
        TEST(what_opens),
        TEST(policy_holds_in_both_modes),
        TEST(interrupt_status),
        TEST(eoi_exits),
        TEST(what_is_missing_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
