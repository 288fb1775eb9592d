/* SPDX-License-Identifier: MIT */
/*
 * The text mode of a VGA: its registers are stored, its page at 0xB8000 is guest memory, and the
 * monitor shows the page as text. Source: IBM PS/2 Hardware Interface Technical Reference, "Video
 * Subsystem". Graphics modes are not shown. Runs in root mode.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/bytewise.h"
#include "drivers/vvga.h"

#define VGA_PORT 0x3C0
#define VGA_PORTS 16
#define CRTC_PORT 0x3D4 /* index and data */
#define STATUS_PORT 0x3DA

/* Offsets from VGA_PORT. */
enum vga_port {
    VGA_ATTRIBUTE = 0,       /* index and data by turns */
    VGA_ATTRIBUTE_READ = 1,
    VGA_STATUS0 = 2,         /* written: miscellaneous output */
    VGA_ENABLE = 3,
    VGA_SEQUENCER_INDEX = 4,
    VGA_SEQUENCER = 5,
    VGA_DAC_MASK = 6,
    VGA_DAC_READ_INDEX = 7,
    VGA_DAC_WRITE_INDEX = 8,
    VGA_DAC = 9,
    VGA_FEATURE_READ = 10,
    VGA_MISC_READ = 12,
    VGA_GRAPHICS_INDEX = 14,
    VGA_GRAPHICS = 15,
};

#define MISC_MODE3 0x67
#define STATUS_BLANK 0x01u
#define STATUS_RETRACE 0x08u
#define DAC_READY_READ 3u

/* 70 frames a second of 449 lines, 400 of them shown (mode 3). */
#define FRAME_NS 14268000u
#define LINE_NS 31778u
#define LINE_SHOWN_NS 25422u
#define LINES_SHOWN 400u
#define RETRACE_FIRST 412u
#define RETRACE_LAST 413u

/* CRT controller registers of mode 3 (80 x 25 text), as firmware sets them. */
static const uint8_t crtc_mode3[] = {0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00,
                                     0x4F, 0x0D, 0x0E, 0x00, 0x00, 0x00, 0x00, 0x9C, 0x8E,
                                     0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF};

static uint8_t vga_read_dac(struct vga *vga)
{
    uint8_t value = vga->dac[vga->dac_at];

    vga->dac_at = (uint16_t)((vga->dac_at + 1) % DAC_BYTES);
    return value;
}

static uint8_t vga_read(struct vdev *dev, unsigned reg)
{
    struct vga *vga = dev->state;

    switch ((enum vga_port)reg) {
    case VGA_ATTRIBUTE:
        return vga->attribute_index;
    case VGA_ATTRIBUTE_READ:
        return vga->attribute[vga->attribute_index & ATTRIBUTE_INDEX];
    case VGA_STATUS0:
        return 0;
    case VGA_ENABLE:
        return vga->enable;
    case VGA_SEQUENCER_INDEX:
        return vga->sequencer_index;
    case VGA_SEQUENCER:
        return vga->sequencer[vga->sequencer_index % SEQUENCER_REGISTERS];
    case VGA_DAC_MASK:
        return vga->mask;
    case VGA_DAC_READ_INDEX:
        return vga->dac_reading ? DAC_READY_READ : 0;
    case VGA_DAC_WRITE_INDEX:
        return (uint8_t)(vga->dac_at / 3);
    case VGA_DAC:
        return vga_read_dac(vga);
    case VGA_FEATURE_READ:
        return vga->feature;
    case VGA_MISC_READ:
        return vga->misc;
    case VGA_GRAPHICS_INDEX:
        return vga->graphics_index;
    case VGA_GRAPHICS:
        return vga->graphics[vga->graphics_index % GRAPHICS_REGISTERS];
    }
    return 0xFF;
}

static void vga_write_attribute(struct vga *vga, uint8_t value)
{
    if (vga->attribute_data)
        vga->attribute[vga->attribute_index & ATTRIBUTE_INDEX] = value;
    else
        vga->attribute_index = value;
    vga->attribute_data = !vga->attribute_data;
}

static void vga_set_dac(struct vga *vga, uint8_t index, bool reading)
{
    vga->dac_at = (uint16_t)(index * 3);
    vga->dac_reading = reading;
}

