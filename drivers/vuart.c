/* SPDX-License-Identifier: MIT */
/*
 * The serial port: a 16550A at 0x3F8, interrupt 4. Source: National PC16550D data sheet,
 * "Registers" and "FIFO Operation". A byte goes to the console at once, so the transmitter is
 * always empty; the baud rate is stored and means nothing. Runs in root mode.
 */
#include <stdio.h>

#include "boot/machine.h"
#include "drivers/bytewise.h"
#include "drivers/vuart_regs.h"
#include "kernel/vdev.h"

#define UART_FIFO 16

struct uart {
    uint8_t ier, lcr, mcr, scr, dll, dlm;
    uint8_t modem;        /* MSR: lines and deltas */
    bool fifo;            /* FCR_ENABLE */
    uint8_t trigger;      /* bytes for an IIR_RECEIVED; 1 without FIFO */
    bool thre_pending;    /* transmitter became empty and nobody has been told */
    bool overrun;         /* LSR_OE */
    bool refused;         /* the console waits for room */
    uint8_t head, count;  /* received bytes */
    uint8_t rx[UART_FIFO];
    uint64_t sent, received;
};

static const uint8_t uart_triggers[] = {1, 4, 8, 14};

static unsigned uart_capacity(const struct uart *uart)
{
    return uart->fifo ? UART_FIFO : 1;
}

/*
 * The interrupt of highest priority. A real FIFO reports fewer bytes than the trigger level after
 * four characters of silence. Here bytes come in bursts, all at once, so it is silent at once.
 */
static uint8_t uart_cause(const struct uart *uart)
{
    if ((uart->ier & IER_ELSI) && uart->overrun)
        return IIR_LINE;
    if ((uart->ier & IER_ERBFI) && uart->count)
        return uart->count >= uart->trigger ? IIR_RECEIVED : IIR_TIMEOUT;
    if ((uart->ier & IER_ETBEI) && uart->thre_pending)
        return IIR_THRE;
    if ((uart->ier & IER_EDSSI) && (uart->modem & MSR_DELTAS))
        return IIR_MODEM;
    return IIR_NONE;
}

