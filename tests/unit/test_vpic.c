/* SPDX-License-Identifier: MIT */
/* sources: drivers/vpic.c drivers/vpic_chip.c kernel/iobus.c tests/unit/fake_vm.c */
/* The two 8259A interrupt controllers (build host). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "drivers/vpic.h"
#include "tests/unit/fake_vm.h"

#define M 0x20 /* master */
#define S 0xA0 /* slave */
#define ELCR 0x4D0
#define EOI 0x20

static struct vm *const vm = &fake.vm;

/* Vectors 0x20 and 0x28, as every kernel does it; then all lines open. */
static void program(uint8_t icw4)
{
    out8(M, 0x11);
    out8(S, 0x11);
    out8(M + 1, 0x20);
    out8(S + 1, 0x28);
    out8(M + 1, 0x04);
    out8(S + 1, 0x02);
    out8(M + 1, icw4);
    out8(S + 1, icw4);
    out8(M + 1, 0x00);
    out8(S + 1, 0x00);
}

static int setup(void **state)
{
    (void)state;
    fake_create(MACHINE_PC, PAGE_SIZE);
    program(0x01);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_destroy();
    return 0;
}

static void pulse(unsigned irq)
{
    vpic_line(vm, irq, true);
    vpic_line(vm, irq, false);
}

static uint8_t isr(uint16_t port)
{
    out8(port, 0x0B);
    return in8(port);
}

static uint8_t irr(uint16_t port)
{
    out8(port, 0x0A);
    return in8(port);
}

static void starts_masked_as_firmware_leaves_it(void **state)
{
    (void)state;
    fake_destroy();
    fake_create(MACHINE_PC, PAGE_SIZE);
    vpic_line(vm, 1, true);
    assert_false(fake.extint);
    assert_int_equal(in8(M + 1), 0xFF);
    out8(M + 1, 0xFD);
    assert_true(fake.extint);
    assert_int_equal(vpic_acknowledge(vm), 0x09);
}

static void delivers_by_edge(void **state)
{
    (void)state;
    vpic_line(vm, 4, true);
    assert_true(fake.extint);
    assert_int_equal(irr(M), 0x10);
    assert_int_equal(vpic_acknowledge(vm), 0x24);
    assert_false(fake.extint);
    assert_int_equal(isr(M), 0x10);
    assert_int_equal(irr(M), 0);
    out8(M, EOI);
    assert_int_equal(isr(M), 0);
    assert_false(fake.extint); /* the line is still up: no new edge */
    vpic_line(vm, 4, false);
    vpic_line(vm, 4, true);
    assert_true(fake.extint);
}

static void delivers_by_level(void **state)
{
    (void)state;
    out8(ELCR, 0xFF);
    out8(ELCR + 1, 0xFF);
    assert_int_equal(in8(ELCR), 0xF8);
    assert_int_equal(fake_in(ELCR, 2), 0xDEF8);
    vpic_line(vm, 5, true);
    assert_int_equal(vpic_acknowledge(vm), 0x25);
    out8(M, EOI);
    assert_true(fake.extint); /* as long as the line is up */
    vpic_line(vm, 5, false);
    assert_false(fake.extint);
}

static void cascades(void **state)
{
    (void)state;
    pulse(8);
    assert_int_equal(irr(M), 0x04);
    assert_int_equal(vpic_acknowledge(vm), 0x28);
    assert_int_equal(isr(M), 0x04);
    assert_int_equal(isr(S), 0x01);
    pulse(14); /* of lower priority: waits for both ends */
    assert_false(fake.extint);
    out8(S, EOI);
    assert_false(fake.extint);
    out8(M, EOI);
    assert_true(fake.extint);
    assert_int_equal(vpic_acknowledge(vm), 0x2E);
}

static void nests_by_priority(void **state)
{
    (void)state;
    pulse(4);
    pulse(3);
    assert_int_equal(vpic_acknowledge(vm), 0x23);
    assert_false(fake.extint);
    pulse(1);
    assert_int_equal(vpic_acknowledge(vm), 0x21);
    assert_int_equal(isr(M), 0x0A);
    out8(M, EOI); /* ends the one of highest priority */
    assert_int_equal(isr(M), 0x08);
    assert_false(fake.extint);
    out8(M, 0x60 | 3); /* specific */
    assert_int_equal(vpic_acknowledge(vm), 0x24);
}

static void masks(void **state)
{
    (void)state;
    out8(M + 1, 0x10);
    pulse(4);
    assert_false(fake.extint);
    out8(M + 1, 0x00);
    assert_true(fake.extint);
    out8(M + 1, 0x10);
    assert_false(fake.extint);
}

