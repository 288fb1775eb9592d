/* SPDX-License-Identifier: MIT */
/* The parts of the battery clock: drivers/vrtc.c and drivers/vrtc_events.c. Runs in root mode. */
#ifndef DRIVERS_VRTC_H
#define DRIVERS_VRTC_H

#include "kernel/vdev.h"

#define RTC_RAM 128

enum rtc_register {
    RTC_SECOND = 0,
    RTC_SECOND_ALARM = 1,
    RTC_MINUTE = 2,
    RTC_MINUTE_ALARM = 3,
    RTC_HOUR = 4,
    RTC_HOUR_ALARM = 5,
    RTC_WEEKDAY = 6,
    RTC_DAY = 7,
    RTC_MONTH = 8,
    RTC_YEAR = 9,
    RTC_A = 10,
    RTC_B = 11,
    RTC_C = 12,
    RTC_D = 13,
    /* CMOS bytes of a PC's firmware; sizes are two bytes, low first. */
    CMOS_EQUIPMENT = 0x14,
    CMOS_BASE_KIB = 0x15,
    CMOS_EXTENDED_KIB = 0x17,
    CMOS_EXTENDED_KIB_FOUND = 0x30,
    CMOS_CENTURY = 0x32,
    CMOS_ABOVE_16M = 0x34, /* in units of 64 KiB */
};

#define A_DV 0x70u
#define A_DV_RESET 0x60u /* and 0x70: the divider stands still */
#define A_RS 0x0Fu
#define B_SET 0x80u
#define B_UIE 0x10u
#define B_DM 0x04u  /* binary, not BCD */
#define B_24H 0x02u
#define C_IRQF 0x80u
#define C_PF 0x40u
#define C_AF 0x20u
#define C_UF 0x10u
#define C_EVENTS (C_PF | C_AF | C_UF) /* their enables in B: the same bits */

#define NS_PER_S 1000000000ull

struct rtc {
    uint8_t index;
    uint8_t ram[RTC_RAM];  /* time registers are filled when they are read */
    bool running;          /* `offset` is known */
    uint64_t offset;       /* wall seconds = guest seconds + this, modulo 2^64 */
    uint64_t last_second;  /* wall time up to which C_UF and C_AF are settled */
    uint64_t last_period;  /* periods up to which C_PF is settled */
    struct vtimer timer;
};

/* vrtc.c: values of registers, in BCD or binary, as register B says. */
unsigned rtc_decode(const struct rtc *rtc, uint8_t value);
unsigned rtc_decode_hour(const struct rtc *rtc, uint8_t value);
/* Seconds since 1970 as the guest has set its clock. */
uint64_t rtc_wall(struct vdev *dev, uint64_t now_ns);

/* vrtc_events.c: settles the flags of register C, the interrupt line and the timer. */
void rtc_update(struct vdev *dev);
/* The rate in register A has changed: periods are counted anew. */
void rtc_rate_changed(struct rtc *rtc, uint64_t now_ns);
void rtc_events_init(struct vdev *dev);

#endif
