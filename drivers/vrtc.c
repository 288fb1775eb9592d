/* SPDX-License-Identifier: MIT */
/*
 * The battery clock and its CMOS memory: ports 0x70 and 0x71, interrupt 8. Source: Motorola
 * MC146818A data sheet, "Register A" to "Register D". The clock is the host's plus what the guest
 * sets; its seconds begin with those of guest time. Runs in root mode.
 */
#include <stdio.h>

#include "boot/machine.h"
#include "drivers/bytewise.h"
#include "drivers/vrtc.h"
#include "drivers/vrtc_calendar.h"

#define RTC_INDEX_MASK 0x7Fu /* bit 7 of the index port masks NMI on a PC; here nothing does */

#define A_UIP 0x80u
#define A_DEFAULT 0x26u /* 32768 Hz crystal, 1024 Hz periodic rate */
#define D_VRT 0x80u
#define HOUR_PM 0x80u
#define EQUIPMENT_FPU 0x02u
#define BASE_KIB 640u
#define EXTENDED_KIB_MAX 0xFC00u /* 63 MiB: what 16 bits and old programs stand */
#define UIP_NS 244000u /* UIP rises this long before an update */

unsigned rtc_decode(const struct rtc *rtc, uint8_t value)
{
    return rtc->ram[RTC_B] & B_DM ? value : (value >> 4) * 10u + (value & 0xFu);
}

static uint8_t rtc_encode(const struct rtc *rtc, unsigned value)
{
    return (uint8_t)(rtc->ram[RTC_B] & B_DM ? value : (value / 10) << 4 | value % 10);
}

unsigned rtc_decode_hour(const struct rtc *rtc, uint8_t value)
{
    if (rtc->ram[RTC_B] & B_24H)
        return rtc_decode(rtc, value);
    return rtc_decode(rtc, value & (uint8_t)~HOUR_PM) % 12 + (value & HOUR_PM ? 12 : 0);
}

static uint8_t rtc_encode_hour(const struct rtc *rtc, unsigned hour)
{
    if (rtc->ram[RTC_B] & B_24H)
        return rtc_encode(rtc, hour);
    return (uint8_t)(rtc_encode(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0));
}

/* The host's clock is asked at first use, since guest time starts after the device is made. */
uint64_t rtc_wall(struct vdev *dev, uint64_t now_ns)
{
    struct rtc *rtc = dev->state;

    if (!rtc->running) {
        rtc->running = true;
        rtc->offset = vdev_wallclock(dev) - now_ns / NS_PER_S;
        rtc->last_second = vdev_wallclock(dev);
    }
    return now_ns / NS_PER_S + rtc->offset;
}

static void rtc_load_time(struct vdev *dev)
{
    struct rtc *rtc = dev->state;
    struct calendar now;

    if (rtc->ram[RTC_B] & B_SET) /* the guest's own values stay until it ends its setting */
        return;
    calendar_from_seconds(rtc_wall(dev, vdev_now_ns(dev)), &now);
    rtc->ram[RTC_SECOND] = rtc_encode(rtc, now.second);
    rtc->ram[RTC_MINUTE] = rtc_encode(rtc, now.minute);
    rtc->ram[RTC_HOUR] = rtc_encode_hour(rtc, now.hour);
    rtc->ram[RTC_WEEKDAY] = rtc_encode(rtc, now.weekday);
    rtc->ram[RTC_DAY] = rtc_encode(rtc, now.day);
    rtc->ram[RTC_MONTH] = rtc_encode(rtc, now.month);
    rtc->ram[RTC_YEAR] = rtc_encode(rtc, now.year % 100);
    rtc->ram[CMOS_CENTURY] = rtc_encode(rtc, now.year / 100);
}

static void rtc_store_time(struct vdev *dev)
{
    struct rtc *rtc = dev->state;
    const struct calendar set = {
        .second = rtc_decode(rtc, rtc->ram[RTC_SECOND]),
        .minute = rtc_decode(rtc, rtc->ram[RTC_MINUTE]),
        .hour = rtc_decode_hour(rtc, rtc->ram[RTC_HOUR]),
        .day = rtc_decode(rtc, rtc->ram[RTC_DAY]),
        .month = rtc_decode(rtc, rtc->ram[RTC_MONTH]),
        .year = rtc_decode(rtc, rtc->ram[CMOS_CENTURY]) * 100 + rtc_decode(rtc, rtc->ram[RTC_YEAR]),
    };

    rtc->running = true;
    rtc->last_second = calendar_to_seconds(&set);
    rtc->offset = rtc->last_second - vdev_now_ns(dev) / NS_PER_S;
}

static bool rtc_is_time(unsigned reg)
{
    return (reg <= RTC_YEAR && reg != RTC_SECOND_ALARM && reg != RTC_MINUTE_ALARM &&
            reg != RTC_HOUR_ALARM) ||
           reg == CMOS_CENTURY;
}

static uint8_t rtc_read_c(struct vdev *dev)
{
    struct rtc *rtc = dev->state;
    uint8_t value;

    rtc_update(dev);
    value = rtc->ram[RTC_C];
    rtc->ram[RTC_C] = 0;
    rtc_update(dev);
    return value;
}