static void answers_spuriously(void **state)
{
    (void)state;
    assert_int_equal(vpic_acknowledge(vm), 0x27);
    assert_int_equal(isr(M), 0);
    out8(ELCR + 1, 0x02);
    vpic_line(vm, 9, true);
    vpic_line(vm, 9, false);
    assert_int_equal(vpic_acknowledge(vm), 0x27);
}

static void ends_automatically(void **state)
{
    (void)state;
    program(0x03);
    pulse(4);
    assert_int_equal(vpic_acknowledge(vm), 0x24);
    assert_int_equal(isr(M), 0);
    out8(M, 0x80); /* rotate in AEOI mode */
    pulse(4);
    assert_int_equal(vpic_acknowledge(vm), 0x24);
    pulse(4);
    pulse(6);
    assert_int_equal(vpic_acknowledge(vm), 0x26);
    assert_int_equal(vpic_acknowledge(vm), 0x24);
}

static void rotates(void **state)
{
    (void)state;
    pulse(4);
    assert_int_equal(vpic_acknowledge(vm), 0x24);
    out8(M, 0xA0); /* rotate on non-specific EOI: 5 is first now */
    pulse(4);
    pulse(5);
    assert_int_equal(vpic_acknowledge(vm), 0x25);
    out8(M, 0x60 | 5);
    out8(M, 0xC0 | 3); /* set priority: 4 is first */
    pulse(5);
    assert_int_equal(vpic_acknowledge(vm), 0x24);
    out8(M, 0xE0 | 4);
    assert_int_equal(vpic_acknowledge(vm), 0x25);
}

static void lets_lower_ones_through_in_special_mask_mode(void **state)
{
    (void)state;
    pulse(3);
    assert_int_equal(vpic_acknowledge(vm), 0x23);
    out8(M + 1, 0x08);
    pulse(5);
    assert_false(fake.extint);
    out8(M, 0x68);
    assert_true(fake.extint);
    assert_int_equal(vpic_acknowledge(vm), 0x25);
    out8(M, EOI); /* not of the masked one */
    assert_int_equal(isr(M), 0x08);
    out8(M, 0x48);
    pulse(6);
    assert_false(fake.extint);
}

static void nests_within_the_slave_in_special_mode(void **state)
{
    (void)state;
    program(0x11);
    pulse(12);
    assert_int_equal(vpic_acknowledge(vm), 0x2C);
    pulse(8);
    assert_true(fake.extint);
    assert_int_equal(vpic_acknowledge(vm), 0x28);
    assert_int_equal(isr(S), 0x11);
}

static void is_polled(void **state)
{
    (void)state;
    out8(M, 0x0C);
    assert_int_equal(in8(M), 0x00);
    pulse(4);
    out8(M, 0x0C);
    assert_int_equal(in8(M), 0x84);
    assert_false(fake.extint);
    assert_int_equal(isr(M), 0x10);
}

static void forgets_edges_at_initialisation(void **state)
{
    (void)state;
    vpic_line(vm, 4, true);
    out8(M, 0x13); /* single, with ICW4 */
    assert_false(fake.extint);
    pulse(3); /* comes while it is not ready */
    assert_false(fake.extint);
    out8(M + 1, 0x47);
    out8(M + 1, 0x01);
    assert_true(fake.extint);
    assert_int_equal(vpic_acknowledge(vm), 0x43); /* low bits of ICW2 don't count */
}

static void ignores_lines_that_are_not_there(void **state)
{
    (void)state;
    vpic_line(vm, 2, true);
    vpic_line(vm, 16, true);
    vpic_line(vm, 23, true);
    assert_false(fake.extint);
}

static void is_silent_where_there_is_none(void **state)
{
    (void)state;
    fake_destroy();
    fake_create(MACHINE_LINUX, PAGE_SIZE);
    vpic_line(vm, 4, true);
    assert_false(fake.extint);
    assert_int_equal(vpic_acknowledge(vm), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(starts_masked_as_firmware_leaves_it, setup, teardown),
        cmocka_unit_test_setup_teardown(delivers_by_edge, setup, teardown),
        cmocka_unit_test_setup_teardown(delivers_by_level, setup, teardown),
        cmocka_unit_test_setup_teardown(cascades, setup, teardown),
        cmocka_unit_test_setup_teardown(nests_by_priority, setup, teardown),
        cmocka_unit_test_setup_teardown(masks, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_spuriously, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_automatically, setup, teardown),
        cmocka_unit_test_setup_teardown(rotates, setup, teardown),
        cmocka_unit_test_setup_teardown(lets_lower_ones_through_in_special_mask_mode, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nests_within_the_slave_in_special_mode, setup, teardown),
        cmocka_unit_test_setup_teardown(is_polled, setup, teardown),
        cmocka_unit_test_setup_teardown(forgets_edges_at_initialisation, setup, teardown),
        cmocka_unit_test_setup_teardown(ignores_lines_that_are_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(is_silent_where_there_is_none, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
