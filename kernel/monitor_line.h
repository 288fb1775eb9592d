/* SPDX-License-Identifier: MIT */
/*
 * A line that is being typed: editing, history, completion (root mode, CPU 0). The terminal needs
 * to know nothing but backspace, so that a frame buffer or a dumb terminal does.
 */
#ifndef KERNEL_MONITOR_LINE_H
#define KERNEL_MONITOR_LINE_H

#include "kernel/types.h"

#define LINE_MAX_LENGTH 120u /* with its final NUL */
#define LINE_HISTORY 16u

struct monitor_line {
    char text[LINE_MAX_LENGTH]; /* NUL-terminated */
    unsigned length, cursor;
    enum { LINE_PLAIN = 0, LINE_ESCAPE, LINE_CSI } escape;
    unsigned parameter; /* of an escape sequence */
    bool after_return;
    char history[LINE_HISTORY][LINE_MAX_LENGTH];
    unsigned kept;      /* lines ever put into the history */
    unsigned back;      /* how far up the history; 0: the line itself */
    char typed[LINE_MAX_LENGTH]; /* the line itself, while the history is shown */
};

/* Takes a byte. True: the line is complete, in text; line_next() then begins another. */
bool line_key(struct monitor_line *line, uint8_t byte);
void line_next(struct monitor_line *line);
/* Prints the line and leaves the terminal's cursor where the line's is. */
void line_show(const struct monitor_line *line);

#endif
