/* SPDX-License-Identifier: MIT */
/* Time as devices see it (root mode): kernel/vdev.h. */
#include "kernel/vdev.h"

#include "kernel/rtc.h"
#include "kernel/time.h"

uint64_t vdev_now_ns(const struct vdev *dev)
{
    return time_ticks_to_ns(time_tsc() + dev->vm->tsc_offset);
}

uint64_t vdev_tsc_at(const struct vdev *dev, uint64_t guest_ns)
{
    uint64_t ticks = time_ns_to_ticks(guest_ns);
    uint64_t start = 0 - dev->vm->tsc_offset; /* host TSC when the guest's was 0 */

    return ticks > VTIMER_OFF - start ? VTIMER_OFF : ticks + start;
}

uint64_t vdev_wallclock(const struct vdev *dev)
{
    (void)dev;
    return rtc_wallclock();
}
