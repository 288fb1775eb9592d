/* SPDX-License-Identifier: MIT */
/*
 * The 8259A. Source: Intel 8259A data sheet, "Initialization Command Words (ICWs)", "Operation
 * Command Words (OCWs)".
 *
 * A request that was latched by an edge stays until it is accepted, even when the line drops: a
 * guest then sees one interrupt too many rather than one too few. Runs in root mode.
 */
#include "drivers/vpic_chip.h"

#define ICW1_IC4 0x01u /* ICW4 follows */
#define ICW1_SNGL 0x02u /* no ICW3 */
#define ICW1_SELECT 0x10u
#define ICW2_BASE 0xF8u
#define ICW4_AEOI 0x02u
#define ICW4_SFNM 0x10u

#define OCW2_LEVEL 0x07u
#define OCW2_COMMAND_SHIFT 5
enum ocw2 {
    OCW2_ROTATE_AEOI_CLEAR = 0,
    OCW2_EOI = 1,
    OCW2_NOP = 2,
    OCW2_SPECIFIC_EOI = 3,
    OCW2_ROTATE_AEOI_SET = 4,
    OCW2_ROTATE_EOI = 5,
    OCW2_SET_PRIORITY = 6,
    OCW2_ROTATE_SPECIFIC_EOI = 7,
};

#define OCW3_SELECT 0x08u
#define OCW3_RIS 0x01u /* ISR, not IRR, with OCW3_RR */
#define OCW3_RR 0x02u
#define OCW3_POLL 0x04u
#define OCW3_SMM 0x20u
#define OCW3_ESMM 0x40u

#define POLL_PENDING 0x80u

void pic_init(struct pic *pic, uint8_t base)
{
    *pic = (struct pic){.base = base, .imr = 0xFF, .lowest = PIC_LINES - 1};
}

/* The line of highest priority in a set, or -1. */
static int pic_highest(const struct pic *pic, uint8_t set)
{
    for (unsigned i = 1; i <= PIC_LINES; i++) {
        unsigned line = (pic->lowest + i) % PIC_LINES;

        if (set & PIC_BIT(line))
            return (int)line;
    }
    return -1;
}

static unsigned pic_rank(const struct pic *pic, int line)
{
    return ((unsigned)line - pic->lowest - 1) % PIC_LINES;
}

/* Those in service that hold others back; special mask mode exempts the masked ones. */
static uint8_t pic_serving(const struct pic *pic)
{
    return pic->special_mask ? pic->isr & (uint8_t)~pic->imr : pic->isr;
}

/* The request that may interrupt now, or -1. Data sheet, "Fully Nested Mode". */
int pic_pending(const struct pic *pic)
{
    int line = pic_highest(pic, pic->irr & (uint8_t)~pic->imr), serving;

    if (line < 0 || pic->step != STEP_READY)
        return -1;
    serving = pic_highest(pic, pic_serving(pic));
    if (serving < 0 || pic_rank(pic, line) < pic_rank(pic, serving))
        return line;
    /* Further requests of a slave whose line is in service: special fully nested mode. */
    return pic->nested && line == (int)PIC_CASCADE && serving == line ? line : -1;
}

void pic_take(struct pic *pic, int line)
{
    uint8_t bit = PIC_BIT(line);

    if (!(pic->elcr & bit))
        pic->irr &= (uint8_t)~bit;
    if (!pic->aeoi)
        pic->isr |= bit;
    else if (pic->rotate_aeoi)
        pic->lowest = (uint8_t)line;
}

void pic_set_line(struct pic *pic, unsigned line, bool level)
{
    uint8_t bit = PIC_BIT(line);

    if (level && ((pic->elcr | ~pic->lines) & bit))
        pic->irr |= bit;
    else if (!level && (pic->elcr & bit))
        pic->irr &= (uint8_t)~bit;
    pic->lines = level ? pic->lines | bit : pic->lines & (uint8_t)~bit;
}

