/* SPDX-License-Identifier: MIT */
/* The paravirtual clock: what the guest computes is the time (build host). */
/* sources: kernel/pvclock.c
 * kernel/vcpu.c kernel/gmem.c kernel/pt.c
 * kernel/pt_change.c kernel/pt_read.c kernel/page.c kernel/iobus.c vmx/ept.c
 * tests/unit/fake_backend.c tests/unit/fake_guest.c tests/unit/fake_stubs.c
 * tests/unit/host_stubs.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/pvclock.h"
#include "tests/unit/fake_backend.h"
#include "tests/unit/host_stubs.h"

#define PAGE 0x3000ull
#define SYSTEM 0x4b564d01u
#define WALL 0x4b564d00u

static struct vcpu *const v = &fake.vcpus[0];
static uint64_t hz;

uint64_t time_tsc_hz(void)
{
    return hz;
}

static int setup(void **state)
{
    (void)state;
    fake_create(PAGE_2M, BOOT_BACKING_EAGER);
    hz = 3000000000;
    return 0;
}

/* As Linux does it (Documentation/virt/kvm/x86/msr.rst). */
static uint64_t guest_ns(uint64_t tsc)
{
    uint64_t delta = tsc - fake_peek(PAGE + 8, 8);
    int8_t shift = (int8_t)fake_peek(PAGE + 28, 1);

    delta = shift < 0 ? delta >> -shift : delta << shift;
    return (uint64_t)((unsigned __int128)delta * fake_peek(PAGE + 24, 4) >> 32) +
           fake_peek(PAGE + 16, 8);
}

/* Linux orders the readings of CPUs itself where the flag is not there. */
static void stable_only_where_cpus_agree(void **state)
{
    (void)state;
    assert_int_equal(pvclock_write_system(v, SYSTEM, PAGE | 1), 0);
    assert_int_equal(fake_peek(PAGE + 29, 1), 1);
    fake.warp = 1;
    assert_int_equal(pvclock_write_system(v, SYSTEM, PAGE | 1), 0);
    assert_int_equal(fake_peek(PAGE + 29, 1), 0);
}

static void time_at_any_rate(void **state)
{
    static const uint64_t rates[] = { 1000000, 100000000, 999999999, 1000000000, 1000000001,
                                      1999999999, 2000000000, 2000000001, 2893202000, 3000000000,
                                      5700000000, 1ull << 33 };

    for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
        setup(state);
        hz = rates[i];
        assert_int_equal(pvclock_write_system(v, SYSTEM, PAGE | 1), 0);
        for (uint64_t seconds = 1; seconds < 1000000; seconds *= 7) {
            uint64_t ns = guest_ns(seconds * hz), exact = seconds * 1000000000;
            uint64_t error = ns > exact ? ns - exact : exact - ns;

            assert_true(error <= exact / 1000000000 * 3 + 2); /* three parts in 10^9 */
        }
        assert_int_equal(guest_ns(0), 0);
    }
}

static void layout(void **state)
{
    (void)state;
    assert_int_equal(pvclock_write_system(v, SYSTEM, PAGE | 1), 0);
    assert_int_equal(fake_peek(PAGE, 4) & 1, 0); /* even: not being written */
    assert_int_equal(fake_peek(PAGE + 29, 1), 1); /* TSC stable */
    assert_int_equal(fake_peek(PAGE + 32, 8), 0); /* nothing behind it */
}

static void wall_clock(void **state)
{
    (void)state;
    assert_int_equal(pvclock_write_wall(v, WALL, PAGE), 0);
    assert_int_equal(fake_peek(PAGE, 4) & 1, 0);
    assert_int_equal(fake_peek(PAGE + 4, 4), 1700000000);
    assert_int_equal(fake_peek(PAGE + 8, 4), 0);
}

static void refusals(void **state)
{
    (void)state;
    assert_int_equal(pvclock_write_system(v, SYSTEM, (PAGE + 2) | 1), -EINVAL);
    assert_int_equal(pvclock_write_system(v, SYSTEM, PAGE_2M | 1), -EINVAL);
    assert_int_equal(pvclock_write_system(v, SYSTEM, (PAGE_2M - 4) | 1), -EINVAL);
    assert_int_equal(pvclock_write_system(v, SYSTEM, FAKE_MMIO | 1), -EINVAL);
    assert_int_equal(pvclock_write_system(v, SYSTEM, ~3ull | 1), -EINVAL);
    assert_int_equal(pvclock_write_wall(v, WALL, PAGE + 1), -EINVAL);
    assert_int_equal(pvclock_write_wall(v, WALL, PAGE_2M - 4), -EINVAL);
    /* switched off: nothing is written */
    assert_int_equal(pvclock_write_system(v, SYSTEM, PAGE), 0);
    assert_int_equal(fake_peek(PAGE + 24, 4), 0);
    assert_int_equal(pvclock_write_system(v, SYSTEM, PAGE_2M), 0);
    assert_int_equal(fake_peek(PAGE_2M - 4, 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(stable_only_where_cpus_agree, setup),
        cmocka_unit_test_setup(time_at_any_rate, setup),
        cmocka_unit_test_setup(layout, setup),
        cmocka_unit_test_setup(wall_clock, setup),
        cmocka_unit_test_setup(refusals, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
