/* SPDX-License-Identifier: MIT */
/* sources: drivers/vrtc.c drivers/vrtc_events.c drivers/vrtc_calendar.c kernel/iobus.c
 * tests/unit/fake_vm.c */
/* The battery clock (build host). */
#define _POSIX_C_SOURCE 200809L /* gmtime_r */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "drivers/vrtc_calendar.h"
#include "tests/unit/fake_vm.h"

#define INDEX 0x70
#define DATA 0x71
#define GSI 8
#define MEMORY (128ull << 20)

static int setup(void **state)
{
    (void)state;
    fake_create(MACHINE_PC, MEMORY);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_destroy();
    return 0;
}

static uint8_t get(uint8_t reg)
{
    out8(INDEX, reg);
    return in8(DATA);
}

static void set(uint8_t reg, uint8_t value)
{
    out8(INDEX, reg);
    out8(DATA, value);
}

static void assert_time(unsigned century, unsigned year, unsigned month, unsigned day,
                        unsigned hour, unsigned minute, unsigned second)
{
    assert_int_equal(get(0x32), century);
    assert_int_equal(get(9), year);
    assert_int_equal(get(8), month);
    assert_int_equal(get(7), day);
    assert_int_equal(get(4), hour);
    assert_int_equal(get(2), minute);
    assert_int_equal(get(0), second);
}

static void agrees_with_the_calendar_of_the_c_library(void **state)
{
    struct calendar ours;

    (void)state;
    for (uint64_t t = 0; t < 9000000000ull; t += 3333331) {
        time_t when = (time_t)t;
        struct tm theirs;

        gmtime_r(&when, &theirs);
        calendar_from_seconds(t, &ours);
        assert_int_equal(ours.year, theirs.tm_year + 1900);
        assert_int_equal(ours.month, theirs.tm_mon + 1);
        assert_int_equal(ours.day, theirs.tm_mday);
        assert_int_equal(ours.weekday, theirs.tm_wday + 1);
        assert_int_equal(ours.hour, theirs.tm_hour);
        assert_int_equal(ours.minute, theirs.tm_min);
        assert_int_equal(ours.second, theirs.tm_sec);
        assert_int_equal(calendar_to_seconds(&ours), t);
    }
}

static void shows_the_time_in_bcd(void **state)
{
    (void)state;
    assert_time(0x20, 0x23, 0x11, 0x14, 0x22, 0x13, 0x20);
    assert_int_equal(get(6), 3); /* Tuesday */
    fake_advance(3600 * NS_PER_S + 45 * NS_PER_S);
    assert_time(0x20, 0x23, 0x11, 0x14, 0x23, 0x14, 0x05);
}

static void shows_the_time_in_binary_and_12_hours(void **state)
{
    (void)state;
    set(11, 0x06);
    assert_time(20, 23, 11, 14, 22, 13, 20);
    set(11, 0x00);
    assert_int_equal(get(4), 0x90); /* 10 pm */
    fake_advance(2 * 3600 * NS_PER_S);
    assert_int_equal(get(4), 0x12); /* midnight is 12 am */
    assert_int_equal(get(7), 0x15);
}

static void can_be_set(void **state)
{
    (void)state;
    set(11, 0x82);
    fake_advance(5 * NS_PER_S);
    assert_int_equal(get(0), 0x20); /* stands while it is set */
    set(0x32, 0x20);
    set(9, 0x24);
    set(8, 0x02);
    set(7, 0x28);
    set(4, 0x23);
    set(2, 0x59);
    set(0, 0x58);
    set(11, 0x02);
    assert_time(0x20, 0x24, 0x02, 0x28, 0x23, 0x59, 0x58);
    fake_advance(3 * NS_PER_S);
    assert_time(0x20, 0x24, 0x02, 0x29, 0x00, 0x00, 0x01);
    set(2, 0x30); /* without stopping it */
    assert_time(0x20, 0x24, 0x02, 0x29, 0x00, 0x30, 0x01);
}

static void stands_any_time_that_it_is_given(void **state)
{
    (void)state;
    set(11, 0x86);
    for (unsigned reg = 0; reg < 10; reg++)
        set((uint8_t)reg, 0xFF);
    set(0x32, 0xFF);
    set(11, 0x06);
    (void)get(0);
    set(11, 0x82);
    for (unsigned reg = 0; reg < 10; reg++)
        set((uint8_t)reg, 0);
    set(0x32, 0);
    set(11, 0x02);
    assert_time(0x19, 0x70, 0x01, 0x01, 0x00, 0x00, 0x00);
}

