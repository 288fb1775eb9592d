/* SPDX-License-Identifier: MIT */
/* Time: conversions are never early, the TSC's rate is believed only where it fits (build host). */
/* sources: kernel/time.c kernel/time_ref.c kernel/page.c tests/unit/host_stubs.c */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "boot/bootinfo.h"
#include "kernel/lapic.h"
#include "kernel/time.h"
#include "kernel/time_ref.h"
#include "kernel/x86.h"
#include "tests/unit/host_stubs.h"

#define PM_HZ 3579545ull

/* A machine whose clocks advance by one step of the TSC a read. */
static uint64_t tsc, tsc_rate, tsc_step = 100;
static uint64_t timer_armed, timer_rate, timer_start;
static struct boot_board board;
static struct cpuid_regs leaf15;
static bool deadline_mode;

uint64_t time_tsc(void)
{
    return tsc += tsc_step;
}

struct cpuid_regs x86_test_cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    return leaf == CPUID_TSC ? leaf15 : (struct cpuid_regs){CPUID_TSC, 0, 0, 0};
}

uint64_t x86_test_in(uint16_t port, unsigned bits)
{
    assert_int_equal(port, board.pm_timer);
    assert_int_equal(bits, 32);
    time_tsc();
    return (uint64_t)((unsigned __int128)tsc * PM_HZ / tsc_rate) & 0xffffff;
}

bool lapic_has_deadline(void)
{
    return deadline_mode;
}

void lapic_timer_deadline(uint64_t deadline)
{
    timer_armed = deadline;
}

void lapic_timer_count(uint32_t count)
{
    timer_armed = count;
    timer_start = tsc;
}

uint32_t lapic_timer_left(void)
{
    return (uint32_t)(timer_armed - (tsc - timer_start) * timer_rate / tsc_rate);
}

static void start(uint64_t rate, uint64_t claimed_mhz)
{
    tsc_rate = rate;
    tsc = 0;
    board = (struct boot_board){.pm_timer = 0x608};
    leaf15 = (struct cpuid_regs){1, (uint32_t)claimed_mhz, 1000000, 0};
    time_init(&board);
}

static void test_rate_is_measured(void **state)
{
    (void)state;
    start(100000000, 3500); /* an emulator that mimics another CPU's leaf 15H */
    assert_in_range(time_tsc_hz(), 99980000, 100020000);
    assert_true(tsc < tsc_rate / 50); /* 20 ms */
    start(2000000000, 0);
    assert_in_range(time_tsc_hz(), 1999900000, 2000100000);
}

static void test_claimed_rate_is_exact_when_it_fits(void **state)
{
    (void)state;
    start(2496000000, 2496);
    assert_int_equal(time_tsc_hz(), 2496000000);
    assert_int_equal(time_choose_hz(0, 5), 5);
    assert_int_equal(time_choose_hz(1000, 1020), 1020);
    assert_int_equal(time_choose_hz(1000, 1021), 1000);
    assert_int_equal(time_choose_hz(1000, 0), 1000);
}

static void test_dead_clock_is_given_up(void **state)
{
    struct time_ref dead = {"dead", PM_HZ, 0, NULL};
    (void)state;
    start(1000000000, 0);
    tsc_step = 1 << 20;
    dead.read = time_ref_get(&board, 0)->read;
    dead.mask = 0;
    assert_int_equal(time_ref_measure(&dead), 0);
    tsc_step = 100;
}

/* ticks -> ns rounds down and ns -> ticks up, so a deadline is never reached too soon. */
static void test_conversions_are_never_early(void **state)
{
    static const uint64_t rates[] = {100000000,  1193182,    2599999999,
                                     2600000001, 4999999937, 15000000000};
    (void)state;
    host_random_seed(7);
    for (unsigned r = 0; r < ARRAY_SIZE(rates); r++) {
        start(rates[r], rates[r] / 1000000);
        uint64_t hz = time_tsc_hz();
        for (int i = 0; i < 20000; i++) {
            uint64_t ns = host_random() >> (host_random() % 64);
            uint64_t ticks = time_ns_to_ticks(ns);
            unsigned __int128 exact = (unsigned __int128)ns * hz;
            if (exact / 1000000000 >= ~0ull - 1) {
                assert_true(ticks >= ~0ull - 1);
                continue;
            }
            assert_true((unsigned __int128)ticks * 1000000000 >= exact);
            assert_true((unsigned __int128)(ticks - (ticks > 0)) * 1000000000 <= exact);
            uint64_t t = host_random() >> (4 + host_random() % 60);
            unsigned __int128 back = (unsigned __int128)t * 1000000000 / hz;
            if (back <= ~0ull)
                assert_int_equal(time_ticks_to_ns(t), (uint64_t)back);
        }
    }
}

static void test_deadline_timer(void **state)
{
    (void)state;
    deadline_mode = true;
    start(1000000000, 0);
    time_set_wakeup(tsc + 5000);
    assert_int_equal(timer_armed, tsc + 5000);
    time_set_wakeup(~0ull);
    assert_int_equal(timer_armed, 0);
    time_set_wakeup(0); /* long ago: at once, not never */
    assert_int_equal(timer_armed, 1);
    deadline_mode = false;
}

/* Fires the armed count and says whether the deadline was reached then. */
static bool fire(uint64_t deadline)
{
    tsc = timer_start + timer_armed * tsc_rate / timer_rate;
    uint64_t then = tsc;
    time_interrupt();
    return then >= deadline;
}

static void test_count_timer_goes_on_until_the_deadline(void **state)
{
    (void)state;
    timer_rate = 62500000;
    start(3000000000, 0);
    time_init_timer();
    uint64_t deadline = tsc + 3 * tsc_rate + 12345; /* further than one count may reach */
    time_set_wakeup(deadline);
    int fired = 0;
    while (!fire(deadline)) {
        assert_true(timer_armed > 0);
        assert_true(++fired < 20);
    }
    assert_true(fired >= 2);
    assert_true(tsc < deadline + tsc_rate / 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate_is_measured),
        cmocka_unit_test(test_claimed_rate_is_exact_when_it_fits),
        cmocka_unit_test(test_dead_clock_is_given_up),
        cmocka_unit_test(test_conversions_are_never_early),
        cmocka_unit_test(test_deadline_timer),
        cmocka_unit_test(test_count_timer_goes_on_until_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
