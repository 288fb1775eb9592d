/* SPDX-License-Identifier: MIT */
/*
 * Wide accesses to devices with 8-bit registers. The ISA bus splits them into byte cycles at
 * rising addresses: guests rely on it (OUT of a word to 0x3D4 sets index and data). Root mode.
 */
#ifndef DRIVERS_BYTEWISE_H
#define DRIVERS_BYTEWISE_H

#include "kernel/types.h"

struct vdev;

static inline uint64_t bytewise_read(struct vdev *dev, uint64_t offset, unsigned size,
                                     uint8_t (*read)(struct vdev *dev, unsigned reg))
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)read(dev, (unsigned)offset + i) << (8 * i);
    return value;
}

static inline void bytewise_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value,
                                  void (*write)(struct vdev *dev, unsigned reg, uint8_t byte))
{
    for (unsigned i = 0; i < size; i++)
        write(dev, (unsigned)offset + i, (uint8_t)(value >> (8 * i)));
}

/* Defines NAME_read and NAME_write for vdev_ports() over functions that take one register. */
#define BYTEWISE_PORTS(name, read, write)                                                          \
    static uint64_t name##_read(struct vdev *dev, uint64_t offset, unsigned size)                  \
    {                                                                                              \
        return bytewise_read(dev, offset, size, read);                                             \
    }                                                                                              \
    static void name##_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)     \
    {                                                                                              \
        bytewise_write(dev, offset, size, value, write);                                           \
    }

#endif
