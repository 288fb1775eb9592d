/* SPDX-License-Identifier: MIT */
/* Do all CPUs' TSCs show the same time? Asked once, when each CPU starts (root mode). */
#ifndef KERNEL_TSC_SYNC_H
#define KERNEL_TSC_SYNC_H

#include "kernel/types.h"

/* The boot CPU and the one that it has just started call these at the same time. */
void tsc_sync_lead(void);
void tsc_sync_join(void);

/* The largest step back in time that either saw, in ticks. Guests are told that the TSC is the same
 * everywhere and for ever only where it is 0. */
uint64_t tsc_sync_warp(void);

#endif