static void interrupts_periodically(void **state)
{
    (void)state;
    set(10, 0x26); /* 1024 Hz */
    set(11, 0x42);
    fake_advance(NS_PER_S);
    assert_int_equal(fake.rises[GSI], 1); /* the next one waits for register C to be read */
    assert_true(fake.timer_calls <= 2);
    assert_int_equal(get(12) & 0xC0, 0xC0);
    fake.rises[GSI] = 0;
    for (unsigned i = 0; i < 2048; i++) {
        fake_advance(NS_PER_S / 2048);
        if (fake.lines[GSI])
            assert_int_equal(get(12) & 0xC0, 0xC0);
    }
    assert_in_range(fake.rises[GSI], 1023, 1025);
    set(11, 0x02);
    (void)get(12);
    fake_advance(NS_PER_S);
    assert_false(fake.lines[GSI]);
}

static void interrupts_at_each_update(void **state)
{
    (void)state;
    fake_advance(NS_PER_S / 2);
    set(11, 0x12);
    (void)get(12);
    fake_advance(NS_PER_S / 2 - NS_PER_MS);
    assert_false(fake.lines[GSI]);
    fake_advance(NS_PER_MS);
    assert_true(fake.lines[GSI]);
    assert_int_equal(get(0), 0x21);
    assert_int_equal(get(12) & 0x90, 0x90);
    assert_false(fake.lines[GSI]);
    assert_int_equal(get(12), 0);
}

static void wakes_at_the_alarm(void **state)
{
    (void)state;
    set(1, 0x05);
    set(3, 0x14);
    set(5, 0xFF); /* at any hour */
    set(11, 0x22);
    (void)get(12);
    fake_advance(44 * NS_PER_S);
    assert_false(fake.lines[GSI]);
    fake_advance(NS_PER_S);
    assert_true(fake.lines[GSI]);
    assert_int_equal(get(12) & 0xA0, 0xA0);
    fake_advance(3599 * NS_PER_S);
    assert_false(fake.lines[GSI]);
    fake_advance(NS_PER_S);
    assert_true(fake.lines[GSI]);
    assert_int_equal(fake.rises[GSI], 2);
}

static void finds_an_alarm_that_nobody_watched(void **state)
{
    (void)state;
    (void)get(12);
    set(1, 0x00);
    set(3, 0x00);
    set(5, 0x06);
    fake_advance(6 * 3600 * NS_PER_S);
    assert_int_equal(get(12) & 0x20, 0);
    fake_advance(2 * 3600 * NS_PER_S);
    assert_int_equal(get(12) & 0x20, 0x20);
    assert_int_equal(fake.rises[GSI], 0);
}

static void announces_an_update(void **state)
{
    (void)state;
    fake_advance(NS_PER_S / 2);
    assert_int_equal(get(10), 0x26);
    fake_advance(NS_PER_S / 2 - 100 * NS_PER_US);
    assert_int_equal(get(10), 0xA6);
    fake_advance(100 * NS_PER_US);
    assert_int_equal(get(10), 0x26);
}

static void tells_the_memory_size(void **state)
{
    (void)state;
    assert_int_equal(get(0x15) | get(0x16) << 8, 640);
    assert_int_equal(get(0x17) | get(0x18) << 8, 0xFC00);
    assert_int_equal(get(0x34) | get(0x35) << 8, (MEMORY - (16u << 20)) >> 16);
    assert_int_equal(get(13), 0x80);
    set(13, 0);
    assert_int_equal(get(13), 0x80);
    set(0x40, 0x77);
    assert_int_equal(get(0xC0), 0x77); /* bit 7 is the mask of NMI */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_calendar_of_the_c_library),
        cmocka_unit_test_setup_teardown(shows_the_time_in_bcd, setup, teardown),
        cmocka_unit_test_setup_teardown(shows_the_time_in_binary_and_12_hours, setup, teardown),
        cmocka_unit_test_setup_teardown(can_be_set, setup, teardown),
        cmocka_unit_test_setup_teardown(stands_any_time_that_it_is_given, setup, teardown),
        cmocka_unit_test_setup_teardown(interrupts_periodically, setup, teardown),
        cmocka_unit_test_setup_teardown(interrupts_at_each_update, setup, teardown),
        cmocka_unit_test_setup_teardown(wakes_at_the_alarm, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_an_alarm_that_nobody_watched, setup, teardown),
        cmocka_unit_test_setup_teardown(announces_an_update, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_the_memory_size, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
