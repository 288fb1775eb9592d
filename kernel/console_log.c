/* SPDX-License-Identifier: MIT */
/* Shows the end of the log on the screen (root mode, CPU 0). */
#include <string.h>

#include "kernel/console.h"
#include "kernel/log.h"

#define CHUNK 256u

/* Lines from *position to *end, where the log ends now. */
static uint64_t count_lines(uint64_t position, uint64_t *end)
{
    char text[CHUNK];
    uint64_t lines = 0;
    size_t length;

    while ((length = log_read(&position, text, sizeof(text)))) {
        for (size_t i = 0; i < length; i++)
            lines += text[i] == '\n';
    }
    *end = position;
    return lines;
}

/* The part of a piece after `*skip` ends of lines. */
static size_t skip_lines(const char *text, size_t length, uint64_t *skip)
{
    size_t i = 0;

    while (*skip && i < length)
        *skip -= text[i++] == '\n';
    return i;
}

void console_print_log(uint64_t lines)
{
    char text[CHUNK];
    uint64_t position = 0, end, total, skip;
    size_t length;

    total = count_lines(0, &end);
    skip = total > lines ? total - lines : 0;
    /* Other CPUs may go on logging: not past the end that was found. */
    while (position < end && (length = log_read(&position, text, sizeof(text)))) {
        size_t from = skip_lines(text, length, &skip);
        if (from < length)
            console_print_text(text + from, length - from);
    }
}
