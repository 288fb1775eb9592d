/* SPDX-License-Identifier: MIT */
/* The battery clock (Motorola MC146818A, "Time, Calendar and Alarm Locations"). */
#include "guests/tutor/devices.h"
#include "guests/tutor/errno.h"
#include "guests/tutor/io.h"
#include "guests/tutor/string.h"

#define RTC_INDEX 0x70
#define RTC_DATA 0x71

#define RTC_SECONDS 0x00
#define RTC_MINUTES 0x02
#define RTC_HOURS 0x04
#define RTC_DAY 0x07
#define RTC_MONTH 0x08
#define RTC_YEAR 0x09
#define RTC_STATUS_A 0x0A
#define RTC_STATUS_B 0x0B

#define STATUS_A_UPDATING 0x80
#define STATUS_B_24_HOURS 0x02
#define STATUS_B_BINARY 0x04
#define HOURS_PM 0x80
#define CENTURY 2000 /* the chip keeps two digits */

#define READ_TRIES 100
#define UPDATE_POLLS 100000 /* an update takes 2 ms */

static uint8_t rtc_register(uint8_t index)
{
    outb(RTC_INDEX, index);
    return inb(RTC_DATA);
}

static void rtc_read_raw(struct rtc_time *time)
{
    for (unsigned i = 0; i < UPDATE_POLLS && (rtc_register(RTC_STATUS_A) & STATUS_A_UPDATING); i++)
        ;
    time->second = rtc_register(RTC_SECONDS);
    time->minute = rtc_register(RTC_MINUTES);
    time->hour = rtc_register(RTC_HOURS);
    time->day = rtc_register(RTC_DAY);
    time->month = rtc_register(RTC_MONTH);
    time->year = rtc_register(RTC_YEAR);
}

static unsigned from_bcd(unsigned value)
{
    return (value >> 4) * 10 + (value & 0xF);
}

static void rtc_convert(struct rtc_time *time, uint8_t status_b)
{
    bool pm = !(status_b & STATUS_B_24_HOURS) && (time->hour & HOURS_PM);

    if (!(status_b & STATUS_B_24_HOURS))
        time->hour &= ~(unsigned)HOURS_PM;
    if (!(status_b & STATUS_B_BINARY)) {
        time->second = from_bcd(time->second);
        time->minute = from_bcd(time->minute);
        time->hour = from_bcd(time->hour);
        time->day = from_bcd(time->day);
        time->month = from_bcd(time->month);
        time->year = from_bcd(time->year);
    }
    if (!(status_b & STATUS_B_24_HOURS))
        time->hour = time->hour % 12 + (pm ? 12 : 0);
    time->year += CENTURY;
}

/* An update may begin between two registers, so only two equal readings in a row are believed. */
int rtc_read(struct rtc_time *time)
{
    struct rtc_time again;

    rtc_read_raw(time);
    for (unsigned i = 0; i < READ_TRIES; i++) {
        rtc_read_raw(&again);
        if (memcmp(time, &again, sizeof(again)) == 0) {
            rtc_convert(time, rtc_register(RTC_STATUS_B));
            return 0;
        }
        *time = again;
    }
    return -EIO;
}
