/* SPDX-License-Identifier: MIT */
/* TSCs of two CPUs: made alike where they can be, and else the difference is seen (build host). */
/* sources: kernel/tsc_sync.c */
/* flags: -pthread */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/time.h"
#include "kernel/tsc_sync.h"
#include "kernel/x86.h"

static uint64_t machine;             /* of the machine */
static uint64_t adjust[2], skew[2];  /* of each CPU: what the MSR shows, and what nothing shows */
static bool has_msr;
static __thread unsigned cpu;

uint64_t time_tsc(void)
{
    return __atomic_add_fetch(&machine, 1, __ATOMIC_SEQ_CST) + adjust[cpu] + skew[cpu];
}

struct cpuid_regs x86_test_cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    if (leaf == CPUID_VENDOR)
        return (struct cpuid_regs){ .eax = CPUID_EXT_FEATURES };
    return (struct cpuid_regs){ .ebx = has_msr ? CPUID_7_EBX_TSC_ADJUST : 0 };
}

uint64_t x86_test_rdmsr(uint32_t msr)
{
    assert_true(has_msr);
    return msr == MSR_IA32_TSC_ADJUST ? adjust[cpu] : 0;
}

void x86_test_wrmsr(uint32_t msr, uint64_t value)
{
    assert_int_equal(msr, MSR_IA32_TSC_ADJUST);
    adjust[cpu] = value;
}

static void *other_cpu(void *arg)
{
    cpu = 1;
    tsc_sync_join();
    return arg;
}

/* The warp only grows, so cases go from the best to the worst. */
static uint64_t sync(bool msr, uint64_t difference, uint64_t hidden)
{
    pthread_t thread;

    has_msr = msr;
    adjust[0] = 100000;
    adjust[1] = adjust[0] + difference;
    skew[1] = hidden;
    assert_int_equal(pthread_create(&thread, NULL, other_cpu, NULL), 0);
    tsc_sync_lead();
    pthread_join(thread, NULL);
    return tsc_sync_warp();
}

static void alike(void **state)
{
    (void)state;
    assert_int_equal(sync(true, 0, 0), 0);
    assert_int_equal(sync(false, 0, 0), 0);
}

static void firmware_left_them_apart(void **state)
{
    (void)state;
    assert_int_equal(sync(true, 5000, 0), 0);
    assert_int_equal(adjust[1], adjust[0]);
    assert_int_equal(sync(true, 0ull - 5000, 0), 0);
    assert_int_equal(adjust[1], adjust[0]);
}

static void what_can_not_be_mended_is_seen(void **state)
{
    (void)state;
    assert_in_range(sync(true, 0, 3000), 2000, 3000);
    assert_in_range(sync(false, 0ull - 9000, 0), 8000, 9000);
    assert_int_equal(adjust[1], adjust[0] - 9000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alike),
        cmocka_unit_test(firmware_left_them_apart),
        cmocka_unit_test(what_can_not_be_mended_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
