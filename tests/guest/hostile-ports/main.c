/* SPDX-License-Identifier: MIT */
/* Attack: IN and OUT of every size on every port, except those that end the VM by definition. */
#include "guests/lib/guest.h"

#define UART 0x3f8
#define UART_REGISTERS 8u
#define UART_IER 1u
#define UART_LCR 3u
#define UART_MCR 4u
#define UART_SCRATCH 0x3ff
#define LCR_8N1 3
#define MCR_OUT2 8

static uint64_t accesses;

/* Debug exit, fast reset, keyboard controller's reset, sleep control, reset. */
static bool ends_the_vm(unsigned port, unsigned size)
{
    static const struct {
        unsigned first, last;
    } ends[] = {
        { 0xf4, 0xf7 }, { 0x92, 0x92 }, { 0x64, 0x64 }, { 0x604, 0x605 }, { 0xcf9, 0xcf9 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        if (port <= ends[i].last && port + size > ends[i].first)
            return true;
    }
    return false;
}

static void attack(uint16_t port, unsigned size, uint32_t value)
{
    if (ends_the_vm(port, size))
        return;
    accesses += 2;
    if (size == 1) {
        outb(port, (uint8_t)value);
        inb(port);
    } else if (size == 2) {
        outw(port, (uint16_t)value);
        inw(port);
    } else {
        outl(port, value);
        inl(port);
    }
}

/* The registers of the UART as it is after a reset, or this guest could not say more. */
static void mend_uart(void)
{
    outb(UART + UART_LCR, LCR_8N1);
    outb(UART + UART_IER, 0);
    outb(UART + UART_MCR, MCR_OUT2);
    outb(UART + UART_LCR, LCR_8N1 | 0x80);
    outw(UART, 1);
    outb(UART + UART_LCR, LCR_8N1);
}

int guest_main(const struct mullion_flat_info *info)
{
    uint64_t start;

    for (unsigned size = 1; size <= 4; size *= 2) {
        for (unsigned port = 0; port <= 0xffff; port++)
            attack((uint16_t)port, size, port % 2 ? (uint32_t)guest_random() : 0);
    }
    mend_uart();
    guest_printf("\n%lu port accesses\n", accesses);
    guest_check(accesses > 390000);
    outb(UART_SCRATCH, 0x5a);
    guest_check_equal(inb(UART_SCRATCH), 0x5a);
    guest_x2apic_on();
    start = rdtsc();
    guest_sleep(info->tsc_hz / 1000);
    guest_check(rdtsc() - start >= info->tsc_hz / 1000);
    return 0;
}
