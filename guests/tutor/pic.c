/* SPDX-License-Identifier: MIT */
/*
 * The two cascaded 8259A interrupt controllers. Source: Intel 8259A data sheet, "Initialization
 * Command Words", "Operation Command Words".
 */
#include "guests/tutor/devices.h"
#include "guests/tutor/io.h"

#define PIC1_COMMAND 0x20
#define PIC1_DATA 0x21
#define PIC2_COMMAND 0xA0
#define PIC2_DATA 0xA1

#define ICW1_INIT 0x10
#define ICW1_ICW4 0x01
#define ICW4_8086 0x01
#define OCW2_EOI 0x20
#define OCW3_READ_ISR 0x0B

#define CASCADE_LINE 2
#define ALL_MASKED 0xFF
#define LOWEST_PRIORITY 7 /* where a controller reports an interrupt that went away */

/*
 * After reset the lines arrive at vectors 8 to 15 and 0x70 to 0x77, where the first eight can't be
 * told from exceptions; so the controllers are given new vectors first of all.
 */
void pic_init(void)
{
    outb(PIC1_COMMAND, ICW1_INIT | ICW1_ICW4);
    outb(PIC2_COMMAND, ICW1_INIT | ICW1_ICW4);
    outb(PIC1_DATA, PIC_VECTOR_BASE);
    outb(PIC2_DATA, PIC_VECTOR_BASE + 8);
    outb(PIC1_DATA, 1 << CASCADE_LINE); /* the first wants a bit mask, */
    outb(PIC2_DATA, CASCADE_LINE);      /* the second a number */
    outb(PIC1_DATA, ICW4_8086);
    outb(PIC2_DATA, ICW4_8086);
    outb(PIC1_DATA, ALL_MASKED & ~(1 << CASCADE_LINE));
    outb(PIC2_DATA, ALL_MASKED);
}

void pic_unmask(unsigned line)
{
    uint16_t port = line < 8 ? PIC1_DATA : PIC2_DATA;

    uint8_t bit = (uint8_t)(1u << (line % 8));

    outb(port, inb(port) & ~bit);
}

/* A request that vanished before it was acknowledged shows up as line 7, but is not in service. */
bool pic_is_spurious(unsigned line)
{
    uint16_t port = line < 8 ? PIC1_COMMAND : PIC2_COMMAND;

    if (line % 8 != LOWEST_PRIORITY)
        return false;
    outb(port, OCW3_READ_ISR);
    if (inb(port) & (1u << LOWEST_PRIORITY))
        return false;
    if (line >= 8) /* the first controller saw a real interrupt, from its cascade line */
        outb(PIC1_COMMAND, OCW2_EOI);
    return true;
}

void pic_end_of_interrupt(unsigned line)
{
    if (line >= 8)
        outb(PIC2_COMMAND, OCW2_EOI);
    outb(PIC1_COMMAND, OCW2_EOI);
}
