/* SPDX-License-Identifier: MIT */
/* I/O and MSR permissions maps: what passes, and that nothing else does (build host). */
/* sources: svm/check.c svm/check_rules.c svm/ctls.c svm/decode.c svm/event.c svm/insn.c
 * svm/intercept.c svm/npt.c svm/probe.c svm/regs.c svm/run.c svm/setup.c kernel/pt_host.c
 * kernel/page.c kernel/vcpu_reset.c kernel/fetch.c kernel/insn.c tests/unit/fake_svm.c
 * tests/unit/host_stubs.c */
/* flags: -Wl,--wrap=log_printf */
#include <errno.h>

#include "tests/unit/svm_case.h"

#define PORTS 0x10000u
#define MSRS 0x2000u

/* APM 2, "MSR Intercepts": offset of each range in the map. */
static const struct {
    uint32_t first;
    unsigned offset;
} ranges[] = { { 0, 0 }, { 0xc0000000, 0x800 }, { 0xc0010000, 0x1000 } };

/* As the processor finds them (APM 2, "I/O Permissions Map"). */
static bool port_exits(unsigned port)
{
    const uint8_t *map = page_ptr(control()->iopm_base);

    return map[port / 8] >> (port & 7) & 1;
}

static bool msr_exits(unsigned range, uint32_t index, bool write)
{
    const uint8_t *map = page_ptr(control()->msrpm_base);

    return map[ranges[range].offset + index / 4] >> (index % 4 * 2 + write) & 1;
}

static void everything_exits_at_first(void **state)
{
    (void)state;
    for (unsigned port = 0; port < PORTS; port++)
        assert_true(port_exits(port));
    for (unsigned range = 0; range < ARRAY_SIZE(ranges); range++)
        for (uint32_t i = 0; i < MSRS; i++)
            assert_true(msr_exits(range, i, false) && msr_exits(range, i, true));
}

/* An access to the last ports looks at bits of the third page. */
static void beyond_the_last_port(void **state)
{
    const uint8_t *map = page_ptr(control()->iopm_base);

    (void)state;
    for (unsigned i = PORTS / 8; i < IOPM_SIZE; i++)
        assert_int_equal(map[i], 0xff);
    assert_int_equal(control()->iopm_base % PAGE_SIZE, 0);
    assert_int_equal(control()->msrpm_base % PAGE_SIZE, 0);
}

static void msrs(void **state)
{
    static const uint32_t indices[] = { 0, 1, 2, 3, 0x10, 0x80, 0x174, 0x1fff };

    for (unsigned range = 0; range < ARRAY_SIZE(ranges); range++)
        for (size_t i = 0; i < ARRAY_SIZE(indices); i++)
            for (unsigned how = 0; how < 4; how++) {
                setup(state);
                svm_intercept_msr(&fake_svm.vm, ranges[range].first + indices[i], how);
                assert_int_equal(msr_exits(range, indices[i], false),
                                 (how & VINTERCEPT_READ) != 0);
                assert_int_equal(msr_exits(range, indices[i], true),
                                 (how & VINTERCEPT_WRITE) != 0);
                svm_intercept_msr(&fake_svm.vm, ranges[range].first + indices[i],
                                  VINTERCEPT_READ | VINTERCEPT_WRITE);
                everything_exits_at_first(state); /* no other bit has changed */
            }
}

/* The other way round: one bit each, and no neighbour's. */
static void one_msr_of_none(void **state)
{
    const uint8_t *map = page_ptr(control()->msrpm_base);

    (void)state;
    for (unsigned range = 0; range < ARRAY_SIZE(ranges); range++)
        for (uint32_t i = 0; i < MSRS; i++)
            svm_intercept_msr(&fake_svm.vm, ranges[range].first + i, 0);
    assert_true(host_is_zero(control()->msrpm_base, 0x1800));
    for (unsigned i = 0x1800; i < MSRPM_SIZE; i++)
        assert_int_equal(map[i], 0xff); /* reserved */
    svm_intercept_msr(&fake_svm.vm, 0xc0000081, VINTERCEPT_WRITE);
    assert_int_equal(map[0x820], 1 << 3);
    assert_true(host_is_zero(control()->msrpm_base, 0x820));
}

/* No bit: the processor exits for these always, and who wants otherwise has a bug. */
static void msrs_without_a_bit(void **state)
{
    static const uint32_t numbers[] = { 0x2000, 0x40000000, 0xbfffffff, 0xc0002000, 0xc000ffff,
                                        0xc0012000, 0xffffffff };

    for (volatile size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        expect_assert_failure(svm_intercept_msr(&fake_svm.vm, numbers[i], 0));
    everything_exits_at_first(state);
}

/* The map of MSRs; that of ports is all VMs'. */
static void memory_comes_back(void **state)
{
    struct vm vm = { .name = "" };
    uint64_t before;

    (void)state;
    before = page_get_stats().free_pages;
    fake_svm.vm.backend = NULL;
    assert_int_equal(svm_vm_init(&fake_svm.vm), 0);
    assert_int_equal(page_get_stats().free_pages, before - 2);
    svm_vm_fini(&fake_svm.vm);
    assert_int_equal(page_get_stats().free_pages, before);
    svm_vm_fini(&vm); /* one that was never initialised */
}

static void memory_runs_out(void **state)
{
    hpa_t page;

    (void)state;
    page_alloc(0);
    while ((page = page_alloc(1)) != PAGE_NONE)
        ;
    fake_svm.vm.backend = NULL;
    assert_int_equal(svm_vm_init(&fake_svm.vm), -ENOMEM);
    assert_null(fake_svm.vm.backend);
    assert_true(page_get_stats().free_pages > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(everything_exits_at_first, setup),
        cmocka_unit_test_setup(beyond_the_last_port, setup),
        cmocka_unit_test_setup(msrs, setup),
        cmocka_unit_test_setup(one_msr_of_none, setup),
        cmocka_unit_test_setup(msrs_without_a_bit, setup),
        cmocka_unit_test_setup(memory_comes_back, setup),
        cmocka_unit_test_setup(memory_runs_out, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
