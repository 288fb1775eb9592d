/* SPDX-License-Identifier: MIT */
/* sources: drivers/vi8042.c drivers/vkeyboard.c kernel/iobus.c tests/unit/fake_vm.c */
/* Keyboard and its controller (build host). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/fake_vm.h"

#define DATA 0x60
#define STATUS 0x64
#define COMMAND 0x64
#define GSI 1

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

static bool type(char character)
{
    return fake.key(fake.key_dev, character);
}

/* Everything that waits, compared with `codes`. */
static void expect(const uint8_t *codes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(in8(STATUS) & 0x01, 0x01);
        assert_int_equal(in8(DATA), codes[i]);
    }
    assert_int_equal(in8(STATUS) & 0x01, 0x00);
}
#define EXPECT(...) expect((const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

static void set_command_byte(uint8_t value)
{
    out8(COMMAND, 0x60);
    out8(DATA, value);
}

static void translates_keys_to_set_1(void **state)
{
    (void)state;
    assert_true(type('a'));
    assert_true(type('A'));
    assert_true(type('\n'));
    assert_true(type('\x03'));
    assert_int_equal(fake.rises[GSI], 1);
    EXPECT(0x1E, 0x9E, 0x2A, 0x1E, 0x9E, 0xAA, 0x1C, 0x9C, 0x1D, 0x2E, 0xAE, 0x9D);
    assert_int_equal(fake.rises[GSI], 12); /* an edge for each byte */
    assert_false(fake.lines[GSI]);
}

static void gives_set_2_untranslated(void **state)
{
    (void)state;
    set_command_byte(0x21);
    assert_true(type('a'));
    assert_true(type('?'));
    EXPECT(0x1C, 0xF0, 0x1C, 0x12, 0x4A, 0xF0, 0x4A, 0xF0, 0x12);
}

/* What a common driver makes of set 1 must be what was typed. */
static void types_every_character(void **state)
{
    static const char plain[] = "\0\0331234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./"
                                "\0*\0 ";
    static const char shifted[] = "\0\033!@#$%^&*()_+\b\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~\0|ZXCVBNM<>?"
                                  "\0*\0 ";

    (void)state;
    for (char c = ' '; c < 0x7F; c++) {
        bool shift = false;
        char seen = 0;

        assert_true(type(c));
        while (in8(STATUS) & 1) {
            uint8_t code = in8(DATA);

            if ((code & 0x7F) == 0x2A)
                shift = !(code & 0x80);
            else if (!(code & 0x80))
                seen = shift ? shifted[code] : plain[code];
        }
        assert_int_equal(seen, c);
        assert_false(shift);
    }
    assert_true(type('\0')); /* no key makes these */
    assert_true(type((char)0x80));
    assert_int_equal(in8(STATUS) & 1, 0);
}

static void holds_back_what_does_not_fit(void **state)
{
    unsigned taken = 0;

    (void)state;
    while (type('x'))
        taken++;
    assert_in_range(taken, 8, 16);
    assert_int_equal(fake.ready_calls, 0);
    for (unsigned i = 0; i < taken; i++) {
        assert_int_equal(in8(DATA), 0x2D);
        assert_int_equal(in8(DATA), 0xAD);
    }
    assert_int_equal(fake.ready_calls, 1);
    assert_true(type('x'));
}

static void tests_itself(void **state)
{
    (void)state;
    out8(COMMAND, 0xAA);
    EXPECT(0x55);
    out8(COMMAND, 0xAB);
    EXPECT(0x00);
    out8(COMMAND, 0xA9);
    EXPECT(0x01); /* no mouse */
    out8(COMMAND, 0x20);
    EXPECT(0x65);
    set_command_byte(0x00);
    out8(COMMAND, 0xA8); /* no mouse can be enabled */
    out8(COMMAND, 0x20);
    EXPECT(0x20);
    assert_int_equal(in8(STATUS) & 0x04, 0x00);
    out8(COMMAND, 0xAA);
    EXPECT(0x55);
    assert_int_equal(in8(STATUS) & 0x04, 0x04);
    out8(COMMAND, 0xD4);
    out8(DATA, 0xF4);
    assert_int_equal(in8(STATUS) & 0x01, 0x00);
}

static void answers_keyboard_commands(void **state)
{
    (void)state;
    out8(DATA, 0xFF);
    EXPECT(0xFA, 0xAA);
    out8(DATA, 0xED);
    EXPECT(0xFA);
    out8(DATA, 0x02);
    EXPECT(0xFA);
    out8(DATA, 0xEE);
    EXPECT(0xEE);
    out8(DATA, 0xF2);
    EXPECT(0xFA, 0xAB, 0x41); /* translated */
    out8(DATA, 0x77);
    EXPECT(0xFE);
    set_command_byte(0x21);
    out8(DATA, 0xF0);
    out8(DATA, 0x00);
    EXPECT(0xFA, 0xFA, 0x02);
    out8(DATA, 0xF0);
    out8(DATA, 0x01);
    out8(DATA, 0xFE);
    EXPECT(0xFA, 0xFA, 0xFA);
    assert_true(type('a'));
    EXPECT(0x1E, 0x9E);
    out8(DATA, 0xF0);
    out8(DATA, 0x03);
    EXPECT(0xFA, 0xFE);
}

static void can_be_disabled(void **state)
{
    (void)state;
    out8(COMMAND, 0xAD);
    assert_true(type('a'));
    assert_int_equal(in8(STATUS) & 0x01, 0x00);
    out8(COMMAND, 0xAE);
    EXPECT(0x1E, 0x9E);
    out8(DATA, 0xF5);
    EXPECT(0xFA);
    assert_true(type('b'));
    assert_int_equal(in8(STATUS) & 0x01, 0x00);
    out8(DATA, 0xF4);
    EXPECT(0xFA, 0x30, 0xB0);
    set_command_byte(0x64); /* no interrupts */
    fake.rises[GSI] = 0;
    assert_true(type('c'));
    assert_int_equal(fake.rises[GSI], 0);
    EXPECT(0x2E, 0xAE);
}

static void writes_and_reads_its_outputs(void **state)
{
    (void)state;
    out8(COMMAND, 0xD0);
    EXPECT(0x03);
    out8(COMMAND, 0xC0);
    EXPECT(0x80);
    out8(COMMAND, 0xE0);
    EXPECT(0x00);
    out8(COMMAND, 0xD2);
    out8(DATA, 0x42);
    EXPECT(0x42);
    out8(COMMAND, 0x7F);
    out8(DATA, 0x99);
    out8(COMMAND, 0x3F);
    EXPECT(0x99);
}

static void resets_the_machine(void **state)
{
    (void)state;
    out8(COMMAND, 0xD1);
    out8(DATA, 0xDF);
    out8(COMMAND, 0xFF);
    assert_int_equal(fake.resets, 0);
    out8(COMMAND, 0xFE);
    assert_int_equal(fake.resets, 1);
    out8(COMMAND, 0xD1);
    out8(DATA, 0xFE);
    assert_int_equal(fake.resets, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(translates_keys_to_set_1, setup, teardown),
        cmocka_unit_test_setup_teardown(gives_set_2_untranslated, setup, teardown),
        cmocka_unit_test_setup_teardown(types_every_character, setup, teardown),
        cmocka_unit_test_setup_teardown(holds_back_what_does_not_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(tests_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_keyboard_commands, setup, teardown),
        cmocka_unit_test_setup_teardown(can_be_disabled, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_and_reads_its_outputs, setup, teardown),
        cmocka_unit_test_setup_teardown(resets_the_machine, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
