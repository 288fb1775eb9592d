/* SPDX-License-Identifier: MIT */
/*
 * The smallest complete device, as a template (root mode): one 8-bit scratch register at port 0xE0
 * of every machine. What is written can be read back, and a counter tells how often that happened.
 *
 * To make a device of your own: copy this file, rename everything that says "null", choose a free
 * port (the monitor's `devices` command lists those in use; a collision fails when a VM is
 * created), and put your registers into the state structure. Nothing else in the tree changes: the
 * build takes every file of this folder, and VDEV() at the end registers the device.
 *
 * All functions here run in root mode with the VM's lock held, on behalf of a guest that may be
 * hostile: whatever offset, size or value it chooses, nothing may break but the guest.
 */
#include <stdio.h>

#include "kernel/vdev.h"

#define NULL_PORT 0xE0
#define NULL_PORTS 1

/* One per VM, zeroed at creation. A device has no other variables, since VMs share this code. */
struct null_state {
    uint8_t scratch;
    uint64_t writes;
};

/* IN. `offset` is below NULL_PORTS; what the device leaves out of `size` bytes reads as ones. */
static uint64_t null_read(struct vdev *dev, uint64_t offset, unsigned size)
{
    const struct null_state *null = dev->state;

    (void)offset, (void)size;
    return ~0xFFull | null->scratch;
}

/* OUT. A device that wanted the guest's attention would call vdev_irq(dev, line, true) here. */
static void null_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct null_state *null = dev->state;

    (void)offset, (void)size;
    null->scratch = (uint8_t)value;
    null->writes++;
}

/* A new VM: claim the ports. An error (a negative errno) refuses the VM. */
static int null_init(struct vdev *dev)
{
    return vdev_ports(dev, NULL_PORT, NULL_PORTS, null_read, null_write);
}

/* For the monitor. */
static void null_describe(struct vdev *dev, char *buffer, size_t size)
{
    const struct null_state *null = dev->state;

    snprintf(buffer, size, "scratch 0x%02x, written %llu times", null->scratch,
             (unsigned long long)null->writes);
}

static const struct vdev_type vnull = {
    .name = "null",
    .machines = MACHINE_ANY,
    .state_size = sizeof(struct null_state),
    .init = null_init,
    .describe = null_describe,
};
VDEV(vnull);
