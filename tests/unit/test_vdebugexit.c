/* SPDX-License-Identifier: MIT */
/* sources: drivers/vdebugexit.c kernel/iobus.c tests/unit/fake_vm.c */
/* The debug-exit port (build host). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "guests/abi.h"
#include "tests/unit/fake_vm.h"

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

static void ends_the_vm_with_a_value_of_any_size(void **state)
{
    (void)state;
    out8(MULLION_PORT_DEBUG_EXIT, 0);
    assert_int_equal(fake.exits, 1);
    assert_int_equal(fake.status, 0);
    fake_out(MULLION_PORT_DEBUG_EXIT, 2, 0x1234);
    assert_int_equal(fake.status, 0x1234);
    fake_out(MULLION_PORT_DEBUG_EXIT, 4, 0xFFFFFFFF);
    assert_int_equal(fake.status, -1);
    assert_int_equal(fake.exits, 3);
    assert_int_equal(fake.marks, 0);
}

static void marks_and_goes_on(void **state)
{
    (void)state;
    out8(MULLION_PORT_MARK, 7);
    assert_int_equal(fake.marks, 1);
    assert_int_equal(fake.mark, 7);
    assert_int_equal(fake.exits, 0);
}

static void reads_as_ones(void **state)
{
    (void)state;
    assert_int_equal(in8(MULLION_PORT_DEBUG_EXIT), 0xFF);
    assert_int_equal(fake_in(MULLION_PORT_DEBUG_EXIT, 4), 0xFFFFFFFF);
    out8(MULLION_PORT_DEBUG_EXIT + 2, 1); /* the port is 32 bits wide; only its start counts */
    assert_int_equal(fake.exits, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ends_the_vm_with_a_value_of_any_size, setup, teardown),
        cmocka_unit_test_setup_teardown(marks_and_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_as_ones, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
