/* SPDX-License-Identifier: MIT */
/*
 * Text on the frame buffer that firmware left on (root mode). What is on screen is kept in RAM,
 * since reading video memory is slow; a full screen jumps up by half, which draws each line about
 * twice instead of once per line below it. Understands as much of ANSI as the monitor uses.
 */
#include <string.h>

#include "kernel/hostcon.h"

#define GLYPH_WIDTH  8u
#define GLYPH_HEIGHT 16u
#define COLUMNS_MAX  240u
#define ROWS_MAX     100u
#define INK          0x00c8c8c8u /* grey: the same in RGBX and BGRX */
#define ESCAPE       '\033'
#define PARAMS_MAX   2

extern const uint8_t font8x16[256][GLYPH_HEIGHT];

enum parser { PLAIN, AFTER_ESCAPE, IN_SEQUENCE };

static struct {
    char *base;
    uint32_t pitch;
    unsigned columns, rows, column, row;
    enum parser parser;
    unsigned param, params[PARAMS_MAX];
    uint8_t cells[ROWS_MAX][COLUMNS_MAX];
} fb;

/* Two pixels at a time; by the pair of bits, the left pixel's bit is the higher one. */
static void draw(unsigned row, unsigned column)
{
    static const uint64_t pairs[4] = {0, (uint64_t)INK << 32, INK, (uint64_t)INK << 32 | INK};
    const uint8_t *glyph = font8x16[fb.cells[row][column]];
    char *line = fb.base + (size_t)row * GLYPH_HEIGHT * fb.pitch + column * GLYPH_WIDTH * 4;

    for (unsigned y = 0; y < GLYPH_HEIGHT; y++, line += fb.pitch) {
        volatile uint64_t *pixels = (volatile uint64_t *)(void *)line;
        pixels[0] = pairs[glyph[y] >> 6];
        pixels[1] = pairs[glyph[y] >> 4 & 3];
        pixels[2] = pairs[glyph[y] >> 2 & 3];
        pixels[3] = pairs[glyph[y] & 3];
    }
}

static void set_cell(unsigned row, unsigned column, uint8_t c)
{
    if (fb.cells[row][column] == c)
        return;
    fb.cells[row][column] = c;
    draw(row, column);
}

static void erase(unsigned row, unsigned column)
{
    for (; column < fb.columns; column++)
        set_cell(row, column, ' ');
}

static void jump_up(void)
{
    unsigned half = fb.rows / 2;

    for (unsigned row = 0; row < fb.rows; row++)
        for (unsigned column = 0; column < fb.columns; column++)
            set_cell(row, column, row + half < fb.rows ? fb.cells[row + half][column] : ' ');
    fb.row -= half;
}

static void new_line(void)
{
    fb.column = 0;
    if (++fb.row == fb.rows)
        jump_up();
}

static void put_plain(char c)
{
    if (c == '\n') {
        new_line();
    } else if (c == '\r') {
        fb.column = 0;
    } else if (c == '\b') {
        fb.column -= fb.column > 0;
    } else if (c == '\t') {
        fb.column = MIN((fb.column + 8) & ~7u, fb.columns - 1);
    } else if ((uint8_t)c >= ' ') {
        if (fb.column == fb.columns)
            new_line();
        set_cell(fb.row, fb.column++, (uint8_t)c);
    }
}

/* ECMA-48: CUP, ED (all of the screen whatever its parameter says), EL to the end; others do
 * nothing. */
static void finish_sequence(char c)
{
    if (c == 'H') {
        fb.row = MIN(MAX(fb.params[0], 1u), fb.rows) - 1;
        fb.column = MIN(MAX(fb.params[1], 1u), fb.columns) - 1;
    } else if (c == 'J') {
        for (unsigned row = 0; row < fb.rows; row++)
            erase(row, 0);
    } else if (c == 'K') {
        erase(fb.row, fb.column);
    }
}

static void put_sequence(char c)
{
    if (c >= '0' && c <= '9' && fb.param < PARAMS_MAX)
        fb.params[fb.param] = (fb.params[fb.param] * 10 + (unsigned)(c - '0')) % 1000;
    else if (c == ';')
        fb.param++;
    else if (c >= '@') {
        fb.parser = PLAIN;
        finish_sequence(c);
    }
}

static void put(char c)
{
    if (c == ESCAPE) {
        fb.parser = AFTER_ESCAPE;
    } else if (fb.parser == AFTER_ESCAPE) {
        fb.parser = c == '[' ? IN_SEQUENCE : PLAIN;
        fb.param = 0;
        memset(fb.params, 0, sizeof fb.params);
    } else if (fb.parser == IN_SEQUENCE) {
        put_sequence(c);
    } else {
        put_plain(c);
    }
}

static void fbcon_write(const char *text, size_t length)
{
    while (length--)
        put(*text++);
}

static bool fbcon_probe(void)
{
    const struct hostcon_fb *info = &hostcon_fb;

    fb.columns = MIN(info->width / GLYPH_WIDTH, COLUMNS_MAX);
    fb.rows = MIN(info->height / GLYPH_HEIGHT, ROWS_MAX);
    if (!info->base || fb.columns < 2 || fb.rows < 2)
        return false;
    fb.pitch = info->pitch;
    fb.base = info->base;
    memset(fb.base, 0, (size_t)info->pitch * info->height);
    memset(fb.cells, ' ', sizeof fb.cells);
    return true;
}

static const struct hostcon fbcon_console = {
    .name = "fb",
    .early = false,
    .probe = fbcon_probe,
    .write = fbcon_write,
};
SET_ADD(hostcon, fbcon_console);
