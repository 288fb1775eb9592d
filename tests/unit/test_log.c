/* SPDX-License-Identifier: MIT */
/* The log's ring: what a reader and the loader of the next boot find (build host). */
/* sources: kernel/log.c kernel/lock.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/bootinfo.h"
#include "kernel/cpu.h"
#include "kernel/hostcon.h"
#include "kernel/log.h"
#include "kernel/log_ring.h"
#include "kernel/page.h"
#include "kernel/time.h"

#define AREA 4096u

/* log_init() carries text over from the ring before, so it is never given the same one twice. */
static _Alignas(16) char areas[2][AREA];
static unsigned which;
static char *area = areas[0];
static char console[65536];
static size_t console_length;
static struct cpu cpu0;

void *page_ptr(hpa_t hpa)
{
    assert_int_equal(hpa, 0x1000);
    return area;
}

struct cpu *this_cpu(void)
{
    return &cpu0;
}

void hostcon_write(const char *text, size_t length)
{
    assert_true(console_length + length < sizeof console);
    memcpy(console + console_length, text, length);
    console_length += length;
}

uint64_t time_tsc(void)
{
    return 3500000;
}

uint64_t time_tsc_hz(void)
{
    return 1000000;
}

uint64_t time_ticks_to_ns(uint64_t ticks)
{
    return ticks * 1000;
}

void panic_at(const char *file, int line, const char *format, ...)
{
    fail_msg("panic at %s:%d: %s", file, line, format);
    abort();
}

static struct bootinfo boot = {.log_hpa = 0x1000, .log_size = AREA, .tsc_at_entry = 1000000};

static int start(void **state)
{
    (void)state;
    area = areas[++which % 2];
    memset(area, 0x55, AREA);
    console_length = 0;
    log_init(&boot);
    return 0;
}

static size_t read_all(char *text, size_t size)
{
    uint64_t position = 0;
    size_t length = 0, part;

    while ((part = log_read(&position, text + length, MIN(size - 1 - length, (size_t)7))))
        length += part;
    text[length] = '\0';
    return length;
}

/* As the loader reads it: oldest first, without bytes that were never written. */
static size_t read_ring(char *text)
{
    const struct log_ring *ring = (const void *)area;
    size_t length = 0;

    assert_int_equal(ring->magic, LOG_RING_MAGIC);
    assert_int_equal(ring->size, AREA - sizeof *ring);
    assert_true(ring->head < ring->size);
    for (uint32_t i = 0; i < ring->size; i++) {
        char c = ring->bytes[(ring->head + i) % ring->size];
        if (c)
            text[length++] = c;
    }
    text[length] = '\0';
    return length;
}

static void test_lines_are_prefixed(void **state)
{
    char text[AREA];

    (void)state;
    log_printf("one %d\ntwo ", 1);
    log_printf("and more\n");
    console[console_length] = '\0';
    assert_string_equal(console, "[    2.500000] one 1\n[    2.500000] two and more\n");
    read_all(text, sizeof text);
    assert_non_null(strstr(text, "[    2.500000] two and more\n"));
}

static void test_ring_wraps(void **state)
{
    static char text[AREA], ring[AREA];
    char last[32];

    (void)state;
    for (int i = 0; i < 1000; i++)
        log_printf("line %d\n", i);
    size_t length = read_all(text, sizeof text);
    assert_int_equal(length, AREA - sizeof(struct log_ring));
    assert_int_equal(read_ring(ring), length);
    assert_string_equal(text, ring);
    snprintf(last, sizeof last, "line %d\n", 999);
    assert_string_equal(text + length - strlen(last), last);
    assert_null(strstr(text, "line 1\n"));
}

static void test_reader_that_is_late_gets_the_oldest(void **state)
{
    char byte;
    uint64_t position = 0;

    (void)state;
    for (int i = 0; i < 1000; i++)
        log_printf("line %d\n", i);
    assert_int_equal(log_read(&position, &byte, 1), 1);
    assert_true(position > 10000);
}

static void test_long_line_is_cut(void **state)
{
    char text[AREA], line[2000];

    (void)state;
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    log_printf("%s\n", line);
    log_printf("next\n");
    read_all(text, sizeof text);
    assert_non_null(strstr(text, "xx\n[    2.500000] next\n"));
}

/* The first test: until log_init() the ring is in the image. */
static void test_early_text_is_kept(void **state)
{
    char text[AREA];

    (void)state;
    log_printf("before\n");
    log_init(&boot);
    log_printf("after\n");
    read_ring(text);
    assert_string_equal(text, "[    3.500000] before\n[    2.500000] after\n");
}

static void test_no_memory_for_the_ring(void **state)
{
    struct bootinfo none = {.log_hpa = 0};
    char text[AREA];

    (void)state;
    log_init(&none);
    log_printf("still here\n");
    read_all(text, sizeof text);
    assert_non_null(strstr(text, "still here\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_early_text_is_kept),
        cmocka_unit_test_setup(test_lines_are_prefixed, start),
        cmocka_unit_test_setup(test_ring_wraps, start),
        cmocka_unit_test_setup(test_reader_that_is_late_gets_the_oldest, start),
        cmocka_unit_test_setup(test_long_line_is_cut, start),
        cmocka_unit_test_setup(test_no_memory_for_the_ring, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
