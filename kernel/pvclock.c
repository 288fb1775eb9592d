/* SPDX-License-Identifier: MIT */
/*
 * The paravirtual clock (root mode). The TSC runs at one rate for ever, so a page is written once,
 * when the guest names it, and marked stable where CPUs agree: reading the time then needs no exit.
 * Source: Linux, Documentation/virt/kvm/x86/msr.rst.
 */
#include "kernel/pvclock.h"

#include <errno.h>

#include "kernel/gmem.h"
#include "kernel/time.h"
#include "kernel/tsc_sync.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"

struct wall_clock {
    uint32_t version; /* odd while it is written */
    uint32_t sec;
    uint32_t nsec;
};

struct system_time {
    uint32_t version;
    uint32_t pad0;
    uint64_t tsc_timestamp;
    uint64_t system_time; /* ns at tsc_timestamp */
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags;
    uint8_t pad[2];
};
_Static_assert(sizeof(struct system_time) == 32, "ABI");

#define FLAG_TSC_STABLE 1u
#define SYSTEM_TIME_ENABLE 1u
#define FIRST_VERSION 2u

/* ns = (ticks << shift) * mul >> 32, with mul in [2^31, 2^32). */
static void scale(uint64_t hz, uint32_t *mul, int8_t *shift)
{
    uint64_t ns = NS_PER_SECOND;
    int8_t by = 0;

    while (hz > ns * 2) {
        hz >>= 1;
        by--;
    }
    while (hz <= ns) {
        hz <<= 1;
        by++;
    }
    *mul = (uint32_t)((ns << 32) / hz);
    *shift = by;
}

int pvclock_write_system(struct vcpu *v, uint32_t msr, uint64_t value)
{
    gpa_t gpa = value & ~(uint64_t)SYSTEM_TIME_ENABLE;
    struct system_time page = {
        .version = FIRST_VERSION,
        .flags = (uint8_t)(tsc_sync_warp() ? 0 : FLAG_TSC_STABLE),
    };

    (void)msr;
    if (!(value & SYSTEM_TIME_ENABLE))
        return 0;
    if (gpa & 3)
        return -EINVAL;
    /* the guest's TSC started at 0 with its time, so the line goes through the origin */
    scale(time_tsc_hz(), &page.tsc_to_system_mul, &page.tsc_shift);
    return gmem_write(v->vm, gpa, &page, sizeof(page)) ? -EINVAL : 0;
}

int pvclock_write_wall(struct vcpu *v, uint32_t msr, uint64_t value)
{
    /* the time of day when the guest's clock was 0 */
    struct wall_clock page = {
        .version = FIRST_VERSION,
        .sec = (uint32_t)vm_boot_wallclock(v->vm),
    };

    (void)msr;
    if (value & 3)
        return -EINVAL;
    return gmem_write(v->vm, value, &page, sizeof(page)) ? -EINVAL : 0;
}
