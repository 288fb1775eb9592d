/* SPDX-License-Identifier: MIT */
/* The parts of the VGA: drivers/vvga.c and drivers/vvga_screen.c. Runs in root mode. */
#ifndef DRIVERS_VVGA_H
#define DRIVERS_VVGA_H

#include "kernel/vdev.h"

#define VGA_TEXT 0xB8000ull
#define VGA_CELLS 0x4000u /* the page's 32 KiB in cells of character and colour */

#define CRTC_CURSOR_START 0x0A
#define CRTC_START_HIGH 0x0C
#define CRTC_CURSOR_HIGH 0x0E
#define CRTC_CURSOR_LOW 0x0F
#define ATTRIBUTE_INDEX 0x1Fu

#define CRTC_REGISTERS 32u
#define SEQUENCER_REGISTERS 8u
#define GRAPHICS_REGISTERS 16u
#define DAC_BYTES 768u

struct vga {
    uint8_t crtc_index, sequencer_index, graphics_index, attribute_index;
    bool attribute_data; /* the next write to VGA_ATTRIBUTE is data */
    bool dac_reading;
    uint16_t dac_at;
    uint8_t misc, enable, mask, feature;
    uint8_t crtc[CRTC_REGISTERS];
    uint8_t sequencer[SEQUENCER_REGISTERS];
    uint8_t graphics[GRAPHICS_REGISTERS];
    uint8_t attribute[ATTRIBUTE_INDEX + 1];
    uint8_t dac[DAC_BYTES];
};

/* A cell number in two registers of the CRT controller, the high one first. */
static inline unsigned vga_pair(const struct vga *vga, unsigned high)
{
    return (unsigned)(vga->crtc[high] << 8 | vga->crtc[high + 1]) % VGA_CELLS;
}

/* vvga_screen.c: what is on the screen, as text. */
void vga_snapshot(struct vdev *dev, char *buffer, size_t size);

#endif
