/* SPDX-License-Identifier: MIT */
/* The console: serial line and screen as one. Input comes from serial line and keyboard. */
#ifndef TUTOR_CONSOLE_H
#define TUTOR_CONSOLE_H

#include <stddef.h>

void console_init(void);
void console_put(char c);
__attribute__((format(printf, 1, 2))) void kprintf(const char *format, ...);

/* Called by the interrupt handlers of serial line and keyboard; full buffer: c is dropped. */
void console_input(char c);

/* Blocks the calling task until there is a character. */
char console_get(void);

/* Reads an edited line (backspace, Ctrl-U, Ctrl-C) without its end; size counts the zero byte. */
void console_read_line(char *line, size_t size);

#endif
