/* SPDX-License-Identifier: MIT */
/* Joins the two output devices and the two input devices into one console with line editing. */
#include "guests/tutor/console.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "guests/tutor/devices.h"
#include "guests/tutor/io.h"
#include "guests/tutor/printf.h"
#include "guests/tutor/task.h"

#define INPUT_SIZE 256 /* a power of two: the counters below may wrap */
#define CTRL(letter) ((letter) - '@')
#define DELETE 0x7f

/* Filled by interrupts, emptied by the reader; both counters only ever go up. */
static struct {
    char ring[INPUT_SIZE];
    uint32_t written, read;
} input;

void console_init(void)
{
    uart_init();
    vga_init();
}

void console_put(char c)
{
    if (c == '\n')
        uart_put('\r');
    uart_put(c);
    vga_put(c);
}

static void console_sink_put(struct print_sink *sink, char c)
{
    (void)sink;
    console_put(c);
}

void kprintf(const char *format, ...)
{
    struct print_sink sink = {.put = console_sink_put};
    va_list args;

    va_start(args, format);
    print_to(&sink, format, args);
    va_end(args);
    vga_show_cursor();
}

void console_input(char c)
{
    if (input.written - input.read == INPUT_SIZE)
        return;
    input.ring[input.written++ % INPUT_SIZE] = c;
    task_wake(&input);
}

char console_get(void)
{
    uint32_t flags = cpu_irq_save();
    char c;

    while (input.written == input.read)
        task_wait(&input);
    c = input.ring[input.read++ % INPUT_SIZE];
    cpu_irq_restore(flags);
    return c;
}

static size_t erase(size_t length, size_t count)
{
    for (; count && length; count--, length--)
        kprintf("\b \b");
    return length;
}

/* Returns false at the end of the line. */
static bool edit(char *line, size_t *length, size_t size, char c)
{
    switch (c) {
    case '\r':
    case '\n':
        return false;
    case CTRL('C'):
        kprintf("^C");
        *length = 0;
        return false;
    case CTRL('U'):
        *length = erase(*length, *length);
        return true;
    case '\b':
    case DELETE:
        *length = erase(*length, 1);
        return true;
    default:
        if (c >= ' ' && c < DELETE && *length + 1 < size) {
            line[(*length)++] = c;
            kprintf("%c", c);
        }
        return true;
    }
}

void console_read_line(char *line, size_t size)
{
    size_t length = 0;

    while (edit(line, &length, size, console_get()))
        ;
    line[length] = '\0';
    kprintf("\n");
}
