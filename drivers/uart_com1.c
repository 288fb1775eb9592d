/* SPDX-License-Identifier: MIT */
/*
 * The physical serial port COM1, a text device (root mode). Polled during start-up and in a panic;
 * else output is queued and sent by interrupts, 16 bytes each, so that nobody waits for it.
 */
#include "drivers/uart16550.h"
#include "kernel/hostcon.h"
#include "kernel/irq.h"
#include "kernel/lock.h"
#include "kernel/x86.h"

#define COM1     0x3f8
#define COM1_IRQ 4u

#define QUEUE_SIZE   32768u  /* a power of two */
#define RECEIVE_MOST 64      /* bytes in one go */
#define CAUSES_MOST  32

static char queue[QUEUE_SIZE];
static uint32_t queue_head, queue_tail;
static struct lock com1_lock = LOCK_INIT(LOCK_RANK_DEVICE, "com1"); /* the queue, the transmitter */
static unsigned fifo_size = 1;
static bool queued; /* interrupts send */

static bool com1_probe(void)
{
    if (!uart_setup(COM1))
        return false;
    if ((uart_in(COM1, UART_IIR) & IIR_FIFOS) == IIR_FIFOS)
        fifo_size = 16;
    return true;
}

static void com1_receive(void)
{
    for (int i = 0; i < RECEIVE_MOST && (uart_in(COM1, UART_LSR) & LSR_DR); i++)
        hostcon_input(uart_in(COM1, UART_DATA));
}

static void com1_put(char c)
{
    uart_put_polled(COM1, c);
}

/* Fills the transmitter when it is empty; it interrupts when it is empty again. */
static void com1_send(void)
{
    if (queue_head == queue_tail || !(uart_in(COM1, UART_LSR) & LSR_THRE))
        return;
    for (unsigned i = 0; i < fifo_size && queue_tail != queue_head; i++)
        uart_out(COM1, UART_DATA, (uint8_t)queue[queue_tail++ % QUEUE_SIZE]);
}

static void com1_enqueue(char c)
{
    while (queue_head - queue_tail == QUEUE_SIZE)
        com1_put(queue[queue_tail++ % QUEUE_SIZE]);
    queue[queue_head++ % QUEUE_SIZE] = c;
}

static void com1_put_all(const char *text, size_t length, void (*put)(char c))
{
    while (length--) {
        if (*text == '\n')
            put('\r');
        put(*text++);
    }
}

static void com1_write(const char *text, size_t length)
{
    if (!queued) {
        com1_put_all(text, length, com1_put);
        return;
    }
    lock_acquire(&com1_lock);
    com1_put_all(text, length, com1_enqueue);
    com1_send();
    lock_release(&com1_lock);
}

/* The interrupt is edge triggered: it comes again only after no cause is left. */
static void com1_interrupt(void *arg)
{
    (void)arg;
    lock_acquire(&com1_lock);
    for (int i = 0; i < CAUSES_MOST && !(uart_in(COM1, UART_IIR) & IIR_NONE); i++) {
        com1_receive();
        com1_send();
    }
    lock_release(&com1_lock);
}

static void com1_poll(void)
{
    if (!queued)
        com1_receive();
}

static bool com1_start(void)
{
    if (irq_connect_isa(COM1_IRQ, "com1", com1_interrupt, NULL) < 0)
        return false;
    queued = true;
    uart_out(COM1, UART_IER, IER_ERBFI | IER_ETBEI);
    return true;
}

static void com1_stop(void)
{
    queued = false;
    uart_out(COM1, UART_IER, 0);
    while (queue_tail != queue_head)
        com1_put(queue[queue_tail++ % QUEUE_SIZE]);
}

static const struct hostcon com1_console = {
    .name = "com1",
    .early = true,
    .probe = com1_probe,
    .write = com1_write,
    .poll = com1_poll,
    .start = com1_start,
    .stop = com1_stop,
};
SET_ADD(hostcon, com1_console);
