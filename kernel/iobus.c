/* SPDX-License-Identifier: MIT */
/* The registry of ports and MMIO ranges: a sorted array, searched by halves. Runs in root mode. */
#include "kernel/iobus.h"

#include <errno.h>
#include <string.h>

/* Index of the first range that ends above `address`. */
static uint32_t iobus_position(const struct iobus *bus, uint64_t address)
{
    uint32_t low = 0, high = bus->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct io_range *range = &bus->ranges[middle];

        if (address - range->base < range->size || address < range->base)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

int iobus_add(struct iobus *bus, uint64_t base, uint64_t size, struct vdev *dev, io_read_fn read,
              io_write_fn write)
{
    uint32_t at;

    if (size == 0 || base + (size - 1) < base)
        return -EINVAL;
    if (bus->count >= IOBUS_RANGES_MAX)
        return -ENOSPC;
    at = iobus_position(bus, base);
    if (at < bus->count && bus->ranges[at].base <= base + (size - 1))
        return -EEXIST;
    memmove(&bus->ranges[at + 1], &bus->ranges[at], (bus->count - at) * sizeof(bus->ranges[0]));
    bus->ranges[at] = (struct io_range){
        .base = base, .size = size, .dev = dev, .read = read, .write = write};
    bus->count++;
    return 0;
}

const struct io_range *iobus_search(struct iobus *bus, uint64_t address, unsigned size)
{
    uint32_t at = iobus_position(bus, address);
    const struct io_range *range = &bus->ranges[at];

    if (at >= bus->count || address < range->base)
        return NULL;
    *iobus_hint(bus, address) = (uint8_t)at;
    return size <= range->size - (address - range->base) ? range : NULL;
}
