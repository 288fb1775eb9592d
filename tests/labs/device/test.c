/* SPDX-License-Identifier: MIT */
/* What docs/labs/device.md asks of the FIFO (build host). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/fake_vm.h"

#define DATA 0xE4
#define STATUS 0xE5
#define DEPTH 16
#define LINE 10
#define READABLE 0x01
#define FULL 0x02
#define OVERRUN 0x04
#define CLEAR 0x01
#define CLEAR_OVERRUN 0x04
#define RANDOM_STEPS 20000

static int setup(void **state)
{
    (void)state;
    fake_create(MACHINE_FLAT, PAGE_SIZE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_destroy();
    return 0;
}

static void push(unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        out8(DATA, (uint8_t)(first + i));
}

static void pop(unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(in8(DATA), (uint8_t)(first + i));
}

static void every_machine_has_it(void **state)
{
    static const enum machine machines[] = {MACHINE_LINUX, MACHINE_PC, MACHINE_FLAT};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(machines); i++) {
        fake_destroy();
        fake_create(machines[i], PAGE_SIZE);
        assert_non_null(fake_device("fifo"));
    }
}

static void starts_empty(void **state)
{
    (void)state;
    assert_int_equal(in8(STATUS), 0);
    assert_int_equal(in8(DATA), 0xFF);
    assert_int_equal(in8(STATUS), 0);
}

static void first_in_first_out(void **state)
{
    (void)state;
    push(1, 3);
    assert_int_equal(in8(STATUS), READABLE);
    pop(1, 3);
    assert_int_equal(in8(STATUS), 0);
}

static void goes_round(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3 * DEPTH; i++) {
        push(i, 5);
        pop(i, 5);
    }
    push(7, DEPTH);
    pop(7, DEPTH);
    assert_int_equal(in8(STATUS), 0);
}

static void full_and_overrun(void **state)
{
    (void)state;
    push(0, DEPTH - 1);
    assert_int_equal(in8(STATUS), READABLE);
    push(DEPTH - 1, 1);
    assert_int_equal(in8(STATUS), READABLE | FULL);
    push(0x80, 1);
    assert_int_equal(in8(STATUS), READABLE | FULL | OVERRUN);
    pop(0, DEPTH);
    assert_int_equal(in8(STATUS), OVERRUN);
    out8(STATUS, CLEAR_OVERRUN);
    assert_int_equal(in8(STATUS), 0);
}

static void commands(void **state)
{
    (void)state;
    push(0, DEPTH + 1);
    out8(STATUS, CLEAR);
    assert_int_equal(in8(STATUS), OVERRUN);
    assert_int_equal(in8(DATA), 0xFF);
    push(1, 2);
    out8(STATUS, (uint8_t)~(CLEAR | CLEAR_OVERRUN));
    assert_int_equal(in8(STATUS), READABLE | OVERRUN);
    pop(1, 2);
}

static void wide_accesses(void **state)
{
    (void)state;
    fake_out(DATA, 2, 0x0105);
    assert_int_equal(in8(STATUS), READABLE); /* the upper byte was no command */
    assert_int_equal(fake_in(DATA, 2), 0xFF05);
    assert_int_equal(in8(STATUS), 0);
    assert_int_equal(fake_in(DATA, 4), 0xFFFFFFFF); /* reaches past the device */
}

static void interrupt_line(void **state)
{
    (void)state;
    assert_false(fake.lines[LINE]);
    push(0, 3);
    assert_true(fake.lines[LINE]);
    assert_int_equal(fake.rises[LINE], 1);
    pop(0, 2);
    assert_true(fake.lines[LINE]);
    pop(2, 1);
    assert_false(fake.lines[LINE]);
    push(0, 1);
    assert_int_equal(fake.rises[LINE], 2);
    out8(STATUS, CLEAR);
    assert_false(fake.lines[LINE]);
}

static void describes_itself(void **state)
{
    (void)state;
    push(0, 3);
    assert_string_equal(fake_describe("fifo"), "3 of 16 bytes");
    push(3, DEPTH);
    assert_string_equal(fake_describe("fifo"), "16 of 16 bytes, overrun");
}

static void each_vm_has_its_own(void **state)
{
    (void)state;
    push(0, DEPTH + 1);
    fake_destroy();
    fake_create(MACHINE_PC, PAGE_SIZE);
    assert_int_equal(in8(STATUS), 0);
    assert_int_equal(in8(DATA), 0xFF);
}

/* A guest may do anything in any order: compared with the simplest model there is. */
static void random_guest(void **state)
{
    static uint8_t model[RANDOM_STEPS + DEPTH];
    unsigned head = 0, tail = 0;
    uint8_t overrun = 0;

    (void)state;
    srand(1);
    for (unsigned i = 0; i < RANDOM_STEPS; i++) {
        uint8_t value = (uint8_t)rand();
        unsigned used = tail - head;

        switch (rand() % 8) {
        case 0:
            out8(STATUS, value & 0xFE);
            overrun = value & CLEAR_OVERRUN ? 0 : overrun;
            break;
        case 1: case 2: case 3:
            assert_int_equal(in8(DATA), used ? model[head] : 0xFF);
            head += used ? 1 : 0;
            break;
        case 4:
            assert_int_equal(in8(STATUS),
                             (used ? READABLE : 0) | (used == DEPTH ? FULL : 0) | overrun);
            break;
        default:
            out8(DATA, value);
            if (used == DEPTH)
                overrun = OVERRUN;
            else
                model[tail++] = value;
        }
        assert_int_equal(fake.lines[LINE], tail != head);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(every_machine_has_it), CASE(starts_empty),     CASE(first_in_first_out),
        CASE(goes_round),           CASE(full_and_overrun), CASE(commands),
        CASE(wide_accesses),        CASE(interrupt_line),   CASE(describes_itself),
        CASE(each_vm_has_its_own),  CASE(random_guest),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
