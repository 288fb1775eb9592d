/* SPDX-License-Identifier: MIT */
/*
 * The battery clock of PCs, MC146818 and its successors (root mode, at start-up). Firmware keeps
 * it in UTC or in local time; nothing tells which, and UTC is assumed.
 */
#include "kernel/rtc.h"

#include "kernel/log.h"
#include "kernel/time.h"
#include "kernel/x86.h"

#define RTC_INDEX 0x70
#define RTC_DATA 0x71
#define RTC_A 0x0a
#define RTC_A_UIP 0x80 /* the time is changing */
#define RTC_B 0x0b
#define RTC_B_24H 0x02
#define RTC_B_BINARY 0x04
#define RTC_HOUR_PM 0x80
#define TRIES 8u
#define UIP_POLLS 10000u /* an update takes 2 ms, a port access about 1 us */

enum field { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, FIELDS };

static uint64_t start_seconds, start_tsc;

static uint8_t rtc_read(uint8_t reg)
{
    x86_out8(RTC_INDEX, reg);
    return x86_in8(RTC_DATA);
}

static bool read_fields(uint8_t *field)
{
    static const uint8_t regs[FIELDS] = {
        [SECOND] = 0, [MINUTE] = 2, [HOUR] = 4, [DAY] = 7, [MONTH] = 8, [YEAR] = 9,
    };
    unsigned polls = 0;

    while (rtc_read(RTC_A) & RTC_A_UIP) {
        if (++polls == UIP_POLLS)
            return false;
    }
    for (unsigned i = 0; i < FIELDS; i++)
        field[i] = rtc_read(regs[i]);
    return true;
}

/* Two readings that agree: no update came between. */
static bool read_stable(uint8_t *field)
{
    uint8_t again[FIELDS];

    for (unsigned i = 0; i < TRIES; i++) {
        bool same = read_fields(field) && read_fields(again);
        for (unsigned f = 0; same && f < FIELDS; f++)
            same = field[f] == again[f];
        if (same)
            return true;
    }
    return false;
}

static unsigned decode(uint8_t value, uint8_t mode)
{
    return mode & RTC_B_BINARY ? value : (value >> 4) * 10u + (value & 0xfu);
}

static unsigned decode_hour(uint8_t value, uint8_t mode)
{
    if (mode & RTC_B_24H)
        return decode(value, mode);
    return decode(value & (uint8_t)~RTC_HOUR_PM, mode) % 12 + (value & RTC_HOUR_PM ? 12 : 0);
}

/* Days from 1970-01-01; years 2000 to 2099, in which every fourth is a leap year. */
static uint64_t days_to(unsigned year, unsigned month, unsigned day)
{
    static const uint16_t before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    unsigned years = year - 1970;

    return years * 365ull + (years + 1) / 4 + before[month - 1] + (month > 2 && year % 4 == 0) +
           day - 1;
}

void rtc_init(void)
{
    uint8_t field[FIELDS], mode = rtc_read(RTC_B);
    unsigned month, day;

    start_tsc = time_tsc();
    if (!read_stable(field))
        return;
    month = decode(field[MONTH], mode);
    day = decode(field[DAY], mode);
    if (month < 1 || month > 12 || day < 1 || day > 31) {
        log_printf("the battery clock has no date\n");
        return;
    }
    start_seconds = days_to(2000 + decode(field[YEAR], mode) % 100, month, day) * 86400 +
                    decode_hour(field[HOUR], mode) * 3600ull +
                    decode(field[MINUTE], mode) * 60ull + decode(field[SECOND], mode);
}

uint64_t rtc_wallclock(void)
{
    return start_seconds + time_ticks_to_ns(time_tsc() - start_tsc) / NS_PER_SECOND;
}
