/* SPDX-License-Identifier: MIT */
/* sources: drivers/vpit.c drivers/vpit_channel.c kernel/iobus.c tests/unit/fake_vm.c */
/* The 8254 timer (build host). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/fake_vm.h"

#define CHANNEL0 0x40
#define CHANNEL2 0x42
#define CONTROL 0x43
#define PORT_B 0x61
#define GSI 0
#define HZ 1193182ull
#define TICKS_NS(n) (((n) * NS_PER_S + HZ - 1) / HZ)

static int setup(void **state)
{
    (void)state;
    fake_create(MACHINE_PC, PAGE_SIZE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_destroy();
    return 0;
}

static void load(uint16_t port, uint8_t control, uint16_t count)
{
    out8(CONTROL, control);
    out8(port, (uint8_t)count);
    out8(port, (uint8_t)(count >> 8));
}

static uint16_t count(uint16_t port)
{
    uint8_t low = in8(port);

    return (uint16_t)(low | in8(port) << 8);
}

static void ticks_without_drift(void **state)
{
    (void)state;
    fake_advance(123456789);
    load(CHANNEL0, 0x34, 11932); /* 100 Hz, nearly */
    fake.rises[GSI] = 0;
    fake_advance(1000 * NS_PER_S);
    assert_int_equal(fake.rises[GSI], 1000 * HZ / 11932);
}

static void ticks_in_square_waves(void **state)
{
    (void)state;
    load(CHANNEL0, 0x36, 0); /* 65536: 18.2 Hz */
    fake.rises[GSI] = 0;
    fake_advance(10 * NS_PER_S);
    assert_int_equal(fake.rises[GSI], 10 * HZ / 65536);
}

static void shoots_once(void **state)
{
    (void)state;
    load(CHANNEL0, 0x30, 1000);
    assert_false(fake.lines[GSI]);
    fake_advance(TICKS_NS(1000) - 1000);
    assert_false(fake.lines[GSI]);
    fake_advance(1000);
    assert_true(fake.lines[GSI]);
    fake_advance(NS_PER_S);
    assert_int_equal(fake.rises[GSI], 1);
    load(CHANNEL0, 0x30, 1000); /* again */
    assert_false(fake.lines[GSI]);
    fake_advance(NS_PER_S);
    assert_int_equal(fake.rises[GSI], 2);
    load(CHANNEL0, 0x38, 1000); /* strobe */
    fake.rises[GSI] = 0;
    fake_advance(NS_PER_S);
    assert_int_equal(fake.rises[GSI], 1);
}

static void stops_at_a_control_word(void **state)
{
    (void)state;
    load(CHANNEL0, 0x34, 1000);
    fake_advance(NS_PER_S);
    out8(CONTROL, 0x30);
    fake.rises[GSI] = fake.timer_calls = 0;
    fake_advance(NS_PER_S);
    assert_int_equal(fake.rises[GSI], 0);
    assert_int_equal(fake.timer_calls, 0);
}

static void never_storms(void **state)
{
    (void)state;
    for (uint16_t n = 1; n < 40; n++) {
        load(CHANNEL0, 0x34, n);
        fake.timer_calls = 0;
        fake_advance(NS_PER_S / 10);
        assert_in_range(fake.timer_calls, 1, 2000);
    }
}

static void catches_up_without_a_burst(void **state)
{
    (void)state;
    load(CHANNEL0, 0x34, 1193);
    fake.rises[GSI] = 0;
    fake.now_ns += NS_PER_S; /* as if the VM had not run for a second */
    fake_advance(0);
    assert_int_equal(fake.rises[GSI], 1);
    fake_advance(10 * NS_PER_MS);
    assert_in_range(fake.rises[GSI], 10, 12);
}

static void counts_down(void **state)
{
    (void)state;
    load(CHANNEL0, 0x34, 1000);
    fake_advance(TICKS_NS(400));
    out8(CONTROL, 0x00); /* latch */
    fake_advance(TICKS_NS(100));
    assert_int_equal(count(CHANNEL0), 600);
    assert_in_range(count(CHANNEL0), 499, 500);
    load(CHANNEL0, 0x36, 1000); /* a square wave counts twice as fast, twice */
    fake_advance(TICKS_NS(100));
    assert_in_range(count(CHANNEL0), 798, 800);
    fake_advance(TICKS_NS(500));
    assert_in_range(count(CHANNEL0), 796, 800);
    load(CHANNEL0, 0x30, 10); /* goes on through zero */
    fake_advance(TICKS_NS(20));
    assert_in_range(count(CHANNEL0), 0xFFF4, 0xFFF6);
}

