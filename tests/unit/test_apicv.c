/* SPDX-License-Identifier: MIT */
/* sources: kernel/apicv.c kernel/option.c kernel/page.c tests/unit/host_stubs.c */
/* Which VM gets APIC virtualisation, and which one is refused (build host). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/apicv.h"
#include "kernel/backend.h"
#include "kernel/option.h"
#include "kernel/vm.h"

static int answer;
static unsigned questions;

static int available(void)
{
    questions++;
    return answer;
}

static const struct apicv_ops apicv = { .available = available };
static const struct backend fake = { .name = "fake", .apicv = &apicv };
const struct backend *backend = &fake;

static int decide(const char *options, enum boot_switch wish, int hardware, bool *on)
{
    static struct bootinfo boot;
    struct boot_vm config = { .name = "test", .apicv = wish };
    struct vm vm = { .name = "test", .config = &config };
    int err;

    strncpy(boot.options, options, sizeof(boot.options) - 1);
    option_init(&boot);
    answer = hardware;
    questions = 0;
    err = apicv_decide(&vm);
    *on = vm.apicv;
    return err;
}

static void by_default_off(void **state)
{
    bool on;

    (void)state;
    assert_int_equal(decide("headless", BOOT_AUTO, 0, &on), 0);
    assert_false(on);
    assert_int_equal(decide("apicv=off", BOOT_AUTO, 0, &on), 0);
    assert_false(on);
    assert_int_equal(questions, 0);
}

static void switched_on(void **state)
{
    bool on;

    (void)state;
    assert_int_equal(decide("mux apicv=on", BOOT_AUTO, 0, &on), 0);
    assert_true(on);
    assert_int_equal(decide("apicv=off", BOOT_ON, 0, &on), 0);
    assert_true(on);
    assert_int_equal(decide("apicv=on", BOOT_OFF, 0, &on), 0);
    assert_false(on);
}

static void without_the_hardware(void **state)
{
    bool on;

    (void)state;
    assert_int_equal(decide("apicv=on", BOOT_AUTO, -ENOTSUP, &on), 0);
    assert_false(on);
    assert_int_equal(decide("", BOOT_ON, -ENOTSUP, &on), -ENOTSUP);
    assert_false(on);
    assert_int_equal(decide("", BOOT_OFF, -ENOTSUP, &on), 0);
    assert_int_equal(questions, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_default_off),
        cmocka_unit_test(switched_on),
        cmocka_unit_test(without_the_hardware),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
