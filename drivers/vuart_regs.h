/* SPDX-License-Identifier: MIT */
/* Registers of the 16550A, virtual and physical. Source: National PC16550D data sheet. */
#ifndef DRIVERS_VUART_REGS_H
#define DRIVERS_VUART_REGS_H

enum uart_register {
    UART_DATA = 0, /* RBR, THR; divisor low while LCR_DLAB */
    UART_IER = 1,  /* divisor high while LCR_DLAB */
    UART_IIR = 2,  /* written: FCR */
    UART_LCR = 3,
    UART_MCR = 4,
    UART_LSR = 5,
    UART_MSR = 6,
    UART_SCR = 7,
    UART_REGISTERS = 8,
};

#define IER_ERBFI 0x01 /* received data */
#define IER_ETBEI 0x02 /* transmitter empty */
#define IER_ELSI 0x04  /* line status */
#define IER_EDSSI 0x08 /* modem status */
#define IER_ALL 0x0F

#define IIR_NONE 0x01
#define IIR_LINE 0x06
#define IIR_RECEIVED 0x04
#define IIR_TIMEOUT 0x0C
#define IIR_THRE 0x02
#define IIR_MODEM 0x00
#define IIR_FIFOS 0xC0

#define FCR_ENABLE 0x01
#define FCR_CLEAR_RX 0x02
#define FCR_CLEAR_TX 0x04
#define FCR_TRIGGER_SHIFT 6

#define LCR_DLAB 0x80

#define MCR_DTR 0x01
#define MCR_RTS 0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_ALL 0x1F

#define LSR_DR 0x01
#define LSR_OE 0x02
#define LSR_THRE 0x20
#define LSR_TEMT 0x40

#define MSR_DCTS 0x01
#define MSR_DDSR 0x02
#define MSR_TERI 0x04
#define MSR_DDCD 0x08
#define MSR_CTS 0x10
#define MSR_DSR 0x20
#define MSR_RI 0x40
#define MSR_DCD 0x80
#define MSR_DELTAS 0x0F

#endif
