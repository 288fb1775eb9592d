/* SPDX-License-Identifier: MIT */
/* Tests the pure parts of guests/tutor on the build host: formatting, page frames, words. */
/* sources: guests/tutor/frame.c guests/tutor/printf.c guests/tutor/words.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guests/tutor/errno.h"
#include "guests/tutor/frame.h"
#include "guests/tutor/printf.h"
#include "guests/tutor/string.h"
#include "guests/tutor/words.h"

struct text_sink {
    struct print_sink sink;
    size_t length;
    char text[128];
};

static void text_put(struct print_sink *sink, char c)
{
    struct text_sink *to = (struct text_sink *)sink;

    assert_true(to->length + 1 < sizeof(to->text));
    to->text[to->length++] = c;
}

__attribute__((format(printf, 2, 3))) static void check_print(const char *expected,
                                                              const char *format, ...)
{
    struct text_sink to = {.sink.put = text_put};
    va_list args;

    va_start(args, format);
    print_to(&to.sink, format, args);
    va_end(args);
    assert_string_equal(to.text, expected);
}

static void print_numbers(void **state)
{
    (void)state;
    check_print("0 42 -1", "%u %u %d", 0u, 42u, -1);
    check_print("4294967295 -2147483648", "%u %d", UINT32_MAX, INT32_MIN);
    check_print("deadbeef 00000abc", "%x %08x", 0xDEADBEEFu, 0xABCu);
    check_print("[  7] [7  ] [007] [-07]", "[%3d] [%-3d] [%03d] [%03d]", 7, 7, 7, -7);
    check_print("12345", "%2u", 12345u);
    check_print("00001000", "%p", (void *)0x1000);
}

static void print_text(void **state)
{
    const char *volatile none = NULL; /* the compiler would refuse a constant one */

    (void)state;
    check_print("plain", "plain");
    check_print("100%", "%u%%", 100u);
    check_print("[ab  ] [  ab] [c]", "[%-4s] [%4s] [%c]", "ab", "ab", 'c');
    check_print("(null)", "%s", none);
}

static void print_mistakes(void **state)
{
    const char *volatile wrong = "a %q b %"; /* volatile, so that the compiler can't warn */
    struct text_sink to = {.sink.put = text_put};
    va_list *none = &(va_list){0};

    (void)state;
    print_to(&to.sink, wrong, *none);
    assert_string_equal(to.text, "a (?) b (?)");
}

static struct frame_pool pool;

static void frame_rounding(void **state)
{
    (void)state;
    frame_pool_init(&pool);
    assert_int_equal(frame_alloc(&pool), FRAME_NONE);
    frame_add(&pool, 0x1001, 0x3000); /* touches frames 1 to 4, holds only 2 and 3 */
    assert_int_equal(pool.total, 2);
    assert_int_equal(pool.limit, 4);
    frame_reserve(&pool, 0x2FFF, 2); /* one byte on either side */
    assert_int_equal(pool.free, 0);
    assert_int_equal(frame_alloc(&pool), FRAME_NONE);
}

static void frame_extremes(void **state)
{
    (void)state;
    frame_pool_init(&pool);
    frame_add(&pool, 0x100000000, 0x100000); /* past 4 GiB */
    assert_int_equal(pool.total, 0);
    frame_add(&pool, 0xFFFFF000, 0x10000); /* across 4 GiB */
    assert_int_equal(pool.total, 1);
    frame_add(&pool, 0xFFFFF000, UINT64_MAX); /* wraps, and is known already */
    assert_int_equal(pool.total, 1);
    frame_reserve(&pool, UINT64_MAX - 1, UINT64_MAX);
    assert_int_equal(pool.free, 1);
    assert_int_equal(frame_alloc(&pool), 0xFFFFF000);
}

static void frame_life(void **state)
{
    paddr_t first, second;

    (void)state;
    frame_pool_init(&pool);
    frame_add(&pool, 0, 0x3000);
    first = frame_alloc(&pool);
    second = frame_alloc(&pool);
    assert_int_equal(first, 0x1000); /* frame 0 is never given away */
    assert_int_equal(second, 0x2000);
    assert_int_equal(frame_alloc(&pool), FRAME_NONE);
    assert_int_equal(frame_free(&pool, first), 0);
    assert_int_equal(frame_free(&pool, first), -EINVAL);
    assert_int_equal(frame_free(&pool, second + 1), -EINVAL);
    assert_int_equal(frame_free(&pool, FRAME_NONE), -EINVAL);
    assert_int_equal(frame_free(&pool, 0x3000), -EINVAL);
    assert_int_equal(frame_alloc(&pool), first);
}

static void words_of_line(void **state)
{
    char line[] = "  poke 0x10  \"two words\" a\"b c\"d \"\" ";
    char *words[8];

    (void)state;
    assert_int_equal(words_split(line, words, 8), 5);
    assert_string_equal(words[0], "poke");
    assert_string_equal(words[1], "0x10");
    assert_string_equal(words[2], "two words");
    assert_string_equal(words[3], "ab cd");
    assert_string_equal(words[4], "");
}

static void words_limits(void **state)
{
    char empty[] = "   ", exact[] = "a b", many[] = "a b c", open[] = "a \"b c";
    char *words[2];

    (void)state;
    assert_int_equal(words_split(empty, words, 2), 0);
    assert_int_equal(words_split(exact, words, 2), 2);
    assert_int_equal(words_split(many, words, 2), -E2BIG);
    assert_int_equal(words_split(open, words, 2), -EINVAL);
}

static void words_numbers(void **state)
{
    static const char *const bad[] = {"", "0x", "-1", "12a", "0xg", " 1"};
    uint32_t value;

    (void)state;
    assert_int_equal(words_number("0", &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(words_number("4294967295", &value), 0);
    assert_int_equal(value, UINT32_MAX);
    assert_int_equal(words_number("0XdeadBEEF", &value), 0);
    assert_int_equal(value, 0xDEADBEEF);
    assert_int_equal(words_number("4294967296", &value), -ERANGE);
    assert_int_equal(words_number("0x100000000", &value), -ERANGE);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(words_number(bad[i], &value), -EINVAL);
}

static void words_options(void **state)
{
    char value[16];

    (void)state;
    assert_int_equal(words_option("tutor.elf run=mem;exit 0", "run", value, sizeof(value)), 0);
    assert_string_equal(value, "mem;exit 0");
    assert_int_equal(words_option("run=\"a;b c\" other", "run", value, sizeof(value)), 0);
    assert_string_equal(value, "a;b c");
    assert_int_equal(words_option("run=", "run", value, sizeof(value)), 0);
    assert_string_equal(value, "");
    assert_int_equal(words_option("rerun=1 runs=2", "run", value, sizeof(value)), -ENOENT);
    assert_int_equal(words_option("run=123456789012345", "run", value, sizeof(value)), 0);
    assert_int_equal(words_option("run=1234567890123456", "run", value, sizeof(value)), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(print_numbers),  cmocka_unit_test(print_text),
        cmocka_unit_test(print_mistakes), cmocka_unit_test(frame_rounding),
        cmocka_unit_test(frame_extremes), cmocka_unit_test(frame_life),
        cmocka_unit_test(words_of_line),  cmocka_unit_test(words_limits),
        cmocka_unit_test(words_numbers),  cmocka_unit_test(words_options),
    };

    return cmocka_run_group_tests_name("tutor", tests, NULL, NULL);
}
