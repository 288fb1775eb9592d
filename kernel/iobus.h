/* SPDX-License-Identifier: MIT */
/* One registry for ports and for MMIO: ranges of a VM and the device behind each. */
#ifndef KERNEL_IOBUS_H
#define KERNEL_IOBUS_H

#include "kernel/types.h"

struct vdev;

/* `offset` counts from the start of the range; size is 1, 2, 4 or 8 bytes and never crosses the
 * range's end. Called with the VM's lock held. A read that has no meaning gives all ones. */
typedef uint64_t (*io_read_fn)(struct vdev *dev, uint64_t offset, unsigned size);
typedef void (*io_write_fn)(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value);

struct io_range {
    uint64_t base, size;
    struct vdev *dev;
    io_read_fn read;
    io_write_fn write;
};

#define IOBUS_RANGES_MAX 48 /* an index fits a hint */

#define IOBUS_HINTS 64u

struct iobus {
    uint32_t count;
    uint8_t hints[IOBUS_HINTS]; /* the range that such an address was in last; any CPU */
    struct io_range ranges[IOBUS_RANGES_MAX]; /* sorted by base */
};

/* -EEXIST: overlaps another; -ENOSPC; -EINVAL: size 0 or wraps. */
int iobus_add(struct iobus *bus, uint64_t base, uint64_t size, struct vdev *dev, io_read_fn read,
              io_write_fn write);
/* The range that holds [address, address + size) completely, or NULL. */
const struct io_range *iobus_search(struct iobus *bus, uint64_t address, unsigned size);

static inline uint8_t *iobus_hint(struct iobus *bus, uint64_t address)
{
    return &bus->hints[address % IOBUS_HINTS];
}

/* The same, mostly without a search. */
static inline const struct io_range *iobus_find(struct iobus *bus, uint64_t address, unsigned size)
{
    const struct io_range *range = &bus->ranges[*iobus_hint(bus, address)];
    uint64_t offset = address - range->base;

    return likely(offset < range->size && size <= range->size - offset)
               ? range
               : iobus_search(bus, address, size);
}

#endif
