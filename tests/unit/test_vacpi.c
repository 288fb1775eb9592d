/* SPDX-License-Identifier: MIT */
/* sources: drivers/vacpi.c drivers/vreset.c kernel/iobus.c tests/unit/fake_vm.c */
/* Power button, power-off and the reset registers (build host). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/vacpi.h"
#include "tests/unit/fake_vm.h"

#define SLEEP(type) (uint8_t)((type) << VACPI_SLP_TYP_SHIFT | VACPI_SLP_EN)
#define PORT_A 0x92

static int setup_linux(void **state)
{
    (void)state;
    fake_create(MACHINE_LINUX, PAGE_SIZE);
    return 0;
}

static int setup_pc(void **state)
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

static void powers_off_by_s5_only(void **state)
{
    (void)state;
    assert_int_equal(in8(MACHINE_SLEEP_STATUS_PORT) & VACPI_WAK_STS, 0);
    out8(MACHINE_SLEEP_CONTROL_PORT, MACHINE_SLEEP_TYPE_S5 << VACPI_SLP_TYP_SHIFT);
    out8(MACHINE_SLEEP_CONTROL_PORT, SLEEP(3));
    out8(MACHINE_SLEEP_STATUS_PORT, SLEEP(MACHINE_SLEEP_TYPE_S5));
    assert_int_equal(fake.exits, 0);
    out8(MACHINE_SLEEP_CONTROL_PORT, SLEEP(MACHINE_SLEEP_TYPE_S5));
    assert_int_equal(fake.exits, 1);
    assert_int_equal(fake.status, 0);
    assert_string_equal(fake.reason, "power off");
}

static void presses_the_power_button(void **state)
{
    (void)state;
    assert_int_equal(in8(MACHINE_EVENT_PORT), 0);
    assert_true(fake.press(fake.press_dev));
    assert_int_equal(fake.rises[MACHINE_GSI_EVENT], 1);
    assert_true(fake.press(fake.press_dev)); /* a lost edge is given again */
    assert_int_equal(fake.rises[MACHINE_GSI_EVENT], 2);
    assert_true(fake.lines[MACHINE_GSI_EVENT]);
    assert_non_null(strstr(fake_describe("acpi"), "pressed 2 times, not yet seen"));
    assert_int_equal(in8(MACHINE_EVENT_PORT), MACHINE_EVENT_POWER_BUTTON);
    assert_false(fake.lines[MACHINE_GSI_EVENT]);
    assert_int_equal(in8(MACHINE_EVENT_PORT), 0);
    out8(MACHINE_EVENT_PORT, 0xFF);
    assert_int_equal(in8(MACHINE_EVENT_PORT), 0);
}

static void resets_by_its_register(void **state)
{
    (void)state;
    out8(MACHINE_RESET_PORT, 0x02);
    assert_int_equal(fake.resets, 0);
    assert_int_equal(in8(MACHINE_RESET_PORT), 0x02);
    out8(MACHINE_RESET_PORT, MACHINE_RESET_VALUE);
    assert_int_equal(fake.resets, 1);
    assert_int_equal(in8(PORT_A), 0xFF); /* the PC's only */
}

static void resets_by_port_a(void **state)
{
    (void)state;
    assert_int_equal(in8(PORT_A), 0x02);
    out8(PORT_A, 0x00);
    assert_int_equal(in8(PORT_A), 0x02); /* A20 stays open */
    assert_int_equal(fake.resets, 0);
    out8(PORT_A, 0x03);
    assert_int_equal(fake.resets, 1);
    assert_null(fake.press); /* the PC has no ACPI */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(powers_off_by_s5_only, setup_linux, teardown),
        cmocka_unit_test_setup_teardown(presses_the_power_button, setup_linux, teardown),
        cmocka_unit_test_setup_teardown(resets_by_its_register, setup_linux, teardown),
        cmocka_unit_test_setup_teardown(resets_by_port_a, setup_pc, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