static uint8_t rtc_read_a(struct vdev *dev)
{
    const struct rtc *rtc = dev->state;
    uint64_t rest = NS_PER_S - vdev_now_ns(dev) % NS_PER_S;
    bool updates = !(rtc->ram[RTC_B] & B_SET) && (rtc->ram[RTC_A] & A_DV) < A_DV_RESET;

    return rtc->ram[RTC_A] | (updates && rest <= UIP_NS ? A_UIP : 0);
}

static uint8_t rtc_read(struct vdev *dev, unsigned reg)
{
    struct rtc *rtc = dev->state;

    if (reg == 0) /* the index can't be read back */
        return 0xFF;
    if (rtc_is_time(rtc->index))
        rtc_load_time(dev);
    if (rtc->index == RTC_A)
        return rtc_read_a(dev);
    if (rtc->index == RTC_C)
        return rtc_read_c(dev);
    return rtc->ram[rtc->index];
}

static void rtc_write_a(struct vdev *dev, uint8_t value)
{
    struct rtc *rtc = dev->state;

    rtc_update(dev);
    rtc->ram[RTC_A] = value & (uint8_t)~A_UIP;
    rtc_rate_changed(rtc, vdev_now_ns(dev));
    rtc_update(dev);
}

static void rtc_write_b(struct vdev *dev, uint8_t value)
{
    struct rtc *rtc = dev->state;
    uint8_t before = rtc->ram[RTC_B];

    if (value & B_SET)
        value &= (uint8_t)~B_UIE; /* data sheet, "SET" */
    if (!(before & B_SET) && (value & B_SET))
        rtc_load_time(dev);
    rtc->ram[RTC_B] = value;
    if ((before & B_SET) && !(value & B_SET))
        rtc_store_time(dev);
    rtc_update(dev);
}

static void rtc_write_time(struct vdev *dev, uint8_t value)
{
    struct rtc *rtc = dev->state;

    rtc_load_time(dev);
    rtc->ram[rtc->index] = value;
    if (!(rtc->ram[RTC_B] & B_SET))
        rtc_store_time(dev);
}

static void rtc_write(struct vdev *dev, unsigned reg, uint8_t value)
{
    struct rtc *rtc = dev->state;

    if (reg == 0)
        rtc->index = value & RTC_INDEX_MASK;
    else if (rtc->index == RTC_A)
        rtc_write_a(dev, value);
    else if (rtc->index == RTC_B)
        rtc_write_b(dev, value);
    else if (rtc_is_time(rtc->index))
        rtc_write_time(dev, value);
    else if (rtc->index != RTC_C && rtc->index != RTC_D)
        rtc->ram[rtc->index] = value;
}

BYTEWISE_PORTS(rtc_ports, rtc_read, rtc_write)

static void rtc_put16(struct rtc *rtc, unsigned at, uint64_t value)
{
    rtc->ram[at] = (uint8_t)value;
    rtc->ram[at + 1] = (uint8_t)(value >> 8);
}

/* What a PC's firmware leaves here and old kernels read. */
static void rtc_fill_cmos(struct rtc *rtc, uint64_t memory)
{
    uint64_t above_1m = memory > BIT(20) ? memory - BIT(20) : 0;
    uint64_t above_16m = memory > BIT(24) ? memory - BIT(24) : 0;
    uint64_t extended = MIN(above_1m >> 10, (uint64_t)EXTENDED_KIB_MAX);

    rtc->ram[CMOS_EQUIPMENT] = EQUIPMENT_FPU;
    rtc_put16(rtc, CMOS_BASE_KIB, BASE_KIB);
    rtc_put16(rtc, CMOS_EXTENDED_KIB, extended);
    rtc_put16(rtc, CMOS_EXTENDED_KIB_FOUND, extended);
    rtc_put16(rtc, CMOS_ABOVE_16M, MIN(above_16m >> 16, (uint64_t)0xFFFF));
}

static int rtc_init(struct vdev *dev)
{
    struct rtc *rtc = dev->state;

    rtc->ram[RTC_A] = A_DEFAULT;
    rtc->ram[RTC_B] = B_24H;
    rtc->ram[RTC_D] = D_VRT;
    rtc_fill_cmos(rtc, dev->vm->memory);
    rtc_events_init(dev);
    return vdev_ports(dev, MACHINE_RTC_PORT, MACHINE_RTC_PORTS, rtc_ports_read, rtc_ports_write);
}

static void rtc_describe(struct vdev *dev, char *buffer, size_t size)
{
    const struct rtc *rtc = dev->state;

    snprintf(buffer, size, "A 0x%02x B 0x%02x C 0x%02x", rtc->ram[RTC_A], rtc->ram[RTC_B],
             rtc->ram[RTC_C]);
}

static const struct vdev_type vrtc = {
    .name = "rtc",
    .machines = MACHINE_LINUX | MACHINE_PC,
    .state_size = sizeof(struct rtc),
    .init = rtc_init,
    .describe = rtc_describe,
};
VDEV(vrtc);
