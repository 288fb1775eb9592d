/* SPDX-License-Identifier: MIT */
/* Timers of a vCPU: due once, in no other's way (build host). */
/* sources: kernel/vtimer.c
 * kernel/vcpu.c kernel/gmem.c kernel/pt.c
 * kernel/pt_change.c kernel/pt_read.c kernel/page.c kernel/iobus.c vmx/ept.c
 * tests/unit/fake_backend.c tests/unit/fake_guest.c tests/unit/fake_stubs.c
 * tests/unit/host_stubs.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/fake_backend.h"

static struct vcpu *const v = &fake.vcpus[0];
static struct vtimer timers[3];
static unsigned calls[3];
static uint64_t again; /* what the first timer sets itself to; 0: nothing */

static void ring(struct vtimer *timer)
{
    assert_true(lock_held(&fake.vm.lock));
    assert_int_equal(timer->deadline, VTIMER_OFF);
    assert_ptr_equal(timer->owner, &calls[timer - timers]);
    calls[timer - timers]++;
    if (timer == &timers[0] && again)
        vtimer_set(timer, again);
}

static int setup(void **state)
{
    (void)state;
    fake_create(PAGE_2M, BOOT_BACKING_EAGER);
    again = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(timers); i++) {
        calls[i] = 0;
        vtimer_init(&timers[i], v, ring, &calls[i]);
    }
    fake.tsc = 1000;
    return 0;
}

static void nothing_armed(void **state)
{
    (void)state;
    assert_true(vcpu_next_deadline(v) == VTIMER_OFF);
    vcpu_run_timers(v);
    assert_int_equal(calls[0] + calls[1] + calls[2], 0);
    assert_true(vcpu_next_deadline(&fake.vcpus[1]) == VTIMER_OFF);
}

static void the_earliest_first(void **state)
{
    (void)state;
    vtimer_set(&timers[0], 3000);
    vtimer_set(&timers[2], 2000);
    assert_int_equal(vcpu_next_deadline(v), 2000);
    vtimer_set(&timers[1], 1500);
    assert_int_equal(vcpu_next_deadline(v), 1500);
    vtimer_set(&timers[1], VTIMER_OFF);
    assert_int_equal(vcpu_next_deadline(v), 2000);
}

static void never_early_and_once(void **state)
{
    (void)state;
    vtimer_set(&timers[1], 2000);
    fake.tsc = 1999;
    vcpu_run_timers(v);
    assert_int_equal(calls[1], 0);
    fake.tsc = 2000;
    vcpu_run_timers(v);
    assert_int_equal(calls[1], 1);
    vcpu_run_timers(v);
    assert_int_equal(calls[1], 1);
    assert_int_equal(calls[0] + calls[2], 0);
}

static void may_set_itself_again(void **state)
{
    (void)state;
    vtimer_set(&timers[0], 1000);
    again = 5000;
    vcpu_run_timers(v);
    assert_int_equal(calls[0], 1);
    assert_int_equal(vcpu_next_deadline(v), 5000);
    /* in the past: it rings again at the next look, not for ever in this one */
    again = 10;
    fake.tsc = 5000;
    vcpu_run_timers(v);
    assert_int_equal(calls[0], 2);
    assert_int_equal(vcpu_next_deadline(v), 10);
}

/* Another deadline means another value of the hardware's timer, before the next entry. */
static void the_vcpu_is_told(void **state)
{
    struct cpu other = { .index = 1 };

    (void)state;
    vtimer_set(&timers[0], 4000);
    assert_true(v->requests & VCPU_REQ_TIMER);
    assert_int_equal(fake.kicks, 0); /* it is on this CPU: it looks by itself */
    assert_true(vcpu_serve_requests(v));
    assert_int_equal(fake.timer, 4000);
    v->slice_end = 3500;
    v->requests = VCPU_REQ_TIMER;
    vcpu_serve_requests(v);
    assert_int_equal(fake.timer, 3500);
    v->cpu = &other;
    v->mode = VCPU_IN_GUEST;
    vtimer_set(&timers[0], 3000);
    assert_int_equal(fake.kicks, 1);
    v->mode = VCPU_EXITING;
    vtimer_set(&timers[0], 3000);
    assert_int_equal(fake.kicks, 1);
    v->requests = 0;
    vcpu_run_timers(v);
    assert_true(v->requests & VCPU_REQ_TIMER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_armed, setup),
        cmocka_unit_test_setup(the_earliest_first, setup),
        cmocka_unit_test_setup(never_early_and_once, setup),
        cmocka_unit_test_setup(may_set_itself_again, setup),
        cmocka_unit_test_setup(the_vcpu_is_told, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
