/* SPDX-License-Identifier: MIT */
/* Shows the end of the log on the screen (root mode, CPU 0). */
#include <string.h>

#include "kernel/console.h"
#include "kernel/log.h"

#define CHUNK 256u

/* Shows the log up to `*end` but for its first lines. Returns how many there are, and where the log
 * ends now if that is before. */
static uint64_t show_after(uint64_t skip, uint64_t *end)
{
    char text[CHUNK];
    uint64_t position = 0, lines = 0;
    size_t length;

    while (position < *end && (length = log_read(&position, text, sizeof(text)))) {
        size_t from = 0;
        for (size_t i = 0; i < length; i++) {
            from += lines < skip;
            lines += text[i] == '\n';
        }
        if (from < length)
            console_print_text(text + from, length - from);
    }
    *end = position;
    return lines;
}

void console_print_log(uint64_t lines)
{
    uint64_t end = UINT64_MAX, total = show_after(UINT64_MAX, &end);

    /* Other CPUs may go on logging: not past the end that was found. */
    show_after(total > lines ? total - lines : 0, &end);
}
