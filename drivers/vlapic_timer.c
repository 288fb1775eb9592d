/* SPDX-License-Identifier: MIT */
/*
 * Local APIC timer (root mode). SDM 3A, "APIC Timer", 11.5.4. Its clock is the TSC's: CPUID leaf
 * 15h tells the guest a crystal of the TSC's frequency. Deadlines are guest TSC values;
 * guest TSC = host TSC + vm->tsc_offset.
 */
#include "drivers/vlapic.h"

#include "kernel/time.h"
#include "kernel/vm.h"

#define LVT_TIMER_MODE_SHIFT 17u
#define LVT_TIMER_MODE_MASK 3u
enum timer_mode { TIMER_ONE_SHOT = 0, TIMER_PERIODIC = 1, TIMER_TSC_DEADLINE = 2 };

/* A shorter period would leave the guest no time between two interrupts. */
#define PERIOD_MIN_NS 10000u

static unsigned timer_mode(struct vlapic *apic)
{
    return vlapic_load(apic, LAPIC_LVT_TIMER) >> LVT_TIMER_MODE_SHIFT & LVT_TIMER_MODE_MASK;
}

/* Bits 3, 1 and 0: divide by 2, 4, .. 128, 1. */
static unsigned divide_shift(struct vlapic *apic)
{
    uint32_t value = vlapic_load(apic, LAPIC_TIMER_DIVIDE);

    return (((value & 3) | (value >> 1 & 4)) + 1) & 7;
}

static uint64_t period_ticks(struct vlapic *apic)
{
    uint64_t ticks = (uint64_t)vlapic_load(apic, LAPIC_TIMER_INIT) << divide_shift(apic);

    return timer_mode(apic) == TIMER_PERIODIC ? MAX(ticks, time_ns_to_ticks(PERIOD_MIN_NS)) : ticks;
}

static void fire(struct vlapic *apic)
{
    uint32_t lvt = vlapic_load(apic, LAPIC_LVT_TIMER);

    if (!(lvt & LAPIC_LVT_MASKED))
        vlapic_set_irq(apic, (uint8_t)lvt, false);
}

static void expired(struct vtimer *timer)
{
    struct vlapic *apic = timer->owner;
    uint64_t period;

    apic->tsc_deadline = 0;
    fire(apic);
    if (timer_mode(apic) != TIMER_PERIODIC || !vlapic_load(apic, LAPIC_TIMER_INIT))
        return;
    /* Periods that were missed are one interrupt: IRR holds no more. */
    period = period_ticks(apic);
    apic->timer_start += (time_tsc() - apic->timer_start) / period * period;
    vtimer_set(timer, apic->timer_start + period);
}

void vlapic_timer_init(struct vlapic *apic)
{
    vtimer_init(&apic->timer, apic->vcpu, expired, apic);
    apic->timer.unlocked = true;
}

void vlapic_timer_stop(struct vlapic *apic)
{
    apic->tsc_deadline = 0;
    *vlapic_reg(apic, LAPIC_TIMER_INIT) = 0;
    vtimer_set(&apic->timer, VTIMER_OFF);
}

void vlapic_timer_lvt(struct vlapic *apic, uint32_t lvt)
{
    unsigned before = timer_mode(apic);
    unsigned after = lvt >> LVT_TIMER_MODE_SHIFT & LVT_TIMER_MODE_MASK;

    if (before != after && (before == TIMER_TSC_DEADLINE || after == TIMER_TSC_DEADLINE))
        vlapic_timer_stop(apic);
    *vlapic_reg(apic, LAPIC_LVT_TIMER) = lvt;
}

void vlapic_timer_start(struct vlapic *apic, uint32_t count)
{
    if (timer_mode(apic) == TIMER_TSC_DEADLINE)
        return;
    *vlapic_reg(apic, LAPIC_TIMER_INIT) = count;
    apic->timer_start = time_tsc();
    vtimer_set(&apic->timer, count ? apic->timer_start + period_ticks(apic) : VTIMER_OFF);
}

uint32_t vlapic_timer_count(struct vlapic *apic)
{
    uint64_t initial = vlapic_load(apic, LAPIC_TIMER_INIT);
    uint64_t passed = (time_tsc() - apic->timer_start) >> divide_shift(apic);

    if (!initial)
        return 0;
    if (timer_mode(apic) == TIMER_PERIODIC)
        passed %= initial;
    return passed < initial ? (uint32_t)(initial - passed) : 0;
}

void vlapic_timer_divide(struct vlapic *apic, uint32_t divide)
{
    uint64_t initial = vlapic_load(apic, LAPIC_TIMER_INIT);
    uint64_t counted = initial - vlapic_timer_count(apic);

    *vlapic_reg(apic, LAPIC_TIMER_DIVIDE) = divide;
    if (apic->timer.deadline == VTIMER_OFF || !initial)
        return;
    apic->timer_start = time_tsc() - (counted << divide_shift(apic));
    vtimer_set(&apic->timer, apic->timer_start + period_ticks(apic));
}

void vlapic_deadline_set(struct vlapic *apic, uint64_t guest_tsc)
{
    uint64_t now = time_tsc();
    uint64_t guest_now = now + apic->vcpu->vm->tsc_offset;

    if (timer_mode(apic) != TIMER_TSC_DEADLINE)
        return;
    apic->tsc_deadline = 0;
    if (guest_tsc > guest_now) {
        uint64_t host = now + (guest_tsc - guest_now);
        apic->tsc_deadline = guest_tsc;
        vtimer_set(&apic->timer, host < now ? VTIMER_OFF : host);
        return;
    }
    if (apic->timer.deadline != VTIMER_OFF)
        vtimer_set(&apic->timer, VTIMER_OFF);
    if (guest_tsc)
        fire(apic);
}
