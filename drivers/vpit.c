/* SPDX-License-Identifier: MIT */
/*
 * The PC's timer: an 8254 at ports 0x40 to 0x43, channel 0 on interrupt 0, and system control
 * port B (0x61) with the gate and output of channel 2. Sources: Intel 8254 data sheet; Intel ICH
 * data sheet, "NMI_SC". Runs in root mode.
 */
#include <stdio.h>

#include "drivers/vpit_channel.h"
#include "kernel/vdev.h"

#define PIT_PORT 0x40
#define PIT_CHANNELS 3
#define PIT_CONTROL 3 /* the fourth port */
#define PIT_GSI 0
#define PIT_HZ 1193182ull
#define NS_PER_S 1000000000ull

/*
 * Interrupts come at most this often: a count of 1 would have us do nothing else. Those between
 * are lost, as they are on a PC that can't follow.
 */
#define PIT_TICKS_MIN 60 /* 50 microseconds */

#define CONTROL_CHANNEL_SHIFT 6
#define CONTROL_READ_BACK 3
#define READ_BACK_NO_COUNT 0x20u
#define READ_BACK_NO_STATUS 0x10u
#define READ_BACK_CHANNEL(n) (2u << (n))

#define PORT_B 0x61
#define PORT_B_GATE2 0x01u
#define PORT_B_WRITABLE 0x0Fu
#define PORT_B_REFRESH 0x10u
#define PORT_B_OUTPUT2 0x20u
#define REFRESH_TICKS 18 /* 15 microseconds */

struct pit {
    struct pit_channel channel[PIT_CHANNELS];
    uint8_t port_b;
    uint64_t interrupts;
    struct vtimer timer;
};

static uint64_t pit_now(struct vdev *dev)
{
    uint64_t ns = vdev_now_ns(dev);

    return ns / NS_PER_S * PIT_HZ + ns % NS_PER_S * PIT_HZ / NS_PER_S;
}

/* Rounded up: at that time the tick has come. */
static uint64_t pit_ns(uint64_t tick)
{
    return tick / PIT_HZ * NS_PER_S + (tick % PIT_HZ * NS_PER_S + PIT_HZ - 1) / PIT_HZ;
}

static void pit_arm(struct vdev *dev, uint64_t now)
{
    struct pit *pit = dev->state;
    uint64_t next = pit_next_rise(&pit->channel[0], now);

    if (next != PIT_NEVER && next < now + PIT_TICKS_MIN) {
        uint64_t later = pit_next_rise(&pit->channel[0], now + PIT_TICKS_MIN);

        next = later == PIT_NEVER ? next : later;
    }
    vtimer_set(&pit->timer, next == PIT_NEVER ? VTIMER_OFF : vdev_tsc_at(dev, pit_ns(next)));
}

/* Both controllers see an edge. Ticks that were missed meanwhile make no further ones. */
static void pit_timer(struct vtimer *timer)
{
    struct vdev *dev = timer->owner;
    struct pit *pit = dev->state;

    pit->interrupts++;
    vdev_irq(dev, PIT_GSI, false);
    vdev_irq(dev, PIT_GSI, true);
    pit_arm(dev, pit_now(dev));
}

/* The output of channel 0 changes with a control word or a count, too. */
static void pit_restart(struct vdev *dev, uint64_t now)
{
    struct pit *pit = dev->state;

    vdev_irq(dev, PIT_GSI, pit_output(&pit->channel[0], now));
    pit_arm(dev, now);
}

static void pit_read_back(struct pit *pit, uint64_t now, uint8_t value)
{
    for (unsigned i = 0; i < PIT_CHANNELS; i++) {
        if (!(value & READ_BACK_CHANNEL(i)))
            continue;
        if (!(value & READ_BACK_NO_COUNT))
            pit_latch_count(&pit->channel[i], now);
        if (!(value & READ_BACK_NO_STATUS))
            pit_latch_status(&pit->channel[i], now);
    }
}

static void pit_write_control(struct vdev *dev, uint64_t now, uint8_t value)
{
    struct pit *pit = dev->state;
    unsigned index = value >> CONTROL_CHANNEL_SHIFT;

    if (index == CONTROL_READ_BACK) {
        pit_read_back(pit, now, value);
        return;
    }
    pit_control(&pit->channel[index], now, value);
    if (index == 0 && pit->channel[0].null_count)
        pit_restart(dev, now);
}

static uint64_t pit_ports_read(struct vdev *dev, uint64_t offset, unsigned size)
{
    struct pit *pit = dev->state;

    (void)size;
    if (offset >= PIT_CONTROL)
        return ~0ull;
    return pit_read(&pit->channel[offset], pit_now(dev));
}

static void pit_ports_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct pit *pit = dev->state;
    uint64_t now = pit_now(dev);

    (void)size;
    if (offset >= PIT_CONTROL) {
        pit_write_control(dev, now, (uint8_t)value);
        return;
    }
    pit_write(&pit->channel[offset], now, (uint8_t)value);
    if (offset == 0)
        pit_restart(dev, now);
}

static uint64_t port_b_read(struct vdev *dev, uint64_t offset, unsigned size)
{
    const struct pit *pit = dev->state;
    uint64_t now = pit_now(dev);

    (void)offset, (void)size;
    return pit->port_b | (now / REFRESH_TICKS % 2 ? PORT_B_REFRESH : 0) |
           (pit_output(&pit->channel[2], now) ? PORT_B_OUTPUT2 : 0);
}

static void port_b_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct pit *pit = dev->state;

    (void)offset, (void)size;
    pit->port_b = (uint8_t)value & PORT_B_WRITABLE;
    pit_gate(&pit->channel[2], pit_now(dev), value & PORT_B_GATE2);
}

static int pit_init(struct vdev *dev)
{
    struct pit *pit = dev->state;
    int error;

    pit->channel[0].gate = pit->channel[1].gate = true;
    vtimer_init(&pit->timer, dev->vm->vcpus[0], pit_timer, dev);
    error = vdev_ports(dev, PIT_PORT, PIT_CHANNELS + 1, pit_ports_read, pit_ports_write);
    if (!error)
        error = vdev_ports(dev, PORT_B, 1, port_b_read, port_b_write);
    return error;
}

static void pit_describe(struct vdev *dev, char *buffer, size_t size)
{
    const struct pit *pit = dev->state;

    snprintf(buffer, size, "channel 0: mode %u, count %u, %llu interrupts; channel 2: mode %u",
             pit->channel[0].mode, (unsigned)pit->channel[0].count,
             (unsigned long long)pit->interrupts, pit->channel[2].mode);
}

static const struct vdev_type vpit = {
    .name = "pit",
    .machines = MACHINE_PC,
    .state_size = sizeof(struct pit),
    .init = pit_init,
    .describe = pit_describe,
};
VDEV(vpit);
