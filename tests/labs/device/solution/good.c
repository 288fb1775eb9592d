/* SPDX-License-Identifier: MIT */
/* For the grader's own test: a device that has all of docs/labs/device.md (root mode). */
#include <stdio.h>

#include "kernel/vdev.h"

#define FIFO_PORT 0xE4
#define FIFO_PORTS 2
#define FIFO_DEPTH 16u
#define FIFO_LINE 10

enum fifo_register { FIFO_DATA, FIFO_STATUS };
#define STATUS_READABLE 0x01u
#define STATUS_FULL 0x02u
#define STATUS_OVERRUN 0x04u
#define COMMAND_CLEAR 0x01u

struct fifo_state {
    uint8_t bytes[FIFO_DEPTH];
    uint32_t head, used;
    bool overrun;
};

static uint64_t fifo_take(struct vdev *dev)
{
    struct fifo_state *fifo = dev->state;
    uint8_t byte;

    if (!fifo->used)
        return ~0ull;
    byte = fifo->bytes[fifo->head];
    fifo->head = (fifo->head + 1) % FIFO_DEPTH;
    if (--fifo->used == 0)
        vdev_irq(dev, FIFO_LINE, false);
    return ~0xFFull | byte;
}

static uint64_t fifo_read(struct vdev *dev, uint64_t offset, unsigned size)
{
    const struct fifo_state *fifo = dev->state;

    (void)size;
    if (offset == FIFO_DATA)
        return fifo_take(dev);
    return ~0xFFull | (fifo->used ? STATUS_READABLE : 0) |
           (fifo->used == FIFO_DEPTH ? STATUS_FULL : 0) | (fifo->overrun ? STATUS_OVERRUN : 0);
}

static void fifo_put(struct vdev *dev, uint8_t byte)
{
    struct fifo_state *fifo = dev->state;

    if (fifo->used == FIFO_DEPTH) {
        fifo->overrun = true;
        return;
    }
    fifo->bytes[(fifo->head + fifo->used) % FIFO_DEPTH] = byte;
    if (fifo->used++ == 0)
        vdev_irq(dev, FIFO_LINE, true);
}

static void fifo_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct fifo_state *fifo = dev->state;

    (void)size;
    if (offset == FIFO_DATA) {
        fifo_put(dev, (uint8_t)value);
        return;
    }
    if (value & COMMAND_CLEAR) {
        fifo->used = 0;
        vdev_irq(dev, FIFO_LINE, false);
    }
    if (value & STATUS_OVERRUN)
        fifo->overrun = false;
}

static int fifo_init(struct vdev *dev)
{
    return vdev_ports(dev, FIFO_PORT, FIFO_PORTS, fifo_read, fifo_write);
}

static void fifo_describe(struct vdev *dev, char *buffer, size_t size)
{
    const struct fifo_state *fifo = dev->state;

    snprintf(buffer, size, "%lu of %u bytes%s", (unsigned long)fifo->used, FIFO_DEPTH,
             fifo->overrun ? ", overrun" : "");
}

static const struct vdev_type vfifo = {
    .name = "fifo",
    .machines = MACHINE_ANY,
    .state_size = sizeof(struct fifo_state),
    .init = fifo_init,
    .describe = fifo_describe,
};
VDEV(vfifo);
