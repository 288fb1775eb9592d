/* SPDX-License-Identifier: MIT */
/* One 8259A interrupt controller, without its wiring; drivers/vpic.c has two. Runs in root mode. */
#ifndef DRIVERS_VPIC_CHIP_H
#define DRIVERS_VPIC_CHIP_H

#include "kernel/types.h"

#define PIC_LINES 8u
#define PIC_SPURIOUS 7u /* the line that a controller names when nothing is pending */
#define PIC_CASCADE 2u  /* the master's input from the slave */
#define PIC_BIT(n) ((uint8_t)(1u << (n)))

enum pic_step { STEP_READY = 0, STEP_ICW2, STEP_ICW3, STEP_ICW4 };

struct pic {
    uint8_t irr, imr, isr;
    uint8_t lines;  /* levels of the inputs */
    uint8_t elcr;   /* set: level-triggered */
    uint8_t base;   /* vector of line 0 */
    uint8_t lowest; /* line of lowest priority: rotation */
    uint8_t step;   /* enum pic_step */
    bool icw4, single;
    bool aeoi, rotate_aeoi, special_mask, nested; /* nested: special fully nested mode */
    bool poll, read_isr;
};

/* All masked, fully nested, ready. */
void pic_init(struct pic *pic, uint8_t base);
void pic_set_line(struct pic *pic, unsigned line, bool level);
/* Which lines are level-triggered. */
void pic_set_elcr(struct pic *pic, uint8_t elcr);

/* The request that may interrupt now, or -1. */
int pic_pending(const struct pic *pic);
/* The request is accepted: an INTA sequence or a poll. */
void pic_take(struct pic *pic, int line);

/* Registers: `reg` is address line A0. A read in poll mode accepts a request. */
uint8_t pic_read(struct pic *pic, unsigned reg);
void pic_write(struct pic *pic, unsigned reg, uint8_t value);

#endif
