/* SPDX-License-Identifier: MIT */
/* The formatting half of printf; where the characters go is the sink's business. Pure. */
#include "guests/tutor/printf.h"

#include <stdbool.h>
#include <stdint.h>

#include "guests/tutor/string.h"

#define NUMBER_MAX 12 /* "-2147483648" and the terminating zero */

/* One conversion, such as "%-08x". */
struct print_spec {
    bool left;
    bool zeros;
    unsigned width;
    char conversion;
};

static const char *parse_spec(const char *format, struct print_spec *spec)
{
    *spec = (struct print_spec){0};
    for (; *format == '-' || *format == '0'; format++) {
        spec->left |= *format == '-';
        spec->zeros |= *format == '0';
    }
    for (; *format >= '0' && *format <= '9'; format++)
        spec->width = spec->width * 10 + (unsigned)(*format - '0');
    spec->conversion = *format;
    return *format ? format + 1 : format;
}

static void put_repeated(struct print_sink *sink, char c, unsigned count)
{
    while (count--)
        sink->put(sink, c);
}

static void put_padded(struct print_sink *sink, const struct print_spec *spec, const char *text)
{
    unsigned length = (unsigned)strlen(text);
    unsigned padding = spec->width > length ? spec->width - length : 0;

    if (spec->zeros && !spec->left) {
        if (*text == '-')
            sink->put(sink, *text++);
        put_repeated(sink, '0', padding);
    } else if (!spec->left) {
        put_repeated(sink, ' ', padding);
    }
    while (*text)
        sink->put(sink, *text++);
    if (spec->left)
        put_repeated(sink, ' ', padding);
}

static void put_number(struct print_sink *sink, const struct print_spec *spec, uint32_t value,
                       uint32_t base, bool negative)
{
    char buffer[NUMBER_MAX];
    char *text = buffer + sizeof(buffer) - 1;

    *text = '\0';
    do {
        *--text = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (negative)
        *--text = '-';
    put_padded(sink, spec, text);
}

static void put_signed(struct print_sink *sink, const struct print_spec *spec, int32_t value)
{
    uint32_t magnitude = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;

    put_number(sink, spec, magnitude, 10, value < 0);
}

static void put_text(struct print_sink *sink, struct print_spec *spec, const char *text)
{
    spec->zeros = false;
    put_padded(sink, spec, text ? text : "(null)");
}

void print_to(struct print_sink *sink, const char *format, va_list args)
{
    struct print_spec spec;

    while (*format) {
        if (*format != '%') {
            sink->put(sink, *format++);
            continue;
        }
        format = parse_spec(format + 1, &spec);
        switch (spec.conversion) {
        case 'c':
            put_text(sink, &spec, (char[]){(char)va_arg(args, int), '\0'});
            break;
        case 's':
            put_text(sink, &spec, va_arg(args, const char *));
            break;
        case 'd':
            put_signed(sink, &spec, va_arg(args, int32_t));
            break;
        case 'u':
            put_number(sink, &spec, va_arg(args, uint32_t), 10, false);
            break;
        case 'x':
            put_number(sink, &spec, va_arg(args, uint32_t), 16, false);
            break;
        case 'p':
            spec.width = 8;
            spec.zeros = true;
            put_number(sink, &spec, (uint32_t)(uintptr_t)va_arg(args, void *), 16, false);
            break;
        case '%':
            sink->put(sink, '%');
            break;
        default: /* not one of ours: show it, so that the mistake is seen */
            put_text(sink, &spec, "(?)");
        }
    }
}
