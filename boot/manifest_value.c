/* SPDX-License-Identifier: MIT */
/* Single values of the manifest. Pure: runs in the UEFI loader and on the build host. */
#include "boot/manifest_value.h"

#include <string.h>

/* ctype.h's functions depend on the locale; these don't. */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z');
}

static bool is_printable(char c)
{
    return c >= ' ' && c <= '~';
}

/* Reads digits up to the first other character, which *rest then points to. */
static bool read_digits(const char *text, uint64_t max, uint64_t *out, const char **rest)
{
    uint64_t value = 0;

    if (!is_digit(*text))
        return false;
    for (; is_digit(*text); text++) {
        uint64_t digit = (uint64_t)(*text - '0');

        if (value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    *rest = text;
    return true;
}

bool value_number(const char *text, uint64_t max, uint64_t *out)
{
    const char *rest;

    /* The test in read_digits needs room for one digit; so small a limit is checked here. */
    return read_digits(text, max < 9 ? 9 : max, out, &rest) && *rest == '\0' && *out <= max;
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool value_hex(const char *text, uint32_t *out)
{
    uint32_t value = 0;
    size_t length = strlen(text);

    if (length < 3 || length > 10 || text[0] != '0' || (text[1] != 'x' && text[1] != 'X'))
        return false;
    for (text += 2; *text != '\0'; text++) {
        if (hex_digit(*text) < 0)
            return false;
        value = value << 4 | (uint32_t)hex_digit(*text);
    }
    *out = value;
    return true;
}

bool value_size(const char *text, uint64_t *out)
{
    static const struct {
        char unit;
        unsigned shift;
    } units[] = {{'K', 10}, {'M', 20}, {'G', 30}};
    const char *rest;
    uint64_t value;

    if (!read_digits(text, UINT64_MAX >> 30, &value, &rest) || strlen(rest) != 1)
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (units[i].unit == *rest) {
            *out = value << units[i].shift;
            return true;
        }
    }
    return false;
}

bool value_name(const char *text, size_t size)
{
    size_t length = strlen(text);

    if (length == 0 || length >= size || text[0] == '-' || text[length - 1] == '-')
        return false;
    for (; *text != '\0'; text++) {
        if (!is_name_char(*text) && *text != '-')
            return false;
    }
    return true;
}

bool value_path(const char *text, size_t size)
{
    size_t length = strlen(text);

    if (length == 0 || text[0] == '/' || text[length - 1] == '/')
        return false;
    return value_line(text, size) && strpbrk(text, "\\:*?\"<>|") == NULL;
}

bool value_line(const char *text, size_t size)
{
    if (strlen(text) >= size)
        return false;
    for (; *text != '\0'; text++) {
        if (!is_printable(*text))
            return false;
    }
    return true;
}

int value_word(const char *text, const char *const *words)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0)
            return i;
    }
    return -1;
}
