/* SPDX-License-Identifier: MIT */
/*
 * The chip set's ways to reset: the reset control register 0xCF9 on every machine, and system
 * control port A (0x92) on the PC. Source: Intel ICH data sheet, "RST_CNT" and "PORT92". A20 is
 * always open: nobody has needed the 8086's wrap-around since. Runs in root mode.
 */
#include "boot/machine.h"
#include "kernel/vdev.h"

#define PORT_A 0x92
#define PORT_A_INIT_NOW 0x01u /* 0 to 1: reset */
#define PORT_A_A20 0x02u

#define RST_CNT_SYS_RST 0x02u /* type of reset; kept */
#define RST_CNT_RST_CPU 0x04u /* 0 to 1: reset */
#define RST_CNT_FULL_RST 0x08u

struct reset {
    uint8_t value;
};

static uint64_t reset_read(struct vdev *dev, uint64_t offset, unsigned size)
{
    const struct reset *reset = dev->state;

    (void)offset, (void)size;
    return reset->value;
}

static void reset_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct reset *reset = dev->state;

    (void)offset, (void)size;
    reset->value = (uint8_t)(value & (RST_CNT_SYS_RST | RST_CNT_FULL_RST));
    if (value & RST_CNT_RST_CPU)
        vm_reset(dev->vm, "reset control register");
}

static int reset_init(struct vdev *dev)
{
    return vdev_ports(dev, MACHINE_RESET_PORT, 1, reset_read, reset_write);
}

static const struct vdev_type vreset = {
    .name = "reset",
    .machines = MACHINE_LINUX | MACHINE_PC,
    .state_size = sizeof(struct reset),
    .init = reset_init,
};
VDEV(vreset);

static uint64_t port_a_read(struct vdev *dev, uint64_t offset, unsigned size)
{
    const struct reset *reset = dev->state;

    (void)offset, (void)size;
    return reset->value | PORT_A_A20;
}

static void port_a_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct reset *reset = dev->state;
    uint8_t before = reset->value;

    (void)offset, (void)size;
    reset->value = (uint8_t)value;
    if (reset->value & (uint8_t)~before & PORT_A_INIT_NOW)
        vm_reset(dev->vm, "system control port A");
}

static int port_a_init(struct vdev *dev)
{
    return vdev_ports(dev, PORT_A, 1, port_a_read, port_a_write);
}

static const struct vdev_type vport_a = {
    .name = "port-a",
    .machines = MACHINE_PC,
    .state_size = sizeof(struct reset),
    .init = port_a_init,
};
VDEV(vport_a);
