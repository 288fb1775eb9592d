/* SPDX-License-Identifier: MIT */
/* Calendar arithmetic of the battery clock, apart from its registers. Runs in root mode. */
#ifndef DRIVERS_VRTC_CALENDAR_H
#define DRIVERS_VRTC_CALENDAR_H

#include "kernel/types.h"

struct calendar {
    unsigned year;   /* with the century */
    unsigned month;  /* 1 to 12 */
    unsigned day;    /* 1 to 31 */
    unsigned weekday; /* 1: Sunday */
    unsigned hour, minute, second;
};

/* From seconds since 1970-01-01; years 1970 and up. */
void calendar_from_seconds(uint64_t seconds, struct calendar *out);
/* The reverse. Any values are taken: those out of range run over into the next unit, a month is
 * brought into range, and dates before 1970 become 1970-01-01. The weekday is ignored. */
uint64_t calendar_to_seconds(const struct calendar *in);

#endif
