/* SPDX-License-Identifier: MIT */
/* Line editing (root mode, CPU 0). */
#include "kernel/monitor_line.h"

#include <string.h>

#include "kernel/console.h"

#define CTRL(letter) ((letter) - '@')
#define KEY_ESCAPE 0x1b
#define KEY_DELETE 0x7f
#define PARAMETER_MAX 99u

static void repeat(const char *character, unsigned count)
{
    while (count--)
        console_print_text(character, 1);
}

static void move(struct monitor_line *l, unsigned to)
{
    if (to < l->cursor)
        repeat("\b", l->cursor - to);
    else
        console_print_text(l->text + l->cursor, to - l->cursor);
    l->cursor = to;
}

/* Removes `count` characters at the cursor. */
static void cut(struct monitor_line *l, unsigned count)
{
    unsigned rest = l->length - l->cursor - count;

    memmove(l->text + l->cursor, l->text + l->cursor + count, rest + 1);
    l->length -= count;
    console_print_text(l->text + l->cursor, rest);
    repeat(" ", count);
    repeat("\b", count + rest);
}

static void insert(struct monitor_line *l, const char *text, unsigned length)
{
    unsigned rest = l->length - l->cursor;

    if (l->length + length >= LINE_MAX_LENGTH)
        return;
    memmove(l->text + l->cursor + length, l->text + l->cursor, rest + 1);
    memcpy(l->text + l->cursor, text, length);
    l->length += length;
    console_print_text(l->text + l->cursor, length + rest);
    repeat("\b", rest);
    l->cursor += length;
}

void line_show(const struct monitor_line *l)
{
    console_print_text(l->text, l->length);
    repeat("\b", l->length - l->cursor);
}

static void replace(struct monitor_line *l, const char *text)
{
    char copy[LINE_MAX_LENGTH];

    strcpy(copy, text);
    move(l, 0);
    cut(l, l->length);
    insert(l, copy, (unsigned)strlen(copy));
}

static void go_back(struct monitor_line *l, unsigned to)
{
    if (to > MIN(l->kept, LINE_HISTORY))
        return;
    if (l->back == 0)
        strcpy(l->typed, l->text);
    l->back = to;
    replace(l, to ? l->history[(l->kept - to) % LINE_HISTORY] : l->typed);
}

static void keep(struct monitor_line *l)
{
    const char *last = l->kept ? l->history[(l->kept - 1) % LINE_HISTORY] : "";

    l->back = 0;
    if (l->length && strcmp(last, l->text) != 0)
        strcpy(l->history[l->kept++ % LINE_HISTORY], l->text);
}

void line_next(struct monitor_line *l)
{
    l->length = l->cursor = 0;
    l->text[0] = '\0';
}

static void control(struct monitor_line *l, uint8_t byte)
{
    switch (byte) {
    case CTRL('A'):
        move(l, 0);
        break;
    case CTRL('B'):
        move(l, l->cursor - (l->cursor > 0));
        break;
    case CTRL('C'):
    case CTRL('U'):
        move(l, 0);
        cut(l, l->length);
        break;
    case '\b':
    case KEY_DELETE:
        if (!l->cursor)
            break;
        move(l, l->cursor - 1);
        /* fallthrough */
    case CTRL('D'):
        cut(l, l->cursor < l->length);
        break;
    case CTRL('E'):
        move(l, l->length);
        break;
    case CTRL('F'):
        move(l, MIN(l->cursor + 1, l->length));
        break;
    case CTRL('K'):
        cut(l, l->length - l->cursor);
        break;
    case CTRL('N'):
        if (l->back)
            go_back(l, l->back - 1);
        break;
    case CTRL('P'):
        go_back(l, l->back + 1);
        break;
    case KEY_ESCAPE:
        l->escape = LINE_ESCAPE;
        break;
    default:
        break;
    }
}

/* The end of a sequence (ECMA-48, 8.3, and what terminals send for Home, End and Delete). */
static void sequence(struct monitor_line *l, uint8_t final)
{
    static const struct {
        uint8_t final, parameter, key; /* the parameter counts with ~ alone */
    } keys[] = {
        { 'A', 0, CTRL('P') }, { 'B', 0, CTRL('N') }, { 'C', 0, CTRL('F') },
        { 'D', 0, CTRL('B') }, { 'F', 0, CTRL('E') }, { 'H', 0, CTRL('A') },
        { '~', 1, CTRL('A') }, { '~', 3, CTRL('D') }, { '~', 4, CTRL('E') },
        { '~', 7, CTRL('A') }, { '~', 8, CTRL('E') },
    };

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (keys[i].final == final && (final != '~' || keys[i].parameter == l->parameter))
            control(l, keys[i].key);
    }
}

static void escape(struct monitor_line *l, uint8_t byte)
{
    if (l->escape == LINE_ESCAPE) {
        l->escape = byte == '[' || byte == 'O' ? LINE_CSI : LINE_PLAIN;
        l->parameter = 0;
    } else if (byte >= '0' && byte <= '9') {
        l->parameter = MIN(l->parameter * 10 + (byte - '0'), PARAMETER_MAX);
    } else if (byte >= '@') {
        l->escape = LINE_PLAIN;
        sequence(l, byte);
    } else if (byte < ' ') {
        l->escape = LINE_PLAIN;
    }
}

static bool is_end(struct monitor_line *l, uint8_t byte)
{
    bool second = byte == '\n' && l->after_return;

    l->after_return = byte == '\r';
    return (byte == '\r' || byte == '\n') && !second;
}

bool line_key(struct monitor_line *l, uint8_t byte)
{
    char text = (char)byte;

    if (l->escape != LINE_PLAIN && byte != '\r' && byte != '\n') {
        escape(l, byte);
        return false;
    }
    l->escape = LINE_PLAIN;
    if (is_end(l, byte)) {
        move(l, l->length);
        console_print_text("\n", 1);
        keep(l);
        return true;
    }
    if (byte < ' ' || byte == KEY_DELETE)
        control(l, byte);
    else if (byte < KEY_DELETE)
        insert(l, &text, 1);
    return false;
}
