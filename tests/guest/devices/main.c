/* SPDX-License-Identifier: MIT */
/* The devices of a flat machine as a guest sees them: UART, null, debug exit, I/O APIC. */
#include "guests/lib/guest.h"

#define NULL_PORT 0xe0
#define UART 0x3f8
#define IER 1
#define IIR 2
#define LCR 3
#define MCR 4
#define LSR 5
#define MSR 6
#define SCR 7
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define UART_PIN 4
#define UART_VECTOR 0x61
#define IOAPIC 0xfec00000ull
#define REMOTE_IRR (1u << 14)
#define LEVEL (1u << 15)
#define MASKED (1u << 16)

static volatile unsigned interrupts;

static void ioapic_write(uint32_t index, uint32_t value)
{
    *(volatile uint32_t *)IOAPIC = index;
    *(volatile uint32_t *)(IOAPIC + 0x10) = value;
}

static uint32_t ioapic_read(uint32_t index)
{
    *(volatile uint32_t *)IOAPIC = index;
    return *(volatile uint32_t *)(IOAPIC + 0x10);
}

static void on_uart(struct guest_frame *frame)
{
    (void)frame;
    interrupts++;
    inb(UART + IIR); /* tells THRE, and so ends it */
    wrmsr(X2APIC_EOI, 0);
}

static void check_uart(void)
{
    for (unsigned i = 0; i < 256; i += 17) {
        outb(UART + SCR, (uint8_t)i);
        guest_check_equal(inb(UART + SCR), i);
    }
    guest_check_equal(inb(UART + LSR) & 0x60, 0x60);
    guest_check_equal(inb(UART + IIR) & 0x0f, 1);
    guest_check_equal(inb(UART + MSR) & 0xb0, 0xb0);
    /* loopback: what is sent comes back, and nothing reaches the console */
    outb(UART + MCR, MCR_LOOP | 0x0a);
    guest_check_equal(inb(UART + MSR) & 0xf0, 0x90);
    outb(UART, 'L');
    guest_check_equal(inb(UART + LSR) & 1, 1);
    guest_check_equal(inb(UART), 'L');
    guest_check_equal(inb(UART + LSR) & 1, 0);
    outb(UART + MCR, MCR_OUT2);
}

/* The transmitter's interrupt, by the I/O APIC to this CPU. */
static void check_line(uint32_t trigger)
{
    unsigned before = interrupts;

    guest_on_vector(UART_VECTOR, on_uart);
    ioapic_write(0x10 + 2 * UART_PIN + 1, 0);
    ioapic_write(0x10 + 2 * UART_PIN, UART_VECTOR | trigger);
    outb(UART + IER, 2);
    guest_check_equal(interrupts, before);
    sti_nop_cli();
    guest_check_equal(interrupts, before + 1);
    guest_check_equal(ioapic_read(0x10 + 2 * UART_PIN) & REMOTE_IRR, 0);
    sti_nop_cli();
    guest_check_equal(interrupts, before + 1);
    outb(UART + IER, 0);
    ioapic_write(0x10 + 2 * UART_PIN, MASKED);
}

/* What a flat machine lacks: RTC, PIC, PIT, keyboard, VGA, PCI, reset register. */
static void check_absent(void)
{
    static const uint16_t ports[] = { 0x71, 0x20, 0x21, 0xa1, 0x40, 0x61, 0x60, 0x64,
                                      0x92, 0x3da, 0xcf8, 0xcf9, 0x604, 0x2f8, 0x1f7 };

    for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
        guest_check_equal(inb(ports[i]), 0xff);
}

int guest_main(const struct mullion_flat_info *info)
{
    (void)info;
    guest_x2apic_on();
    outb(NULL_PORT, 0x42);
    guest_check_equal(inb(NULL_PORT), 0x42);
    guest_check_equal(inl(MULLION_PORT_DEBUG_EXIT), 0xffffffff);
    guest_check_equal(ioapic_read(1), 0x170020);
    guest_check_equal(ioapic_read(0x10) & MASKED, MASKED);
    check_uart();
    check_line(0);
    check_line(LEVEL);
    check_absent();
    return 0;
}
