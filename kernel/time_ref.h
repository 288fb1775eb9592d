/* SPDX-License-Identifier: MIT */
/* Inside of time: the clocks whose rate is known, which the TSC is measured against. */
#ifndef KERNEL_TIME_REF_H
#define KERNEL_TIME_REF_H

#include "boot/bootinfo.h"
#include "kernel/types.h"

struct time_ref {
    const char *name;
    uint64_t hz;
    uint32_t mask;          /* the counter's width; it counts up */
    uint32_t (*read)(void);
};

/* The n-th best clock of this machine, made ready to be read; NULL: there are no more. */
const struct time_ref *time_ref_get(const struct boot_board *board, unsigned n);

/* Ticks of the TSC in a second as measured against *ref; 0: the clock stands still. */
uint64_t time_ref_measure(const struct time_ref *ref);

/* The rate to believe: the one that CPUID claims is exact, but only where it agrees with the
 * measured one within 2% (emulators claim the rate of the CPU that they mimic). 0: unknown. */
uint64_t time_choose_hz(uint64_t measured, uint64_t claimed);

#endif
