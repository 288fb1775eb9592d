/* SPDX-License-Identifier: MIT */
/*
 * Packets of the remote serial protocol: `$data#checksum` (root mode; pure). Source: GDB manual,
 * "Remote Protocol: Overview".
 */
#include <string.h>

#include "kernel/gdbstub.h"

#define INTERRUPT 0x03 /* Ctrl-C, outside of a packet */

static const char digits[] = "0123456789abcdef";

void gdb_put(struct gdb_text *out, const char *text)
{
    while (*text && out->length < GDB_PACKET_MAX)
        out->text[out->length++] = *text++;
}

void gdb_put_bytes(struct gdb_text *out, const void *bytes, size_t count)
{
    const uint8_t *p = bytes;

    for (size_t i = 0; i < count; i++)
        gdb_put(out, (char[]){ digits[p[i] >> 4], digits[p[i] & 0xf], '\0' });
}

void gdb_put_number(struct gdb_text *out, uint64_t number)
{
    char text[17];
    unsigned at = sizeof(text) - 1;

    text[at] = '\0';
    do {
        text[--at] = digits[number & 0xf];
        number >>= 4;
    } while (number);
    gdb_put(out, text + at);
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool gdb_number(const char **p, uint64_t *number)
{
    const char *start = *p;

    *number = 0;
    for (; digit(**p) >= 0; (*p)++) {
        if (*number >> 60)
            return false;
        *number = *number << 4 | (unsigned)digit(**p);
    }
    return *p != start;
}

bool gdb_bytes(const char **p, void *bytes, size_t count)
{
    uint8_t *to = bytes;

    for (size_t i = 0; i < count; i++, *p += 2) {
        int high = digit((*p)[0]), low = high < 0 ? -1 : digit((*p)[1]);

        if (low < 0)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool gdb_skip(const char **p, char c)
{
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

static enum gdb_event take_idle(struct gdb_line *line, uint8_t byte)
{
    if (byte == '$') {
        line->state = LINE_DATA;
        line->length = 0;
        line->sum = 0;
    }
    if (byte == '-')
        return GDB_REPEAT;
    return byte == INTERRUPT ? GDB_INTERRUPT : GDB_NOTHING;
}

static enum gdb_event take_data(struct gdb_line *line, uint8_t byte)
{
    if (byte == '$')
        return take_idle(line, byte); /* the end of the last one was lost */
    if (byte == '#') {
        line->data[line->length] = '\0';
        line->state = LINE_SUM1;
    } else if (line->length == GDB_PACKET_MAX) {
        line->state = LINE_IDLE; /* longer than we have said that packets may be */
    } else {
        line->data[line->length++] = (char)byte;
        line->sum = (uint8_t)(line->sum + byte);
    }
    return GDB_NOTHING;
}

enum gdb_event gdb_line_take(struct gdb_line *line, uint8_t byte)
{
    int value = digit((char)byte);

    switch (line->state) {
    case LINE_IDLE:
        return take_idle(line, byte);
    case LINE_DATA:
        return take_data(line, byte);
    case LINE_SUM1:
        line->told = (uint8_t)((unsigned)value << 4);
        line->state = value < 0 ? LINE_IDLE : LINE_SUM2;
        return value < 0 ? GDB_BAD_PACKET : GDB_NOTHING;
    case LINE_SUM2:
        line->state = LINE_IDLE;
        return value >= 0 && (line->told | value) == line->sum ? GDB_PACKET : GDB_BAD_PACKET;
    }
    return GDB_NOTHING;
}

void gdb_begin(struct gdb_text *out)
{
    out->text[0] = '$';
    out->length = 1;
}

void gdb_end(struct gdb_text *out)
{
    uint8_t sum = 0;

    for (size_t i = 1; i < out->length; i++)
        sum = (uint8_t)(sum + (uint8_t)out->text[i]);
    out->text[out->length++] = '#';
    out->text[out->length++] = digits[sum >> 4];
    out->text[out->length++] = digits[sum & 0xf];
}
