/* SPDX-License-Identifier: MIT */
/* sources: drivers/vuart.c kernel/iobus.c tests/unit/fake_vm.c */
/* The serial port, as drivers of Linux and of students use it (build host). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_vm.h"

#define DATA 0x3F8
#define IER 0x3F9
#define IIR 0x3FA
#define FCR 0x3FA
#define LCR 0x3FB
#define MCR 0x3FC
#define LSR 0x3FD
#define MSR 0x3FE
#define SCR 0x3FF
#define GSI 4

static int setup(void **state)
{
    (void)state;
    fake_create(MACHINE_LINUX, PAGE_SIZE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_destroy();
    return 0;
}

static unsigned type(const char *text)
{
    unsigned taken = 0;

    while (text[taken] && fake.input(fake.input_dev, (uint8_t)text[taken]))
        taken++;
    return taken;
}

static void starts_idle(void **state)
{
    (void)state;
    assert_int_equal(in8(LSR), 0x60);
    assert_int_equal(in8(IIR), 0x01);
    assert_int_equal(in8(MSR), 0xB0);
    assert_int_equal(in8(IER), 0);
    assert_false(fake.lines[GSI]);
}

static void sends_to_the_console_at_once(void **state)
{
    (void)state;
    for (const char *p = "hello\n"; *p; p++) {
        assert_int_equal(in8(LSR) & 0x60, 0x60);
        out8(DATA, (uint8_t)*p);
    }
    assert_int_equal(fake.console_length, 6);
    assert_memory_equal(fake.console, "hello\n", 6);
}

static void keeps_divisor_and_scratch_apart(void **state)
{
    (void)state;
    out8(LCR, 0x83);
    out8(DATA, 0x0C);
    out8(IER, 0x12);
    assert_int_equal(in8(DATA), 0x0C);
    assert_int_equal(in8(IER), 0x12);
    out8(LCR, 0x03);
    assert_int_equal(in8(IER), 0);
    assert_int_equal(fake.console_length, 0);
    out8(SCR, 0xA5);
    assert_int_equal(in8(SCR), 0xA5);
    out8(IER, 0xFF);
    assert_int_equal(in8(IER), 0x0F); /* the upper bits are those of later chips */
    out8(MCR, 0xFF);
    assert_int_equal(in8(MCR), 0x1F);
}

/* The order of probes in Linux, drivers/tty/serial/8250/8250_port.c, autoconfig(). */
static void passes_the_probe_of_linux(void **state)
{
    (void)state;
    out8(IER, 0);
    assert_int_equal(in8(IER), 0);
    out8(IER, 0x0F);
    assert_int_equal(in8(IER), 0x0F);
    out8(IER, 0);
    out8(MCR, 0x1A); /* loop, OUT2, RTS */
    assert_int_equal(in8(MSR) & 0xF0, 0x90);
    out8(MCR, 0);
    out8(FCR, 0x01);
    assert_int_equal(in8(IIR) >> 6, 3); /* a 16550A */
    out8(LCR, 0xBF);
    assert_int_not_equal(in8(IIR), 0); /* no 16650 */
    out8(LCR, 0);
    out8(FCR, 0x21 | 0x01);
    assert_int_equal(in8(IIR) >> 5, 6); /* no 64-byte FIFO */
}

static void tells_that_the_transmitter_is_empty(void **state)
{
    (void)state;
    out8(MCR, 0x08);
    out8(IER, 0x02);
    assert_true(fake.lines[GSI]);
    assert_int_equal(in8(IIR), 0x02); /* reading clears it */
    assert_false(fake.lines[GSI]);
    assert_int_equal(in8(IIR), 0x01);
    out8(DATA, 'x');
    assert_true(fake.lines[GSI]);
    assert_int_equal(fake.rises[GSI], 2);
    out8(IER, 0);
    assert_false(fake.lines[GSI]);
    out8(IER, 0x02); /* enabling it again raises it again */
    assert_int_equal(in8(IIR), 0x02);
}

static void needs_out2_for_interrupts(void **state)
{
    (void)state;
    out8(IER, 0x01);
    assert_int_equal(type("a"), 1);
    assert_int_equal(in8(IIR), 0x04);
    assert_false(fake.lines[GSI]);
    out8(MCR, 0x08);
    assert_true(fake.lines[GSI]);
    out8(MCR, 0x18);
    assert_false(fake.lines[GSI]);
}

