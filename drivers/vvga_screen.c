/* SPDX-License-Identifier: MIT */
/* The text page of the VGA as the monitor shows it. Runs in root mode. */
#include "drivers/vvga.h"

#include <string.h>

#define VGA_COLUMNS 80u
#define VGA_ROWS 25u
#define VGA_BLANK ' '
#define VGA_CURSOR_MARK '_'
#define CURSOR_OFF 0x20u

/* Code page 437 to what any terminal shows: frames and blocks become their like in ASCII. */
static char vga_printable(uint8_t code)
{
    if (code == 0 || code == 0xFF)
        return VGA_BLANK;
    if (code >= ' ' && code < 0x7F)
        return (char)code;
    if (code == 0xB3 || code == 0xBA)
        return '|';
    if (code == 0xC4 || code == 0xCD)
        return '-';
    if (code >= 0xB0 && code <= 0xDF)
        return code < 0xB3 || code >= 0xDB ? '#' : '+';
    return '.';
}

/* One row as text without trailing blanks; returns its length. `cursor` is a column or none. */
static size_t vga_row(struct vdev *dev, unsigned cell, unsigned cursor, char text[VGA_COLUMNS])
{
    uint8_t cells[VGA_COLUMNS * 2];
    size_t length = 0;

    for (unsigned i = 0; i < VGA_COLUMNS; i++) {
        gpa_t at = VGA_TEXT + (cell + i) % VGA_CELLS * 2ull;

        if (gmem_read(dev->vm, at, &cells[2 * i], 2))
            cells[2 * i] = 0;
        text[i] = vga_printable(cells[2 * i]);
        if (i == cursor && text[i] == VGA_BLANK)
            text[i] = VGA_CURSOR_MARK;
        if (text[i] != VGA_BLANK)
            length = i + 1;
    }
    return length;
}

void vga_snapshot(struct vdev *dev, char *buffer, size_t size)
{
    const struct vga *vga = dev->state;
    unsigned start = vga_pair(vga, CRTC_START_HIGH);
    unsigned cursor = (vga_pair(vga, CRTC_CURSOR_HIGH) + VGA_CELLS - start) % VGA_CELLS;
    size_t used = 0;

    if (size == 0)
        return;
    if (vga->crtc[CRTC_CURSOR_START] & CURSOR_OFF)
        cursor = VGA_CELLS;
    for (unsigned row = 0; row < VGA_ROWS; row++) {
        char text[VGA_COLUMNS];
        unsigned first = row * VGA_COLUMNS;
        size_t length = vga_row(dev, start + first, cursor - first, text);

        if (length + 1 >= size - used)
            break;
        memcpy(buffer + used, text, length);
        used += length;
        buffer[used++] = '\n';
    }
    buffer[used] = '\0';
}