void pic_set_elcr(struct pic *pic, uint8_t elcr)
{
    pic->elcr = elcr;
    pic->irr = (uint8_t)((pic->irr & ~elcr) | (pic->lines & elcr));
}

/* An ICW1 forgets edges: only lines at level-triggered inputs still ask. */
static void pic_icw1(struct pic *pic, uint8_t value)
{
    *pic = (struct pic){
        .lines = pic->lines,
        .elcr = pic->elcr,
        .base = pic->base,
        .irr = pic->lines & pic->elcr,
        .lowest = PIC_LINES - 1,
        .step = STEP_ICW2,
        .icw4 = value & ICW1_IC4,
        .single = value & ICW1_SNGL,
    };
}

static void pic_end(struct pic *pic, int line, bool rotate)
{
    if (line < 0)
        return;
    pic->isr &= (uint8_t)~PIC_BIT(line);
    if (rotate)
        pic->lowest = (uint8_t)line;
}

static void pic_ocw2(struct pic *pic, uint8_t value)
{
    enum ocw2 command = value >> OCW2_COMMAND_SHIFT;
    unsigned level = value & OCW2_LEVEL;

    switch (command) {
    case OCW2_ROTATE_AEOI_CLEAR:
    case OCW2_ROTATE_AEOI_SET:
        pic->rotate_aeoi = command == OCW2_ROTATE_AEOI_SET;
        break;
    case OCW2_EOI:
    case OCW2_ROTATE_EOI:
        pic_end(pic, pic_highest(pic, pic_serving(pic)), command == OCW2_ROTATE_EOI);
        break;
    case OCW2_SPECIFIC_EOI:
    case OCW2_ROTATE_SPECIFIC_EOI:
        pic_end(pic, (int)level, command == OCW2_ROTATE_SPECIFIC_EOI);
        break;
    case OCW2_SET_PRIORITY:
        pic->lowest = (uint8_t)level;
        break;
    case OCW2_NOP:
        break;
    }
}

static void pic_ocw3(struct pic *pic, uint8_t value)
{
    if (value & OCW3_POLL)
        pic->poll = true;
    if (value & OCW3_RR)
        pic->read_isr = value & OCW3_RIS;
    if (value & OCW3_ESMM)
        pic->special_mask = value & OCW3_SMM;
}

static void pic_write_data(struct pic *pic, uint8_t value)
{
    switch ((enum pic_step)pic->step) {
    case STEP_READY:
        pic->imr = value;
        break;
    case STEP_ICW2:
        pic->base = value & ICW2_BASE;
        pic->step = !pic->single ? STEP_ICW3 : pic->icw4 ? STEP_ICW4 : STEP_READY;
        break;
    case STEP_ICW3: /* the wiring is fixed */
        pic->step = pic->icw4 ? STEP_ICW4 : STEP_READY;
        break;
    case STEP_ICW4:
        pic->aeoi = value & ICW4_AEOI;
        pic->nested = value & ICW4_SFNM;
        pic->step = STEP_READY;
        break;
    }
}

/* Data sheet, "Poll Command": the read is the acknowledge cycle. */
static uint8_t pic_read_poll(struct pic *pic)
{
    int line = pic_pending(pic);

    pic->poll = false;
    if (line < 0)
        return 0;
    pic_take(pic, line);
    return (uint8_t)(POLL_PENDING | (unsigned)line);
}

uint8_t pic_read(struct pic *pic, unsigned reg)
{
    if (pic->poll)
        return pic_read_poll(pic);
    if (reg != 0)
        return pic->imr;
    return pic->read_isr ? pic->isr : pic->irr;
}

void pic_write(struct pic *pic, unsigned reg, uint8_t value)
{
    if (reg != 0)
        pic_write_data(pic, value);
    else if (value & ICW1_SELECT)
        pic_icw1(pic, value);
    else if (value & OCW3_SELECT)
        pic_ocw3(pic, value);
    else
        pic_ocw2(pic, value);
}
