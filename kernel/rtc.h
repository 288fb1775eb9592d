/* SPDX-License-Identifier: MIT */
/* The physical machine's date, read once at start-up (root mode). */
#ifndef KERNEL_RTC_H
#define KERNEL_RTC_H

#include "kernel/types.h"

/* Reads the clock; after time_init(). At most a few milliseconds. On the boot CPU. */
void rtc_init(void);
/* Seconds since 1970-01-01 UTC now; from 0 up where there is no clock. */
uint64_t rtc_wallclock(void);

#endif
