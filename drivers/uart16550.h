/* SPDX-License-Identifier: MIT */
/*
 * Physical serial ports of the 16550 kind, 115200 8N1: what drivers/uart_com1.c and uart_com2.c
 * share (root mode). Texas Instruments PC16550D data sheet, 8.0.
 */
#ifndef DRIVERS_UART16550_H
#define DRIVERS_UART16550_H

#include "drivers/vuart_regs.h"
#include "kernel/types.h"

uint8_t uart_in(uint16_t port, enum uart_register reg);
void uart_out(uint16_t port, enum uart_register reg, unsigned value);
/* Sets a port up, interrupts off; false: nothing is there. */
bool uart_setup(uint16_t port);
/* Waits for room, but not for ever: a dead UART must not stop us. */
void uart_put_polled(uint16_t port, char c);

#endif
