/* SPDX-License-Identifier: MIT */
/* A guest that uses the FIFO of docs/labs/device.md. */
#include "guests/lib/guest.h"

#define DATA 0xE4
#define STATUS 0xE5
#define DEPTH 16
#define CLEAR 1
#define PIN 10
#define VECTOR 0x61
#define IOAPIC 0xfec00000ull
#define LEVEL (1u << 15)
#define MASKED (1u << 16)

static volatile unsigned interrupts;

static void ioapic_pin(uint32_t value)
{
    *(volatile uint32_t *)IOAPIC = 0x10 + 2 * PIN;
    *(volatile uint32_t *)(IOAPIC + 0x10) = value;
}

/* The line is high only while there is a byte, so that a level ends when the byte is taken. */
static void on_fifo(struct guest_frame *frame)
{
    (void)frame;
    interrupts++;
    guest_check_equal(inb(STATUS) & 1, 1);
    inb(DATA);
    wrmsr(X2APIC_EOI, 0);
}

static void check_line(void)
{
    guest_on_vector(VECTOR, on_fifo);
    outb(DATA, 1);
    outb(STATUS, CLEAR);
    ioapic_pin(LEVEL | VECTOR); /* the upper half is 0 after a reset: to CPU 0 */
    sti_nop_cli();
    guest_check_equal(interrupts, 0);
    outb(DATA, 1);
    outb(DATA, 2);
    for (unsigned i = 0; i < 3; i++)
        sti_nop_cli();
    guest_check_equal(interrupts, 2);
    ioapic_pin(MASKED);
}

int guest_main(const struct mullion_flat_info *info)
{
    (void)info;
    guest_x2apic_on();
    guest_check_equal(inb(STATUS), 0);
    for (unsigned i = 0; i <= DEPTH; i++)
        outb(DATA, (uint8_t)(i * 3));
    guest_check_equal(inb(STATUS), 7);
    for (unsigned i = 0; i < DEPTH; i++)
        guest_check_equal(inb(DATA), i * 3);
    guest_check_equal(inb(DATA), 0xFF);
    outb(STATUS, 4);
    guest_check_equal(inb(STATUS), 0);
    check_line();
    return 0;
}
