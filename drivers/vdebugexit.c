/* SPDX-License-Identifier: MIT */
/*
 * Two ports for test kernels and measurements: the verdict of a guest and time stamps in the log
 * (guests/abi.h). Runs in root mode.
 */
#include "guests/abi.h"
#include "kernel/vdev.h"

/* Other hypervisors' debug-exit port is 32 bits wide, and test kernels use OUT of all sizes. */
#define DEBUGEXIT_PORTS 4
#define DEBUGEXIT_MARK (MULLION_PORT_MARK - MULLION_PORT_DEBUG_EXIT)

static uint64_t debugexit_read(struct vdev *dev, uint64_t offset, unsigned size)
{
    (void)dev, (void)offset, (void)size;
    return ~0ull;
}

static void debugexit_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)
{
    (void)size;
    if (offset == 0)
        vm_exit(dev->vm, (int32_t)value, "debug exit");
    else if (offset == DEBUGEXIT_MARK)
        vm_mark(dev->vm, (uint8_t)value);
}

static int debugexit_init(struct vdev *dev)
{
    return vdev_ports(dev, MULLION_PORT_DEBUG_EXIT, DEBUGEXIT_PORTS, debugexit_read,
                      debugexit_write);
}

static const struct vdev_type vdebugexit = {
    .name = "debug-exit",
    .machines = MACHINE_ANY,
    .init = debugexit_init,
};
VDEV(vdebugexit);
