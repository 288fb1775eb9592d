/* SPDX-License-Identifier: MIT */
/* Locks refuse a wrong order; work is done in order (build host). */
/* sources: kernel/lock.c kernel/work.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/cpu.h"
#include "kernel/lock.h"
#include "kernel/log.h"

static struct cpu cpus[2] = {{.index = 0}, {.index = 1}};
static struct cpu *current = &cpus[0];
static unsigned kicks;

struct cpu *this_cpu(void)
{
    return current;
}

/* The other CPU does its work at once. */
void cpu_kick(struct cpu *cpu)
{
    struct cpu *before = current;

    kicks++;
    if (cpu == before)
        return;
    current = cpu;
    work_run();
    current = before;
}

void panic_at(const char *file, int line, const char *format, ...)
{
    mock_assert(0, format, file, line);
    abort();
}

static int setup(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cpus); i++) {
        cpus[i] = (struct cpu){.index = i};
        lock_init(&cpus[i].work_lock, LOCK_RANK_WORK, "work");
    }
    current = &cpus[0];
    return 0;
}

static void test_ascending_order(void **state)
{
    struct lock vm = LOCK_INIT(LOCK_RANK_VM, "vm"), page = LOCK_INIT(LOCK_RANK_PAGE, "page");

    (void)state;
    lock_acquire(&vm);
    lock_acquire(&page);
    assert_true(lock_held(&vm) && lock_held(&page));
    lock_release(&vm); /* in any order */
    expect_assert_failure(lock_acquire(&vm));
    lock_release(&page);
    lock_acquire(&vm);
    lock_release(&vm);
    assert_int_equal(cpus[0].lock_depth, 0);
}

static void test_same_rank_is_refused(void **state)
{
    struct lock a = LOCK_INIT(LOCK_RANK_VM, "a"), b = LOCK_INIT(LOCK_RANK_VM, "b");

    (void)state;
    lock_acquire(&a);
    expect_assert_failure(lock_acquire(&b));
    expect_assert_failure(lock_acquire(&a));
    lock_release(&a);
}

static void test_only_the_owner_releases(void **state)
{
    struct lock a = LOCK_INIT(LOCK_RANK_VM, "a");

    (void)state;
    lock_acquire(&a);
    current = &cpus[1];
    assert_false(lock_held(&a));
    expect_assert_failure(lock_release(&a));
    current = &cpus[0];
    lock_release(&a);
    expect_assert_failure(lock_release(&a));
    lock_acquire(&a); /* free again */
    assert_true(lock_held(&a));
    lock_release(&a);
}

static char order[8];

static void note(void *arg)
{
    strcat(order, arg);
}

static void test_work_is_done_in_order(void **state)
{
    struct work a = {.fn = note, .arg = "a"}, b = {.fn = note, .arg = "b"};

    (void)state;
    order[0] = '\0';
    work_queue(&cpus[0], &a);
    work_queue(&cpus[0], &b);
    assert_int_equal(cpus[0].work_pending, 1);
    work_run();
    assert_string_equal(order, "ab");
    assert_int_equal(cpus[0].work_pending, 0);
    work_queue(&cpus[0], &a);
    work_run();
    assert_string_equal(order, "aba");
}

static void test_work_call_waits(void **state)
{
    (void)state;
    order[0] = '\0';
    kicks = 0;
    work_call(&cpus[1], note, "x");
    assert_int_equal(kicks, 1);
    work_call(&cpus[0], note, "y");
    assert_int_equal(kicks, 1);
    assert_string_equal(order, "xy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_ascending_order, setup),
        cmocka_unit_test_setup(test_same_rank_is_refused, setup),
        cmocka_unit_test_setup(test_only_the_owner_releases, setup),
        cmocka_unit_test_setup(test_work_is_done_in_order, setup),
        cmocka_unit_test_setup(test_work_call_waits, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
