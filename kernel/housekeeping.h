/* SPDX-License-Identifier: MIT */
/* What CPU 0 does besides running guests (root mode). */
#ifndef KERNEL_HOUSEKEEPING_H
#define KERNEL_HOUSEKEEPING_H

#include "kernel/types.h"

/* Start-up is over and the first VMs run: consoles, monitor and reports begin. */
void housekeeping_init(void);

/* One pass: input, output, deadlines of stopping VMs. On CPU 0, at each pass of its scheduler,
 * no lock held. The monitor's commands run in here. */
void housekeeping(void);
/* Host TSC at which the next pass is needed at the latest; VTIMER_OFF: when woken. */
uint64_t housekeeping_deadline(void);

#endif
