/* SPDX-License-Identifier: MIT */
/* sources: drivers/vvga.c drivers/vvga_screen.c kernel/iobus.c tests/unit/fake_vm.c */
/* The VGA text page as the monitor shows it (build host). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_vm.h"

#define CRTC 0x3D4
#define STATUS 0x3DA
#define TEXT 0xB8000u
#define COLUMNS 80
#define ROWS 25

static char screen[ROWS * (COLUMNS + 1) + 1];

static int setup(void **state)
{
    (void)state;
    fake_create(MACHINE_PC, 1u << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_destroy();
    return 0;
}

static void put(unsigned cell, const char *text)
{
    for (unsigned i = 0; text[i]; i++) {
        fake.ram[TEXT + 2 * (cell + i)] = (uint8_t)text[i];
        fake.ram[TEXT + 2 * (cell + i) + 1] = 0x07;
    }
}

static void crtc(uint8_t reg, uint8_t value)
{
    fake_out(CRTC, 2, (unsigned)(value << 8 | reg)); /* as a word, like many drivers */
}

static const char *line(unsigned row)
{
    static char text[COLUMNS + 1];
    const char *start = screen;
    size_t length;

    fake.snapshot(fake.snapshot_dev, screen, sizeof(screen));
    for (unsigned i = 0; i < row; i++)
        start = strchr(start, '\n') + 1;
    length = strcspn(start, "\n");
    assert_true(length < sizeof(text));
    memcpy(text, start, length);
    text[length] = '\0';
    return text;
}

static void shows_text_and_cursor(void **state)
{
    (void)state;
    put(0, "hello, world");
    put(24 * COLUMNS + 79, "x");
    crtc(0x0E, 0);
    crtc(0x0F, 12);
    assert_string_equal(line(0), "hello, world_");
    assert_int_equal(strlen(line(24)), 80);
    crtc(0x0F, 0); /* on a character */
    assert_string_equal(line(0), "hello, world");
    crtc(0x0F, 85);
    assert_string_equal(line(1), "     _");
    crtc(0x0A, 0x20); /* off */
    assert_string_equal(line(1), "");
}

static void shows_other_code_points_in_ascii(void **state)
{
    (void)state;
    crtc(0x0A, 0x20);
    put(0, "\xC9\xCD\xBB|\xB3\xDB\x01\xFF.");
    assert_string_equal(line(0), "+-+||#. .");
}

static void follows_the_start_address(void **state)
{
    (void)state;
    put(COLUMNS, "second");
    crtc(0x0C, 0);
    crtc(0x0D, COLUMNS);
    crtc(0x0E, 0);
    crtc(0x0F, COLUMNS + 6);
    assert_string_equal(line(0), "second_");
    crtc(0x0C, 0xFF); /* the page wraps */
    crtc(0x0D, 0xFF);
    put(0, "x");
    put(0x3FFF, "a");
    assert_string_equal(line(0), "ax");
}

static void fits_any_buffer(void **state)
{
    char small[8];

    (void)state;
    put(0, "12345");
    put(COLUMNS, "67890");
    fake.snapshot(fake.snapshot_dev, small, sizeof(small));
    assert_string_equal(small, "12345\n");
    fake.snapshot(fake.snapshot_dev, small, 1);
    assert_string_equal(small, "");
    fake.snapshot(fake.snapshot_dev, small, 0);
    memset(fake.ram + TEXT, 'x', 0x8000);
    fake.snapshot(fake.snapshot_dev, screen, sizeof(screen));
    assert_int_equal(strlen(screen), sizeof(screen) - 1);
}

static void stands_missing_memory(void **state)
{
    (void)state;
    fake.vm.memory = 0xB9000;
    assert_string_equal(line(0), "_");
    crtc(0x0C, 0x3F);
    crtc(0x0A, 0x20);
    assert_string_equal(line(0), "");
}

static void keeps_registers(void **state)
{
    (void)state;
    out8(CRTC, 0x13);
    assert_int_equal(in8(CRTC), 0x13);
    assert_int_equal(in8(CRTC + 1), 0x28);
    out8(0x3C2, 0xE3);
    assert_int_equal(in8(0x3CC), 0xE3);
    (void)in8(STATUS);
    out8(0x3C0, 0x10);
    out8(0x3C0, 0x0C);
    (void)in8(STATUS);
    out8(0x3C0, 0x10);
    assert_int_equal(in8(0x3C1), 0x0C);
    out8(0x3C8, 255); /* the palette wraps */
    for (uint8_t i = 0; i < 6; i++)
        out8(0x3C9, i);
    out8(0x3C7, 255);
    for (uint8_t i = 0; i < 6; i++)
        assert_int_equal(in8(0x3C9), i);
}

static void shows_retrace(void **state)
{
    unsigned retrace = 0, blank = 0;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t status = in8(STATUS);

        retrace += (status & 8) != 0;
        blank += status & 1;
        fake_advance(NS_PER_US);
    }
    assert_in_range(retrace, 300, 600);
    assert_in_range(blank, 20000, 40000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shows_text_and_cursor, setup, teardown),
        cmocka_unit_test_setup_teardown(shows_other_code_points_in_ascii, setup, teardown),
        cmocka_unit_test_setup_teardown(follows_the_start_address, setup, teardown),
        cmocka_unit_test_setup_teardown(fits_any_buffer, setup, teardown),
        cmocka_unit_test_setup_teardown(stands_missing_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_registers, setup, teardown),
        cmocka_unit_test_setup_teardown(shows_retrace, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
