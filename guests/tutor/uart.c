/* SPDX-License-Identifier: MIT */
/*
 * The 16550 serial port at COM1. Sending polls, receiving interrupts. Source: PC16550D data sheet,
 * "Registers".
 */
#include "guests/tutor/console.h"
#include "guests/tutor/devices.h"
#include "guests/tutor/io.h"
#include "guests/tutor/trap.h"

#define COM1 0x3F8
#define UART_RBR (COM1 + 0) /* receiver buffer (read) */
#define UART_THR (COM1 + 0) /* transmitter holding (write) */
#define UART_DLL (COM1 + 0) /* divisor low, while LCR_DLAB */
#define UART_IER (COM1 + 1) /* interrupt enable */
#define UART_DLM (COM1 + 1) /* divisor high, while LCR_DLAB */
#define UART_FCR (COM1 + 2) /* FIFO control */
#define UART_LCR (COM1 + 3) /* line control */
#define UART_MCR (COM1 + 4) /* modem control */
#define UART_LSR (COM1 + 5) /* line status */
#define UART_LINE 4

#define IER_RECEIVED 0x01
#define FCR_ENABLE_AND_CLEAR 0x07
#define LCR_8N1 0x03
#define LCR_DLAB 0x80
#define MCR_DTR_RTS 0x03
#define MCR_OUT2 0x08 /* on a PC, the gate between the UART and its interrupt line */
#define LSR_DATA_READY 0x01
#define LSR_THR_EMPTY 0x20

#define DIVISOR_115200 1
#define SEND_POLLS 100000 /* longer than a character takes; then the port is given up as dead */

void uart_init(void)
{
    outb(UART_IER, 0);
    outb(UART_LCR, LCR_DLAB);
    outb(UART_DLL, DIVISOR_115200);
    outb(UART_DLM, 0);
    outb(UART_LCR, LCR_8N1);
    outb(UART_FCR, FCR_ENABLE_AND_CLEAR);
    outb(UART_MCR, MCR_DTR_RTS | MCR_OUT2);
}

void uart_put(char c)
{
    for (unsigned i = 0; i < SEND_POLLS && !(inb(UART_LSR) & LSR_THR_EMPTY); i++)
        ;
    outb(UART_THR, (uint8_t)c);
}

/* The line is edge-triggered: a byte that is left in the FIFO would never interrupt again. */
static void uart_interrupt(void)
{
    while (inb(UART_LSR) & LSR_DATA_READY)
        console_input((char)inb(UART_RBR));
}

void uart_enable_input(void)
{
    trap_set_irq(UART_LINE, uart_interrupt);
    outb(UART_IER, IER_RECEIVED);
}
