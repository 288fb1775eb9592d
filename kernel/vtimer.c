/* SPDX-License-Identifier: MIT */
/*
 * Timers of a vCPU (root mode). The list is fixed while the VM is built; a deadline is one word,
 * so setting it needs no lock: whoever takes a due deadline out runs the timer.
 */
#include "kernel/lock.h"
#include "kernel/time.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"

void vtimer_init(struct vtimer *timer, struct vcpu *v, void (*fn)(struct vtimer *), void *owner)
{
    timer->deadline = VTIMER_OFF;
    timer->fn = fn;
    timer->owner = owner;
    timer->vcpu = v;
    timer->unlocked = false;
    timer->next = v->timers;
    v->timers = timer;
}

void vtimer_set(struct vtimer *timer, uint64_t deadline)
{
    __atomic_store_n(&timer->deadline, deadline, __ATOMIC_RELEASE);
    vcpu_request(timer->vcpu, VCPU_REQ_TIMER);
}

uint64_t vcpu_next_deadline(const struct vcpu *v)
{
    uint64_t first = VTIMER_OFF;

    if (v->state == VCPU_STOPPED)
        return VTIMER_OFF; /* its devices may be gone already */
    for (const struct vtimer *t = v->timers; t; t = t->next)
        first = MIN(first, __atomic_load_n(&t->deadline, __ATOMIC_RELAXED));
    return first;
}

void vcpu_run_timers(struct vcpu *v)
{
    uint64_t now = time_tsc();

    for (struct vtimer *t = v->timers; t; t = t->next) {
        uint64_t deadline = __atomic_load_n(&t->deadline, __ATOMIC_ACQUIRE);

        if (deadline > now || !__atomic_compare_exchange_n(&t->deadline, &deadline, VTIMER_OFF,
                                                           false, __ATOMIC_ACQ_REL,
                                                           __ATOMIC_RELAXED))
            continue;
        if (likely(t->unlocked)) {
            t->fn(t);
            continue;
        }
        lock_acquire(&v->vm->lock);
        t->fn(t);
        lock_release(&v->vm->lock);
    }
    __atomic_fetch_or(&v->requests, VCPU_REQ_TIMER, __ATOMIC_RELAXED);
}
