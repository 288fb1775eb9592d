/* SPDX-License-Identifier: MIT */
/* Formatted text to the VM's console, through its UART (guest). */
#include "guests/lib/guest.h"

#include <stdarg.h>

#define UART_DATA 0x3f8
#define UART_LSR 0x3fd
#define UART_LSR_THRE 0x20

static void put(char c)
{
    while (!(inb(UART_LSR) & UART_LSR_THRE))
        cpu_pause();
    outb(UART_DATA, (uint8_t)c);
}

static void put_number(uint64_t value, unsigned base, bool negative)
{
    char digits[24];
    unsigned n = 0;

    do
        digits[n++] = "0123456789abcdef"[value % base];
    while (value /= base);
    if (negative)
        put('-');
    while (n)
        put(digits[--n]);
}

static uint64_t next_number(va_list *args, unsigned longs, bool is_signed)
{
    if (longs)
        return va_arg(*args, uint64_t);
    return is_signed ? (uint64_t)(int64_t)va_arg(*args, int) : va_arg(*args, unsigned);
}

static void put_conversion(char c, unsigned longs, va_list *args)
{
    uint64_t value;

    switch (c) {
    case 's':
        for (const char *s = va_arg(*args, const char *); *s; s++)
            put(*s);
        break;
    case 'c':
        put((char)va_arg(*args, int));
        break;
    case 'd':
        value = next_number(args, longs, true);
        put_number((int64_t)value < 0 ? 0 - value : value, 10, (int64_t)value < 0);
        break;
    case 'u':
        put_number(next_number(args, longs, false), 10, false);
        break;
    case 'x':
        put_number(next_number(args, longs, false), 16, false);
        break;
    case 'p':
        put_number((uint64_t)(uintptr_t)va_arg(*args, void *), 16, false);
        break;
    default:
        put(c);
    }
}

void guest_printf(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    for (; *format; format++) {
        unsigned longs = 0;
        if (*format != '%') {
            put(*format);
            continue;
        }
        while (*++format == 'l')
            longs++;
        put_conversion(*format, longs, &args);
    }
    va_end(args);
}
