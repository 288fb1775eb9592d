/* SPDX-License-Identifier: MIT */
/* For the grader's own test: all VMs share one FIFO, and nothing stops a guest at its end. */
#include "kernel/vdev.h"

static uint8_t bytes[17];
static uint32_t used;

static uint64_t fifo_read(struct vdev *dev, uint64_t offset, unsigned size)
{
    (void)dev, (void)size;
    if (offset)
        return used ? 1 : 0;
    return used ? bytes[--used] : 0xFF;
}

static void fifo_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)
{
    (void)dev, (void)size;
    if (!offset)
        bytes[used++] = (uint8_t)value;
}

static int fifo_init(struct vdev *dev)
{
    return vdev_ports(dev, 0xE4, 2, fifo_read, fifo_write);
}

static const struct vdev_type vfifo = {
    .name = "fifo",
    .machines = MACHINE_ANY,
    .init = fifo_init,
};
VDEV(vfifo);
