/* SPDX-License-Identifier: MIT */
/*
 * The test of a real machine (root mode, CPU 0; boot option `hwtest`): when all VMs have ended, or
 * after a time limit, a report goes into the log, and then the machine is reset, so that the loader
 * can write it to the ESP (boot/hwtest.c). Without the option nothing of this happens.
 */
#ifndef KERNEL_HWTEST_H
#define KERNEL_HWTEST_H

#include "kernel/types.h"

/* Start-up is over and the VMs run. */
void hwtest_init(void);
/* In each pass of housekeeping, and the host TSC of the next one that is needed. */
void hwtest_check(void);
uint64_t hwtest_deadline(void);

#endif
