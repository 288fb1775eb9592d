/* SPDX-License-Identifier: MIT */
/*
 * Days and dates of the Gregorian calendar. Years are counted from March, so that the leap day is
 * the last of a year and month lengths follow a linear rule. Runs in root mode.
 */
#include "drivers/vrtc_calendar.h"

#define DAY_SECONDS 86400u
#define ERA_YEARS 400u
#define ERA_DAYS 146097u       /* of 400 years */
#define EPOCH_DAYS 719468u     /* 0000-03-01 to 1970-01-01 */
#define EPOCH_WEEKDAY 4u       /* days since Sunday of 1970-01-01 */
#define MARCH_TO_MONTH(m) ((m) < 10 ? (m) + 3 : (m) - 9)
#define MONTH_TO_MARCH(m) ((m) > 2 ? (m) - 3 : (m) + 9)

void calendar_from_seconds(uint64_t seconds, struct calendar *out)
{
    uint64_t days = seconds / DAY_SECONDS + EPOCH_DAYS;
    unsigned in_day = (unsigned)(seconds % DAY_SECONDS);
    uint64_t era = days / ERA_DAYS;
    unsigned in_era = (unsigned)(days % ERA_DAYS);
    unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * in_year + 2) / 153; /* 0: March */

    out->day = in_year - (153 * month + 2) / 5 + 1;
    out->month = MARCH_TO_MONTH(month);
    out->year = (unsigned)(era * ERA_YEARS) + year + (out->month <= 2);
    out->weekday = (unsigned)((seconds / DAY_SECONDS + EPOCH_WEEKDAY) % 7) + 1;
    out->hour = in_day / 3600;
    out->minute = in_day / 60 % 60;
    out->second = in_day % 60;
}

uint64_t calendar_to_seconds(const struct calendar *in)
{
    unsigned month = in->month ? (in->month - 1) % 12 + 1 : 1;
    unsigned year = in->year - (month <= 2 && in->year);
    unsigned in_era = year % ERA_YEARS;
    unsigned in_year = (153 * MONTH_TO_MARCH(month) + 2) / 5 + (in->day ? in->day - 1 : 0);
    uint64_t days = (uint64_t)(year / ERA_YEARS) * ERA_DAYS + 365ull * in_era + in_era / 4 -
                    in_era / 100 + in_year;

    if (days < EPOCH_DAYS)
        return 0;
    return (days - EPOCH_DAYS) * DAY_SECONDS + in->hour * 3600ull + in->minute * 60ull + in->second;
}