static void counts_in_bcd(void **state)
{
    (void)state;
    load(CHANNEL0, 0x35, 0x1000);
    fake_advance(TICKS_NS(1));
    assert_int_equal(count(CHANNEL0), 0x0999);
    fake_advance(TICKS_NS(999));
    assert_int_equal(count(CHANNEL0), 0x1000);
    load(CHANNEL0, 0x35, 0xFFFF);
    (void)count(CHANNEL0);
    fake_advance(NS_PER_S);
}

static void takes_single_bytes(void **state)
{
    (void)state;
    out8(CONTROL, 0x14); /* low byte only */
    out8(CHANNEL0, 200);
    assert_int_equal(in8(CHANNEL0), 200);
    assert_int_equal(in8(CHANNEL0), 200);
    out8(CONTROL, 0x24); /* high byte only */
    out8(CHANNEL0, 2);
    assert_int_equal(in8(CHANNEL0), 2);
}

static void reads_back(void **state)
{
    (void)state;
    out8(CONTROL, 0xB0);
    out8(CONTROL, 0xE8); /* status of channel 2 */
    assert_int_equal(in8(CHANNEL2), 0x70); /* output low, no count yet */
    load(CHANNEL0, 0x34, 500);
    out8(CONTROL, 0xC2); /* status and count of channel 0 */
    assert_int_equal(in8(CHANNEL0), 0xB4);
    assert_int_equal(count(CHANNEL0), 500);
    assert_int_equal(in8(CONTROL), 0xFF);
}

/* As Linux and others calibrate: channel 2 in mode 0 with the gate of port 0x61. */
static void gates_channel_2(void **state)
{
    (void)state;
    out8(PORT_B, 0x00);
    load(CHANNEL2, 0xB0, 1000);
    fake_advance(NS_PER_S);
    assert_int_equal(in8(PORT_B) & 0x2F, 0x00);
    assert_int_equal(count(CHANNEL2), 1000);
    out8(PORT_B, 0x01);
    fake_advance(TICKS_NS(600));
    out8(PORT_B, 0x00); /* a pause */
    fake_advance(NS_PER_S);
    assert_in_range(count(CHANNEL2), 399, 401);
    out8(PORT_B, 0x01);
    fake_advance(TICKS_NS(300));
    assert_int_equal(in8(PORT_B) & 0x20, 0x00);
    fake_advance(TICKS_NS(102));
    assert_int_equal(in8(PORT_B) & 0x2F, 0x21);
    assert_int_equal(fake.rises[GSI], 0);
}

static void is_triggered_by_the_gate(void **state)
{
    (void)state;
    load(CHANNEL2, 0xB2, 100); /* one-shot */
    assert_int_equal(in8(PORT_B) & 0x20, 0x20);
    out8(PORT_B, 0x01);
    assert_int_equal(in8(PORT_B) & 0x20, 0x00);
    fake_advance(TICKS_NS(101));
    assert_int_equal(in8(PORT_B) & 0x20, 0x20);
    out8(PORT_B, 0x00);
    out8(PORT_B, 0x01);
    assert_int_equal(in8(PORT_B) & 0x20, 0x00);
}

static void toggles_the_refresh_bit(void **state)
{
    unsigned changes = 0;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t before = in8(PORT_B);

        fake_advance(NS_PER_US);
        changes += ((before ^ in8(PORT_B)) & 0x10) != 0;
    }
    assert_in_range(changes, 60, 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ticks_without_drift, setup, teardown),
        cmocka_unit_test_setup_teardown(ticks_in_square_waves, setup, teardown),
        cmocka_unit_test_setup_teardown(shoots_once, setup, teardown),
        cmocka_unit_test_setup_teardown(stops_at_a_control_word, setup, teardown),
        cmocka_unit_test_setup_teardown(never_storms, setup, teardown),
        cmocka_unit_test_setup_teardown(catches_up_without_a_burst, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_down, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_in_bcd, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_single_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_back, setup, teardown),
        cmocka_unit_test_setup_teardown(gates_channel_2, setup, teardown),
        cmocka_unit_test_setup_teardown(is_triggered_by_the_gate, setup, teardown),
        cmocka_unit_test_setup_teardown(toggles_the_refresh_bit, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
