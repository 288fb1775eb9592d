/* SPDX-License-Identifier: MIT */
/*
 * The colour text page of the VGA: an array of 80 x 25 cells, each a character and its colours.
 * Ports: IBM VGA technical reference, "CRT Controller Registers".
 */
#include "guests/tutor/devices.h"
#include "guests/tutor/io.h"
#include "guests/tutor/string.h"

#define VGA_TEXT 0xB8000
#define VGA_COLUMNS 80
#define VGA_ROWS 25
#define VGA_CELLS (VGA_COLUMNS * VGA_ROWS)
#define VGA_GREY_ON_BLACK 0x0700

#define CRTC_INDEX 0x3D4
#define CRTC_DATA 0x3D5
#define CRTC_CURSOR_HIGH 0x0E
#define CRTC_CURSOR_LOW 0x0F

static uint16_t *const cells = (uint16_t *)VGA_TEXT;
static unsigned cursor;

static void blank(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        cells[i] = VGA_GREY_ON_BLACK | ' ';
}

static void scroll(void)
{
    memmove(cells, cells + VGA_COLUMNS, (VGA_CELLS - VGA_COLUMNS) * sizeof(*cells));
    blank(VGA_CELLS - VGA_COLUMNS, VGA_CELLS);
    cursor -= VGA_COLUMNS;
}

void vga_init(void)
{
    blank(0, VGA_CELLS);
    cursor = 0;
    vga_show_cursor();
}

void vga_put(char c)
{
    unsigned column = cursor % VGA_COLUMNS;

    switch (c) {
    case '\n':
        cursor += VGA_COLUMNS - column;
        break;
    case '\r':
        cursor -= column;
        break;
    case '\b':
        if (column)
            cursor--;
        break;
    default:
        cells[cursor++] = (uint16_t)(VGA_GREY_ON_BLACK | (uint8_t)c);
    }
    if (cursor >= VGA_CELLS)
        scroll();
}

/* Apart from vga_put, since four port writes per character are dear in a virtual machine. */
void vga_show_cursor(void)
{
    outb(CRTC_INDEX, CRTC_CURSOR_HIGH);
    outb(CRTC_DATA, (uint8_t)(cursor >> 8));
    outb(CRTC_INDEX, CRTC_CURSOR_LOW);
    outb(CRTC_DATA, (uint8_t)cursor);
}
