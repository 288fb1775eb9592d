/* SPDX-License-Identifier: MIT */
/* I/O and MSR bitmaps: what passes, and that nothing else does (build host). */
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

#include <cmocka.h>

#include "kernel/page.h"
#include "tests/unit/fake_vmx.h"
#include "tests/unit/host_stubs.h"

#define PORTS 0x10000u
#define MSRS 0x2000u

static int setup(void **state)
{
    (void)state;
    fake_vmx_reset();
    fake_vmx_create();
    return 0;
}

/* As the processor finds them (SDM 3C, "I/O-Bitmap Addresses", "MSR-Bitmap Address"). */
static bool port_exits(unsigned port)
{
    hpa_t page = fake_vmx.vmcs[port < 0x8000 ? VMCS_IO_BITMAP_A : VMCS_IO_BITMAP_B];
    const uint8_t *bits = page_ptr(page);

    return bits[(port & 0x7fff) / 8] >> (port & 7) & 1;
}

static bool msr_exits(uint32_t msr, bool write)
{
    const uint8_t *bits = page_ptr(fake_vmx.vmcs[VMCS_MSR_BITMAP]);

    if (msr >= 0xc0000000)
        bits += 1024;
    if (write)
        bits += 2048;
    return bits[(msr & 0x1fff) / 8] >> (msr & 7) & 1;
}

static void everything_exits_at_first(void **state)
{
    (void)state;
    for (unsigned port = 0; port < PORTS; port++)
        assert_true(port_exits(port));
    for (unsigned i = 0; i < MSRS; i++)
        for (unsigned write = 0; write < 2; write++) {
            assert_true(msr_exits(i, write));
            assert_true(msr_exits(0xc0000000 + i, write));
        }
}

static void msrs(void **state)
{
    static const uint32_t numbers[] = { 0, 0x10, 0x174, 0x1fff,
                                        0xc0000000, 0xc0000080, 0xc0001fff };

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        for (unsigned how = 0; how < 4; how++) {
            setup(state);
            vmx_intercept_msr(&fake_vmx.vm, numbers[i], how);
            for (uint32_t n = 0; n < 2 * MSRS; n++) {
                uint32_t msr = n < MSRS ? n : 0xc0000000 - MSRS + n;
                bool other = msr != numbers[i];

                assert_int_equal(msr_exits(msr, false), other || how & VINTERCEPT_READ);
                assert_int_equal(msr_exits(msr, true), other || how & VINTERCEPT_WRITE);
            }
        }
}

/* No bit: the processor exits for these always, and who wants otherwise has a bug. */
static void msrs_without_a_bit(void **state)
{
    (void)state;
    expect_assert_failure(vmx_intercept_msr(&fake_vmx.vm, 0x2000, 0));
    expect_assert_failure(vmx_intercept_msr(&fake_vmx.vm, 0x40000000, 0));
    expect_assert_failure(vmx_intercept_msr(&fake_vmx.vm, 0xbfffffff, 0));
    expect_assert_failure(vmx_intercept_msr(&fake_vmx.vm, 0xc0002000, 0));
    expect_assert_failure(vmx_intercept_msr(&fake_vmx.vm, 0xffffffff, 0));
    everything_exits_at_first(state);
}

static void memory_comes_back(void **state)
{
    struct vm vm = { .config = &fake_vmx.config };
    uint64_t before;

    (void)state;
    before = page_get_stats().free_pages;
    fake_vmx.vm.backend = NULL;
    assert_int_equal(vmx_vm_init(&fake_vmx.vm), 0);
    assert_int_equal(page_get_stats().free_pages, before - 2); /* the fake's vm_alloc, too */
    vmx_vm_fini(&fake_vmx.vm);
    assert_int_equal(page_get_stats().free_pages, before - 1);
    vmx_vm_fini(&vm); /* one that was never initialised */
}

static void memory_runs_out(void **state)
{
    hpa_t pages[] = { page_alloc(PAGE_ORDER_4K), page_alloc(PAGE_ORDER_4K) };

    (void)state;
    while (page_alloc(PAGE_ORDER_4K) != PAGE_NONE)
        ;
    fake_vmx.vm.backend = NULL;
    assert_int_equal(vmx_vm_init(&fake_vmx.vm), -ENOMEM);
    vmx_vm_fini(&fake_vmx.vm);
    page_free(pages[0], PAGE_ORDER_4K); /* for the fake's vm_alloc, and one of two bitmaps */
    page_free(pages[1], PAGE_ORDER_4K);
    fake_vmx.vm.apicv = true;
    assert_int_equal(vmx_vm_init(&fake_vmx.vm), -ENOMEM);
    vmx_vm_fini(&fake_vmx.vm);
    assert_int_equal(page_get_stats().free_pages, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(everything_exits_at_first, setup),
        cmocka_unit_test_setup(msrs, setup),
        cmocka_unit_test_setup(msrs_without_a_bit, setup),
        cmocka_unit_test_setup(memory_comes_back, setup),
        cmocka_unit_test_setup(memory_runs_out, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
