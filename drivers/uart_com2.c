/* SPDX-License-Identifier: MIT */
/*
 * The second serial port, COM2, 115200 8N1, for a debugger of guests (root mode). Input comes by
 * interrupts into a ring, output is polled. Texas Instruments PC16550D data sheet, 8.0.
 */
#include "kernel/gdbstub.h"
#include "kernel/hostcon.h"
#include "kernel/irq.h"
#include "kernel/x86.h"

#define COM2     0x2f8
#define COM2_IRQ 3u

enum uart_reg { RBR, THR = 0, DLL = 0, IER, DLM = 1, IIR, FCR = 2, LCR, MCR, LSR, SCR = 7 };
#define IER_RECEIVED         0x01
#define FCR_ENABLE_AND_CLEAR 0x07
#define IIR_NONE             0x01
#define LCR_8N1              0x03
#define LCR_DLAB             0x80
#define MCR_DTR_RTS_OUT2     0x0b
#define LSR_DATA             0x01
#define LSR_THR_EMPTY        0x20
#define DIVISOR_115200       1
#define SCRATCH_PATTERN      0x5a

#define RING_SIZE   4096u   /* a power of two; more than a packet */
#define READY_POLLS 100000u /* a dead UART must not stop us */
#define CAUSES_MOST 64

static bool present;
/* One writer (interrupts of CPU 0) and one reader (CPU 0). */
static uint8_t ring[RING_SIZE];
static volatile uint32_t head, tail;

static uint8_t uart_in(enum uart_reg reg)
{
    return x86_in8((uint16_t)(COM2 + reg));
}

static void uart_out(enum uart_reg reg, unsigned value)
{
    x86_out8((uint16_t)(COM2 + reg), (uint8_t)value);
}

static bool com2_probe(void)
{
    uart_out(SCR, SCRATCH_PATTERN);
    if (uart_in(SCR) != SCRATCH_PATTERN)
        return false;
    uart_out(IER, 0);
    uart_out(LCR, LCR_8N1 | LCR_DLAB);
    uart_out(DLL, DIVISOR_115200);
    uart_out(DLM, 0);
    uart_out(LCR, LCR_8N1);
    uart_out(FCR, FCR_ENABLE_AND_CLEAR);
    uart_out(MCR, MCR_DTR_RTS_OUT2);
    return true;
}

/* What does not fit is lost; the protocol's checksums notice. */
static void com2_interrupt(void *arg)
{
    (void)arg;
    for (int i = 0; i < CAUSES_MOST && !(uart_in(IIR) & IIR_NONE); i++) {
        while ((uart_in(LSR) & LSR_DATA) && head - tail < RING_SIZE)
            ring[head++ % RING_SIZE] = uart_in(RBR);
        if (head - tail == RING_SIZE)
            (void)uart_in(RBR);
    }
}

static bool com2_start(void)
{
    if (irq_connect_isa(COM2_IRQ, "com2", com2_interrupt, NULL) < 0)
        return false;
    present = true;
    uart_out(IER, IER_RECEIVED);
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
    while (length--) {
        for (unsigned i = 0; i < READY_POLLS && !(uart_in(LSR) & LSR_THR_EMPTY); i++)
            x86_pause();
        uart_out(THR, (uint8_t)*text++);
    }
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
