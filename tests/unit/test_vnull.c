/* SPDX-License-Identifier: MIT */
/* sources: drivers/vnull.c kernel/iobus.c tests/unit/fake_vm.c */
/* The template device (build host). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/fake_vm.h"

#define NULL_PORT 0xE0

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

static void keeps_what_is_written(void **state)
{
    (void)state;
    assert_int_equal(in8(NULL_PORT), 0);
    out8(NULL_PORT, 0x5A);
    assert_int_equal(in8(NULL_PORT), 0x5A);
    assert_string_equal(fake_describe("null"), "scratch 0x5a, written 1 times");
}

static void is_one_port_wide(void **state)
{
    (void)state;
    fake_out(NULL_PORT, 2, 0x1234);
    assert_int_equal(in8(NULL_PORT), 0);
    assert_int_equal(fake_in(NULL_PORT, 2), 0xFFFF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_what_is_written, setup, teardown),
        cmocka_unit_test_setup_teardown(is_one_port_wide, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
