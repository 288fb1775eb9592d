/* SPDX-License-Identifier: MIT */
/* sources: kernel/iobus.c */
/* The registry of ports and MMIO ranges (build host). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "kernel/iobus.h"

static struct iobus bus;

static int setup(void **state)
{
    (void)state;
    bus = (struct iobus){0};
    return 0;
}

static int add(uint64_t base, uint64_t size)
{
    return iobus_add(&bus, base, size, NULL, NULL, NULL);
}

static void finds_what_lies_inside(void **state)
{
    (void)state;
    assert_int_equal(add(0x60, 1), 0);
    assert_int_equal(add(0x3f8, 8), 0);
    assert_int_equal(add(0x20, 2), 0);
    assert_int_equal(iobus_find(&bus, 0x3f8, 1)->base, 0x3f8);
    assert_int_equal(iobus_find(&bus, 0x3ff, 1)->base, 0x3f8);
    assert_int_equal(iobus_find(&bus, 0x3fc, 4)->base, 0x3f8);
    assert_int_equal(iobus_find(&bus, 0x60, 1)->base, 0x60);
    assert_int_equal(iobus_find(&bus, 0x21, 1)->base, 0x20);
}

static void refuses_accesses_that_cross_an_end(void **state)
{
    (void)state;
    assert_null(iobus_find(&bus, 0, 1));
    assert_int_equal(add(0x3f8, 8), 0);
    assert_null(iobus_find(&bus, 0x3f7, 1));
    assert_null(iobus_find(&bus, 0x3f7, 2));
    assert_null(iobus_find(&bus, 0x3ff, 2));
    assert_null(iobus_find(&bus, 0x400, 1));
    assert_null(iobus_find(&bus, ~0ull, 8));
}

static void refuses_overlaps(void **state)
{
    (void)state;
    assert_int_equal(add(0x100, 0x10), 0);
    assert_int_equal(add(0x100, 0x10), -EEXIST);
    assert_int_equal(add(0xff, 2), -EEXIST);
    assert_int_equal(add(0x10f, 1), -EEXIST);
    assert_int_equal(add(0x104, 2), -EEXIST);
    assert_int_equal(add(0, 0x1000), -EEXIST);
    assert_int_equal(add(0xff, 1), 0);
    assert_int_equal(add(0x110, 1), 0);
    assert_int_equal(bus.count, 3);
}

static void refuses_empty_and_wrapping_ranges(void **state)
{
    (void)state;
    assert_int_equal(add(0x100, 0), -EINVAL);
    assert_int_equal(add(~0ull, 2), -EINVAL);
    assert_int_equal(add(~0ull, 1), 0);
    assert_int_equal(iobus_find(&bus, ~0ull, 1)->base, ~0ull);
    assert_null(iobus_find(&bus, ~0ull, 2));
}

static void says_when_it_is_full(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < IOBUS_RANGES_MAX; i++)
        assert_int_equal(add((IOBUS_RANGES_MAX - i) * 16, 16), 0);
    assert_int_equal(add(0x10000, 1), -ENOSPC);
    for (uint32_t i = 1; i < bus.count; i++)
        assert_true(bus.ranges[i - 1].base < bus.ranges[i].base);
    for (uint64_t i = 1; i <= IOBUS_RANGES_MAX; i++)
        assert_int_equal(iobus_find(&bus, i * 16 + 15, 1)->base, i * 16);
    assert_null(iobus_find(&bus, (IOBUS_RANGES_MAX + 1) * 16, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(finds_what_lies_inside, setup),
        cmocka_unit_test_setup(refuses_accesses_that_cross_an_end, setup),
        cmocka_unit_test_setup(refuses_overlaps, setup),
        cmocka_unit_test_setup(refuses_empty_and_wrapping_ranges, setup),
        cmocka_unit_test_setup(says_when_it_is_full, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