static void vga_write(struct vdev *dev, unsigned reg, uint8_t value)
{
    struct vga *vga = dev->state;

    switch ((enum vga_port)reg) {
    case VGA_ATTRIBUTE:
        vga_write_attribute(vga, value);
        break;
    case VGA_STATUS0:
        vga->misc = value;
        break;
    case VGA_ENABLE:
        vga->enable = value;
        break;
    case VGA_SEQUENCER_INDEX:
        vga->sequencer_index = value;
        break;
    case VGA_SEQUENCER:
        vga->sequencer[vga->sequencer_index % SEQUENCER_REGISTERS] = value;
        break;
    case VGA_DAC_MASK:
        vga->mask = value;
        break;
    case VGA_DAC_READ_INDEX:
    case VGA_DAC_WRITE_INDEX:
        vga_set_dac(vga, value, reg == VGA_DAC_READ_INDEX);
        break;
    case VGA_DAC:
        vga->dac[vga->dac_at] = value;
        vga->dac_at = (uint16_t)((vga->dac_at + 1) % DAC_BYTES);
        break;
    case VGA_GRAPHICS_INDEX:
        vga->graphics_index = value;
        break;
    case VGA_GRAPHICS:
        vga->graphics[vga->graphics_index % GRAPHICS_REGISTERS] = value;
        break;
    case VGA_ATTRIBUTE_READ:
    case VGA_FEATURE_READ:
    case VGA_MISC_READ:
        break;
    }
}

static uint8_t crtc_read(struct vdev *dev, unsigned reg)
{
    const struct vga *vga = dev->state;

    return reg == 0 ? vga->crtc_index : vga->crtc[vga->crtc_index % CRTC_REGISTERS];
}

static void crtc_write(struct vdev *dev, unsigned reg, uint8_t value)
{
    struct vga *vga = dev->state;

    if (reg == 0)
        vga->crtc_index = value;
    else
        vga->crtc[vga->crtc_index % CRTC_REGISTERS] = value;
}

/* Programs wait for both edges of retrace, so it follows guest time. */
static uint64_t status_read(struct vdev *dev, uint64_t offset, unsigned size)
{
    struct vga *vga = dev->state;
    uint64_t in_frame = vdev_now_ns(dev) % FRAME_NS;
    uint64_t line = in_frame / LINE_NS;
    bool shown = line < LINES_SHOWN && in_frame % LINE_NS < LINE_SHOWN_NS;

    (void)offset, (void)size;
    vga->attribute_data = false;
    return (shown ? 0 : STATUS_BLANK) |
           (line >= RETRACE_FIRST && line <= RETRACE_LAST ? STATUS_RETRACE : 0);
}

static void status_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct vga *vga = dev->state;

    (void)offset, (void)size;
    vga->feature = (uint8_t)value;
}

BYTEWISE_PORTS(vga_ports, vga_read, vga_write)
BYTEWISE_PORTS(crtc_ports, crtc_read, crtc_write)

static int vga_init(struct vdev *dev)
{
    struct vga *vga = dev->state;
    int error;

    memcpy(vga->crtc, crtc_mode3, sizeof(crtc_mode3));
    vga->misc = MISC_MODE3;
    vga->enable = 1;
    vga->mask = 0xFF;
    error = vdev_ports(dev, VGA_PORT, VGA_PORTS, vga_ports_read, vga_ports_write);
    if (!error)
        error = vdev_ports(dev, CRTC_PORT, 2, crtc_ports_read, crtc_ports_write);
    if (!error)
        error = vdev_ports(dev, STATUS_PORT, 1, status_read, status_write);
    if (!error)
        vdev_screen_attach(dev, vga_snapshot);
    return error;
}

static void vga_describe(struct vdev *dev, char *buffer, size_t size)
{
    const struct vga *vga = dev->state;

    snprintf(buffer, size, "text page at 0x%llx, shown from cell %u, cursor at cell %u", VGA_TEXT,
             vga_pair(vga, CRTC_START_HIGH), vga_pair(vga, CRTC_CURSOR_HIGH));
}

static const struct vdev_type vvga = {
    .name = "vga",
    .machines = MACHINE_PC,
    .state_size = sizeof(struct vga),
    .init = vga_init,
    .describe = vga_describe,
};
VDEV(vvga);
