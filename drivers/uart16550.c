/* SPDX-License-Identifier: MIT */
/* See drivers/uart16550.h (root mode). */
#include "drivers/uart16550.h"

#include "kernel/x86.h"

#define READY_POLLS     100000u
#define LCR_8N1         0x03
#define DIVISOR_115200  1
#define SCRATCH_PATTERN 0x5a

uint8_t uart_in(uint16_t port, enum uart_register reg)
{
    return x86_in8((uint16_t)(port + reg));
}

void uart_out(uint16_t port, enum uart_register reg, unsigned value)
{
    x86_out8((uint16_t)(port + reg), (uint8_t)value);
}

bool uart_setup(uint16_t port)
{
    uart_out(port, UART_SCR, SCRATCH_PATTERN);
    if (uart_in(port, UART_SCR) != SCRATCH_PATTERN)
        return false;
    uart_out(port, UART_IER, 0);
    uart_out(port, UART_LCR, LCR_8N1 | LCR_DLAB);
    uart_out(port, UART_DATA, DIVISOR_115200);
    uart_out(port, UART_IER, 0);
    uart_out(port, UART_LCR, LCR_8N1);
    uart_out(port, UART_MCR, MCR_DTR | MCR_RTS | MCR_OUT2); /* it lets interrupts through on PCs */
    uart_out(port, UART_IIR, FCR_ENABLE | FCR_CLEAR_RX | FCR_CLEAR_TX);
    return true;
}

void uart_put_polled(uint16_t port, char c)
{
    for (unsigned i = 0; i < READY_POLLS && !(uart_in(port, UART_LSR) & LSR_THRE); i++)
        x86_pause();
    uart_out(port, UART_DATA, (uint8_t)c);
}
