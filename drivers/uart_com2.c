/* SPDX-License-Identifier: MIT */
/*
 * The second serial port, COM2, for a debugger of guests (root mode). Input comes by interrupts
 * into a ring, output is polled.
 */
#include "drivers/uart16550.h"
#include "kernel/gdbstub.h"
#include "kernel/hostcon.h"
#include "kernel/irq.h"

#define COM2     0x2f8
#define COM2_IRQ 3u

#define RING_SIZE   4096u   /* a power of two; more than a packet */
#define CAUSES_MOST 64

static bool present;
/* One writer (interrupts of CPU 0) and one reader (CPU 0). */
static uint8_t ring[RING_SIZE];
static volatile uint32_t head, tail;

static bool com2_probe(void)
{
    return uart_setup(COM2);
}

/* What does not fit is lost; the protocol's checksums notice. */
static void com2_interrupt(void *arg)
{
    (void)arg;
    for (int i = 0; i < CAUSES_MOST && !(uart_in(COM2, UART_IIR) & IIR_NONE); i++) {
        while ((uart_in(COM2, UART_LSR) & LSR_DR) && head - tail < RING_SIZE)
            ring[head++ % RING_SIZE] = uart_in(COM2, UART_DATA);
        if (head - tail == RING_SIZE)
            (void)uart_in(COM2, UART_DATA);
    }
}

static bool com2_start(void)
{
    if (irq_connect_isa(COM2_IRQ, "com2", com2_interrupt, NULL) < 0)
        return false;
    present = true;
    uart_out(COM2, UART_IER, IER_ERBFI);
    return true;
}

static bool com2_present(void)
{
    return present;
}

static bool com2_waits(void)
{
    return head != tail;
}

static int com2_read(void)
{
    return head == tail ? -1 : ring[tail++ % RING_SIZE];
}

static void com2_write(const char *text, size_t length)
{
    while (length--)
        uart_put_polled(COM2, *text++);
}

/* No console: only found and started with them. */
static const struct hostcon com2_console = {
    .name = "com2", .early = false, .probe = com2_probe, .start = com2_start
};
SET_ADD(hostcon, com2_console);

static const struct gdb_port com2_port = {
    .name = "com2", .present = com2_present, .read = com2_read, .waits = com2_waits,
    .write = com2_write
};
SET_ADD(gdb_port, com2_port);