static void receives_one_byte_without_fifo(void **state)
{
    (void)state;
    out8(MCR, 0x08);
    out8(IER, 0x01);
    assert_int_equal(type("ab"), 1);
    assert_int_equal(in8(LSR), 0x61);
    assert_int_equal(fake.ready_calls, 0);
    assert_int_equal(in8(DATA), 'a');
    assert_int_equal(fake.ready_calls, 1);
    assert_int_equal(in8(LSR), 0x60);
    assert_false(fake.lines[GSI]);
    assert_int_equal(type("b"), 1);
    assert_true(fake.lines[GSI]);
}

static void fills_the_fifo_and_asks_for_more(void **state)
{
    (void)state;
    out8(FCR, 0xC1); /* trigger at 14 bytes */
    out8(MCR, 0x08);
    out8(IER, 0x01);
    assert_int_equal(type("0123456789abc"), 13);
    assert_int_equal(in8(IIR), 0xCC); /* below the trigger: time-out */
    assert_int_equal(type("defgh"), 3);
    assert_int_equal(in8(IIR), 0xC4);
    for (unsigned i = 0; i < 15; i++)
        assert_int_equal(in8(DATA), "0123456789abcdef"[i]);
    assert_int_equal(fake.ready_calls, 0);
    assert_true(fake.lines[GSI]);
    assert_int_equal(in8(DATA), 'f');
    assert_int_equal(fake.ready_calls, 1);
    assert_false(fake.lines[GSI]);
    assert_int_equal(in8(DATA), 0);
    assert_int_equal(fake.ready_calls, 1);
}

static void clears_the_fifo(void **state)
{
    (void)state;
    out8(FCR, 0x01);
    assert_int_equal(type("0123456789abcdefgh"), 16);
    out8(FCR, 0x03);
    assert_int_equal(in8(LSR), 0x60);
    assert_int_equal(fake.ready_calls, 1);
    assert_int_equal(type("x"), 1);
    out8(FCR, 0x00); /* switching it off clears it, too */
    assert_int_equal(in8(LSR), 0x60);
}

static void orders_causes_by_priority(void **state)
{
    (void)state;
    out8(MCR, 0x10);
    out8(IER, 0x0F);
    out8(DATA, 'a');
    out8(DATA, 'b'); /* no room: overrun */
    out8(MCR, 0x12); /* CTS rises */
    assert_int_equal(in8(IIR), 0x06);
    assert_int_equal(in8(LSR), 0x63);
    assert_int_equal(in8(LSR), 0x61);
    assert_int_equal(in8(IIR), 0x04);
    assert_int_equal(in8(DATA), 'a');
    assert_int_equal(in8(IIR), 0x02);
    assert_int_equal(in8(IIR), 0x00);
    assert_int_equal(in8(MSR) & 0x11, 0x11);
    assert_int_equal(in8(IIR), 0x01);
}

static void loops_back(void **state)
{
    (void)state;
    out8(MCR, 0x1F);
    assert_int_equal(in8(MSR) & 0xF0, 0xF0);
    out8(DATA, 0x5A);
    assert_int_equal(fake.console_length, 0);
    assert_int_equal(type("x"), 0); /* the line is cut off */
    assert_int_equal(in8(DATA), 0x5A);
    assert_int_equal(fake.ready_calls, 0);
    out8(MCR, 0x1B); /* RI falls: trailing edge */
    assert_int_equal(in8(MSR) & 0x4F, 0x04);
    out8(MCR, 0x0B);
    assert_int_equal(fake.ready_calls, 1);
    assert_int_equal(in8(MSR) & 0xF0, 0xB0);
}

static void splits_wide_accesses(void **state)
{
    (void)state;
    fake_out(SCR - 1, 2, 0x7700);
    assert_int_equal(in8(SCR), 0x77);
    assert_int_equal(fake_in(LSR - 1, 2) >> 8, 0x60);
    assert_non_null(strstr(fake_describe("uart"), "sent 0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(starts_idle, setup, teardown),
        cmocka_unit_test_setup_teardown(sends_to_the_console_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_divisor_and_scratch_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(passes_the_probe_of_linux, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_that_the_transmitter_is_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(needs_out2_for_interrupts, setup, teardown),
        cmocka_unit_test_setup_teardown(receives_one_byte_without_fifo, setup, teardown),
        cmocka_unit_test_setup_teardown(fills_the_fifo_and_asks_for_more, setup, teardown),
        cmocka_unit_test_setup_teardown(clears_the_fifo, setup, teardown),
        cmocka_unit_test_setup_teardown(orders_causes_by_priority, setup, teardown),
        cmocka_unit_test_setup_teardown(loops_back, setup, teardown),
        cmocka_unit_test_setup_teardown(splits_wide_accesses, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
