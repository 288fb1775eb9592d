/* SPDX-License-Identifier: MIT */
/*
 * The physical serial port COM1 (root mode), 115200 8N1. Polled during start-up and in a panic;
 * else output is queued and sent by interrupts, 16 bytes each, so that nobody waits for it.
 * Texas Instruments PC16550D data sheet, 8.0.
 */
#include "kernel/hostcon.h"
#include "kernel/irq.h"
#include "kernel/lock.h"
#include "kernel/x86.h"

#define COM1     0x3f8
#define COM1_IRQ 4u

enum uart_reg {
    RBR = 0,
    THR = 0,
    DLL = 0,
    IER = 1,
    DLM = 1,
    IIR = 2,
    FCR = 2,
    LCR = 3,
    MCR = 4,
    LSR = 5,
    SCR = 7
};
#define IER_RECEIVED         0x01
#define IER_THR_EMPTY        0x02
#define FCR_ENABLE_AND_CLEAR 0x07
#define IIR_NONE             0x01
#define IIR_FIFO             0xc0
#define LCR_8N1              0x03
#define LCR_DLAB             0x80
#define MCR_DTR_RTS_OUT2     0x0b /* OUT2 lets the interrupt through on PCs */
#define LSR_DATA             0x01
#define LSR_THR_EMPTY        0x20
#define DIVISOR_115200       1
#define SCRATCH_PATTERN      0x5a

#define QUEUE_SIZE   32768u  /* a power of two */
#define READY_POLLS  100000u /* a dead UART must not stop us */
#define RECEIVE_MOST 64      /* bytes in one go */
#define CAUSES_MOST  32

static char queue[QUEUE_SIZE];
static uint32_t queue_head, queue_tail;
static struct lock uart_lock = LOCK_INIT(LOCK_RANK_DEVICE, "com1"); /* the queue, the transmitter */
static unsigned fifo_size = 1;
static bool queued; /* interrupts send */

static uint8_t uart_in(enum uart_reg reg)
{
    return x86_in8((uint16_t)(COM1 + reg));
}

static void uart_out(enum uart_reg reg, unsigned value)
{
    x86_out8((uint16_t)(COM1 + reg), (uint8_t)value);
}

static bool uart_probe(void)
{
    uart_out(SCR, SCRATCH_PATTERN);
    if (uart_in(SCR) != SCRATCH_PATTERN)
        return false;
    uart_out(IER, 0);
    uart_out(LCR, LCR_8N1 | LCR_DLAB);
    uart_out(DLL, DIVISOR_115200);
    uart_out(DLM, 0);
    uart_out(LCR, LCR_8N1);
    uart_out(MCR, MCR_DTR_RTS_OUT2);
    uart_out(FCR, FCR_ENABLE_AND_CLEAR);
    if ((uart_in(IIR) & IIR_FIFO) == IIR_FIFO)
        fifo_size = 16;
    return true;
}

static void uart_receive(void)
{
    for (int i = 0; i < RECEIVE_MOST && (uart_in(LSR) & LSR_DATA); i++)
        hostcon_input(uart_in(RBR));
}

static void uart_put_polled(char c)
{
    for (unsigned i = 0; i < READY_POLLS && !(uart_in(LSR) & LSR_THR_EMPTY); i++)
        x86_pause();
    uart_out(THR, (uint8_t)c);
}

/* Fills the transmitter when it is empty; it interrupts when it is empty again. */
static void uart_send(void)
{
    if (queue_head == queue_tail || !(uart_in(LSR) & LSR_THR_EMPTY))
        return;
    for (unsigned i = 0; i < fifo_size && queue_tail != queue_head; i++)
        uart_out(THR, (uint8_t)queue[queue_tail++ % QUEUE_SIZE]);
}

static void uart_enqueue(char c)
{
    while (queue_head - queue_tail == QUEUE_SIZE)
        uart_put_polled(queue[queue_tail++ % QUEUE_SIZE]);
    queue[queue_head++ % QUEUE_SIZE] = c;
}

static void uart_put_all(const char *text, size_t length, void (*put)(char c))
{
    while (length--) {
        if (*text == '\n')
            put('\r');
        put(*text++);
    }
}

static void uart_write(const char *text, size_t length)
{
    if (!queued) {
        uart_put_all(text, length, uart_put_polled);
        return;
    }
    /* Held already: a machine check has interrupted this very function. */
    bool held = lock_held(&uart_lock);
    if (!held)
        lock_acquire(&uart_lock);
    uart_put_all(text, length, uart_enqueue);
    uart_send();
    if (!held)
        lock_release(&uart_lock);
}

/* The interrupt is edge triggered: it comes again only after no cause is left. */
static void uart_interrupt(void *arg)
{
    (void)arg;
    lock_acquire(&uart_lock);
    for (int i = 0; i < CAUSES_MOST && !(uart_in(IIR) & IIR_NONE); i++) {
        uart_receive();
        uart_send();
    }
    lock_release(&uart_lock);
}

static void uart_poll(void)
{
    if (!queued)
        uart_receive();
}

static bool uart_start(void)
{
    if (irq_connect_isa(COM1_IRQ, "com1", uart_interrupt, NULL) < 0)
        return false;
    queued = true;
    uart_out(IER, IER_RECEIVED | IER_THR_EMPTY);
    return true;
}

static void uart_stop(void)
{
    queued = false;
    uart_out(IER, 0);
    while (queue_tail != queue_head)
        uart_put_polled(queue[queue_tail++ % QUEUE_SIZE]);
}

static const struct hostcon uart_console = {
    .name = "com1",
    .early = true,
    .probe = uart_probe,
    .write = uart_write,
    .poll = uart_poll,
    .start = uart_start,
    .stop = uart_stop,
};
SET_ADD(hostcon, uart_console);
