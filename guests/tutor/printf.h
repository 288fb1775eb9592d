/* SPDX-License-Identifier: MIT */
/* Formatted output to any sink of characters. */
#ifndef TUTOR_PRINTF_H
#define TUTOR_PRINTF_H

#include <stdarg.h>

struct print_sink {
    void (*put)(struct print_sink *sink, char c);
};

/* %c %s %d %u %x %p %%, with a width and the flags '-' and '0'. Numbers have 32 bits. */
__attribute__((format(printf, 2, 0))) void print_to(struct print_sink *sink, const char *format,
                                                    va_list args);

#endif
