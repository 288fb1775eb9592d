/* SPDX-License-Identifier: MIT */
/* The scheduler of each physical CPU: round robin with a time slice (root mode). */
#include "kernel/sched.h"

#include "kernel/backend.h"
#include "kernel/cpu.h"
#include "kernel/guest_state.h"
#include "kernel/housekeeping.h"
#include "kernel/log.h"
#include "kernel/mitigate.h"
#include "kernel/page.h"
#include "kernel/time.h"
#include "kernel/trap.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

#define SLICE_NS 10000000ull /* 10 ms */

/* One CPU's queue: only that CPU walks and changes it; `count` is read by sched_place. */
struct sched {
    struct vcpu *head; /* ring by sched_next; head is the next to run */
    uint32_t count;
    bool reserved;     /* for the one VM of the manifest that lists this CPU */
    uint64_t last;     /* serial of the VM whose secrets may be in the CPU; 0: none; SEVERAL */
};
#define SEVERAL (~0ull)
static struct sched queues[CPU_MAX];

static struct sched *own_queue(void)
{
    return &queues[this_cpu()->index];
}

void sched_add(struct vcpu *v)
{
    struct sched *s = own_queue();

    if (s->head) {
        v->sched_next = s->head->sched_next;
        s->head->sched_next = v;
    } else {
        v->sched_next = v;
        s->head = v;
    }
    s->count++;
}

void sched_remove(struct vcpu *v)
{
    struct sched *s = own_queue();
    struct vcpu *before = v;

    while (before->sched_next != v)
        before = before->sched_next;
    before->sched_next = v->sched_next;
    if (s->head == v)
        s->head = before == v ? NULL : v->sched_next;
    v->sched_next = NULL;
    s->count--;
}

void sched_release_cpu(void)
{
    struct vcpu *v = this_cpu()->current;

    if (!v)
        return;
    guest_state_put(v);
    backend->put(v);
    this_cpu()->current = NULL;
}

void sched_touched(const struct vm *vm)
{
    uint64_t *last = &own_queue()->last;

    *last = !*last || *last == vm->serial ? vm->serial : SEVERAL;
}

void sched_load(struct vcpu *v)
{
    uint64_t *last = &own_queue()->last;
    bool loaded = this_cpu()->current == v;

    if (!loaded)
        sched_release_cpu();
    mitigate_switch(*last, v->vm->serial);
    *last = v->vm->serial;
    if (loaded)
        return;
    backend->load(v);
    guest_state_load(v);
    this_cpu()->current = v;
}

/* The next vCPU that has something to do, starting after the one that ran last. */
static struct vcpu *pick(struct sched *s)
{
    struct vcpu *v = s->head;

    for (uint32_t i = 0; i < s->count; i++, v = v->sched_next) {
        if (vcpu_next_deadline(v) <= time_tsc())
            vcpu_run_timers(v);
        if (vcpu_runnable(v)) {
            s->head = v->sched_next;
            return v;
        }
    }
    return NULL;
}

static uint64_t earliest_deadline(const struct sched *s)
{
    uint64_t first = VTIMER_OFF;
    const struct vcpu *v = s->head;

    for (uint32_t i = 0; i < s->count; i++, v = v->sched_next)
        first = MIN(first, vcpu_next_deadline(v));
    return first;
}

static bool anything_to_do(const struct sched *s)
{
    const struct vcpu *v = s->head;

    if (this_cpu()->work_pending)
        return true;
    for (uint32_t i = 0; i < s->count; i++, v = v->sched_next) {
        if (vcpu_runnable(v))
            return true;
    }
    return false;
}

/* CPU 0 also keeps house. */
static uint64_t house_deadline(void)
{
    return this_cpu()->index == 0 ? housekeeping_deadline() : VTIMER_OFF;
}

bool sched_house_waits(const struct vcpu *v)
{
    return this_cpu()->work_pending || house_deadline() < v->slice_end;
}

static void idle(const struct sched *s)
{
    uint64_t deadline = MIN(earliest_deadline(s), house_deadline());

    if (page_scrub_step())
        return;
    time_set_wakeup(deadline);
    if (!anything_to_do(s) && deadline > time_tsc())
        x86_sti_hlt_cli(); /* interrupts are off: one that came since then is still pending */
    time_set_wakeup(VTIMER_OFF);
}

static void run(struct sched *s, struct vcpu *v)
{
    sched_load(v);
    v->slice_end = s->count > 1 ? time_tsc() + time_ns_to_ticks(SLICE_NS) : VTIMER_OFF;
    v->slice_end = MIN(v->slice_end, house_deadline());
    vcpu_request(v, VCPU_REQ_TIMER);
    /* alone on its CPU, and no memory to be scrubbed meanwhile: it may sleep in the guest */
    backend->intercept_idle(v, s->count > 1 || page_dirty());
    vcpu_run(v);
    if (v->state == VCPU_STOPPED)
        vm_vcpu_left(v);
}

void sched_loop(void)
{
    struct sched *s = own_queue();

    for (;;) {
        x86_sti_nop_cli(); /* guests that leave at once, or scrubbing, must not keep them off */
        trap_report();
        work_run();
        if (this_cpu()->index == 0)
            housekeeping();
        struct vcpu *v = pick(s);
        if (v)
            run(s, v);
        else
            idle(s);
    }
}

struct cpu *sched_place(void)
{
    struct cpu *best = NULL;

    for (uint32_t i = 0; i < cpu_count(); i++) {
        struct cpu *cpu = cpu_get(i);
        if (cpu->state != CPU_ONLINE || queues[i].reserved)
            continue;
        if (!best || queues[i].count < queues[best->index].count)
            best = cpu;
    }
    return best;
}

void sched_reserve(struct cpu *cpu)
{
    assert_bug(cpu->index != 0);
    queues[cpu->index].reserved = true;
}
