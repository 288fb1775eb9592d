/* SPDX-License-Identifier: MIT */
/*
 * The battery clock's periodic, alarm and update interrupts. Source: Motorola MC146818A data sheet,
 * "Interrupts". Flags are computed from guest time when somebody looks; the timer only runs for
 * those that shall interrupt. Runs in root mode.
 */
#include "boot/machine.h"
#include "drivers/vrtc.h"

#define ALARM_ANY 0xC0u
#define CRYSTAL_SHIFT 15 /* 32768 Hz */
#define DAY_SECONDS 86400u

/* Log2 of the crystal's cycles in a period; 0: no periodic interrupt. Data sheet, table 5. */
static unsigned rtc_period_shift(const struct rtc *rtc)
{
    unsigned rate = rtc->ram[RTC_A] & A_RS;

    if (rate == 0 || (rtc->ram[RTC_A] & A_DV) >= A_DV_RESET)
        return 0;
    return rate <= 2 ? rate + 6 : rate - 1; /* the two fastest codes repeat slower rates */
}

static uint64_t rtc_periods(const struct rtc *rtc, uint64_t now_ns)
{
    unsigned shift = rtc_period_shift(rtc);
    uint64_t cycles = now_ns / NS_PER_S << CRYSTAL_SHIFT;

    cycles += (now_ns % NS_PER_S << CRYSTAL_SHIFT) / NS_PER_S;
    return shift ? cycles >> shift : 0;
}

static uint64_t rtc_next_period_ns(const struct rtc *rtc, uint64_t now_ns)
{
    uint64_t cycles = (rtc_periods(rtc, now_ns) + 1) << rtc_period_shift(rtc);
    uint64_t rest = cycles & (BIT(CRYSTAL_SHIFT) - 1);

    return (cycles >> CRYSTAL_SHIFT) * NS_PER_S + (rest * NS_PER_S >> CRYSTAL_SHIFT) + 1;
}

static bool rtc_alarm_matches(const struct rtc *rtc, uint64_t second)
{
    uint8_t s = rtc->ram[RTC_SECOND_ALARM], m = rtc->ram[RTC_MINUTE_ALARM];
    uint8_t h = rtc->ram[RTC_HOUR_ALARM];
    unsigned in_day = (unsigned)(second % DAY_SECONDS);

    return ((s & ALARM_ANY) == ALARM_ANY || rtc_decode(rtc, s) == in_day % 60) &&
           ((m & ALARM_ANY) == ALARM_ANY || rtc_decode(rtc, m) == in_day / 60 % 60) &&
           ((h & ALARM_ANY) == ALARM_ANY || rtc_decode_hour(rtc, h) == in_day / 3600);
}

/* Each second of real time is looked at once at most, and never more than a day of them. */
static bool rtc_alarm_between(const struct rtc *rtc, uint64_t after, uint64_t until)
{
    uint64_t count = MIN(until - after, (uint64_t)DAY_SECONDS);

    for (uint64_t i = 0; i < count; i++)
        if (rtc_alarm_matches(rtc, until - i))
            return true;
    return false;
}

/* Sets the flags of register C for all that has happened until now. */
static void rtc_advance(struct vdev *dev, uint64_t now_ns)
{
    struct rtc *rtc = dev->state;
    uint64_t wall = rtc_wall(dev, now_ns), periods = rtc_periods(rtc, now_ns);

    if (periods != rtc->last_period)
        rtc->ram[RTC_C] |= C_PF;
    rtc->last_period = periods;
    if (wall > rtc->last_second && !(rtc->ram[RTC_B] & B_SET)) {
        rtc->ram[RTC_C] |= C_UF;
        if (!(rtc->ram[RTC_C] & C_AF) && rtc_alarm_between(rtc, rtc->last_second, wall))
            rtc->ram[RTC_C] |= C_AF;
    }
    rtc->last_second = wall;
}

/* When the next flag rises that is enabled and not yet up: a flag that waits needs no timer. */
static void rtc_arm(struct vdev *dev, uint64_t now_ns)
{
    struct rtc *rtc = dev->state;
    uint8_t wanted = rtc->ram[RTC_B] & (uint8_t)~rtc->ram[RTC_C];
    uint64_t next = ~0ull;

    if ((wanted & (C_UF | C_AF)) && !(rtc->ram[RTC_B] & B_SET))
        next = (now_ns / NS_PER_S + 1) * NS_PER_S;
    if ((wanted & C_PF) && rtc_period_shift(rtc))
        next = MIN(next, rtc_next_period_ns(rtc, now_ns));
    vtimer_set(&rtc->timer, next == ~0ull ? VTIMER_OFF : vdev_tsc_at(dev, next));
}

void rtc_update(struct vdev *dev)
{
    struct rtc *rtc = dev->state;
    uint64_t now_ns = vdev_now_ns(dev);

    rtc_advance(dev, now_ns);
    if (rtc->ram[RTC_C] & rtc->ram[RTC_B] & C_EVENTS)
        rtc->ram[RTC_C] |= C_IRQF;
    else
        rtc->ram[RTC_C] &= (uint8_t)~C_IRQF;
    vdev_irq(dev, MACHINE_GSI_RTC, rtc->ram[RTC_C] & C_IRQF);
    rtc_arm(dev, now_ns);
}

static void rtc_timer(struct vtimer *timer)
{
    rtc_update(timer->owner);
}

void rtc_rate_changed(struct rtc *rtc, uint64_t now_ns)
{
    rtc->last_period = rtc_periods(rtc, now_ns);
}

void rtc_events_init(struct vdev *dev)
{
    struct rtc *rtc = dev->state;

    vtimer_init(&rtc->timer, dev->vm->vcpus[0], rtc_timer, dev);
}