/* On a PC OUT2 gates the interrupt line; loopback disconnects that pin. */
static void uart_update(struct vdev *dev)
{
    const struct uart *uart = dev->state;
    bool gate = (uart->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;

    vdev_irq(dev, MACHINE_GSI_COM1, gate && uart_cause(uart) != IIR_NONE);
}

static bool uart_push(struct uart *uart, uint8_t byte)
{
    if (uart->count >= uart_capacity(uart))
        return false;
    uart->rx[(uart->head + uart->count) % UART_FIFO] = byte;
    uart->count++;
    uart->received++;
    return true;
}

/* From the console: what the user types. In loopback the receiver is cut off from the line. */
static bool uart_input(struct vdev *dev, uint8_t byte)
{
    struct uart *uart = dev->state;

    if ((uart->mcr & MCR_LOOP) || !uart_push(uart, byte)) {
        uart->refused = true;
        return false;
    }
    uart_update(dev);
    return true;
}

/* Asks the console for more once all is read, so that it comes in bursts. */
static void uart_ask(struct vdev *dev)
{
    struct uart *uart = dev->state;

    if (!uart->refused || uart->count || (uart->mcr & MCR_LOOP))
        return;
    uart->refused = false;
    vdev_console_ready(dev);
}

static uint8_t uart_receive(struct vdev *dev)
{
    struct uart *uart = dev->state;
    uint8_t byte = 0;

    if (uart->count) {
        byte = uart->rx[uart->head];
        uart->head = (uint8_t)((uart->head + 1) % UART_FIFO);
        uart->count--;
    }
    uart_update(dev);
    uart_ask(dev);
    return byte;
}

static void uart_send(struct vdev *dev, uint8_t byte)
{
    struct uart *uart = dev->state;

    if (uart->mcr & MCR_LOOP) {
        if (!uart_push(uart, byte))
            uart->overrun = true;
    } else {
        vdev_console_put(dev, byte);
        uart->sent++;
    }
    uart->thre_pending = true;
    uart_update(dev);
}

static uint8_t uart_read_iir(struct vdev *dev)
{
    struct uart *uart = dev->state;
    uint8_t cause = uart_cause(uart);

    if (cause == IIR_THRE) { /* reading IIR clears this source, and only this one */
        uart->thre_pending = false;
        uart_update(dev);
    }
    return cause | (uart->fifo ? IIR_FIFOS : 0);
}

static uint8_t uart_read_lsr(struct vdev *dev)
{
    struct uart *uart = dev->state;
    uint8_t lsr = LSR_THRE | LSR_TEMT;

    lsr |= uart->count ? LSR_DR : 0;
    lsr |= uart->overrun ? LSR_OE : 0;
    uart->overrun = false;
    uart_update(dev);
    return lsr;
}

/* The other end is always there and ready; in loopback our own outputs come back. */
static uint8_t uart_modem_lines(const struct uart *uart)
{
    if (!(uart->mcr & MCR_LOOP))
        return MSR_CTS | MSR_DSR | MSR_DCD;
    return (uint8_t)((uart->mcr & MCR_RTS ? MSR_CTS : 0) | (uart->mcr & MCR_DTR ? MSR_DSR : 0) |
                     (uart->mcr & MCR_OUT1 ? MSR_RI : 0) | (uart->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

static uint8_t uart_read_msr(struct vdev *dev)
{
    struct uart *uart = dev->state;
    uint8_t value = uart->modem;

    uart->modem &= (uint8_t)~MSR_DELTAS;
    uart_update(dev);
    return value;
}

static void uart_write_mcr(struct vdev *dev, uint8_t value)
{
    struct uart *uart = dev->state;
    uint8_t before = uart->modem, lines, changed;

    uart->mcr = value & MCR_ALL;
    lines = uart_modem_lines(uart);
    changed = (before ^ lines) & (uint8_t)~MSR_DELTAS;
    uart->modem = (uint8_t)(lines | (before & MSR_DELTAS));
    uart->modem |= changed & MSR_CTS ? MSR_DCTS : 0;
    uart->modem |= changed & MSR_DSR ? MSR_DDSR : 0;
    uart->modem |= (changed & before & MSR_RI) ? MSR_TERI : 0; /* trailing edge only */
    uart->modem |= changed & MSR_DCD ? MSR_DDCD : 0;
    uart_update(dev);
    uart_ask(dev);
}

/* The transmitter is empty, so enabling its interrupt raises it: drivers probe for that. */
static void uart_write_ier(struct vdev *dev, uint8_t value)
{
    struct uart *uart = dev->state;

    if ((value & IER_ETBEI) && !(uart->ier & IER_ETBEI))
        uart->thre_pending = true;
    uart->ier = value & IER_ALL;
    uart_update(dev);
}

static void uart_write_fcr(struct vdev *dev, uint8_t value)
{
    struct uart *uart = dev->state;
    bool fifo = value & FCR_ENABLE;

    if (fifo != uart->fifo || (fifo && (value & FCR_CLEAR_RX)))
        uart->count = 0;
    uart->fifo = fifo;
    uart->trigger = fifo ? uart_triggers[value >> FCR_TRIGGER_SHIFT] : 1;
    uart_update(dev);
    uart_ask(dev);
}

static uint8_t uart_read(struct vdev *dev, unsigned reg)
{
    const struct uart *uart = dev->state;
    bool divisor = uart->lcr & LCR_DLAB;

    switch ((enum uart_register)reg) {
    case UART_DATA:
        return divisor ? uart->dll : uart_receive(dev);
    case UART_IER:
        return divisor ? uart->dlm : uart->ier;
    case UART_IIR:
        return uart_read_iir(dev);
    case UART_LCR:
        return uart->lcr;
    case UART_MCR:
        return uart->mcr;
    case UART_LSR:
        return uart_read_lsr(dev);
    case UART_MSR:
        return uart_read_msr(dev);
    case UART_SCR:
        return uart->scr;
    case UART_REGISTERS:
        break;
    }
    return 0xFF;
}

static void uart_write(struct vdev *dev, unsigned reg, uint8_t value)
{
    struct uart *uart = dev->state;
    bool divisor = uart->lcr & LCR_DLAB;

    if (reg == UART_DATA && divisor)
        uart->dll = value;
    else if (reg == UART_DATA)
        uart_send(dev, value);
    else if (reg == UART_IER && divisor)
        uart->dlm = value;
    else if (reg == UART_IER)
        uart_write_ier(dev, value);
    else if (reg == UART_IIR)
        uart_write_fcr(dev, value);
    else if (reg == UART_LCR)
        uart->lcr = value;
    else if (reg == UART_MCR)
        uart_write_mcr(dev, value);
    else if (reg == UART_SCR)
        uart->scr = value;
}

BYTEWISE_PORTS(uart_ports, uart_read, uart_write)

static int uart_init(struct vdev *dev)
{
    struct uart *uart = dev->state;

    uart->trigger = 1;
    uart->dll = 1; /* 115200 baud */
    uart->modem = uart_modem_lines(uart);
    vdev_console_attach(dev, uart_input);
    return vdev_ports(dev, MACHINE_COM1_PORT, MACHINE_COM1_PORTS, uart_ports_read,
                      uart_ports_write);
}

static void uart_describe(struct vdev *dev, char *buffer, size_t size)
{
    const struct uart *uart = dev->state;

    snprintf(buffer, size, "sent %llu, received %llu, waiting %u, IER 0x%02x, MCR 0x%02x",
             (unsigned long long)uart->sent, (unsigned long long)uart->received, uart->count,
             uart->ier, uart->mcr);
}

static const struct vdev_type vuart = {
    .name = "uart",
    .machines = MACHINE_ANY,
    .state_size = sizeof(struct uart),
    .init = uart_init,
    .describe = uart_describe,
};
VDEV(vuart);
