/* SPDX-License-Identifier: MIT */
/*
 * The life of a vCPU: creation, requests, the events that it gets (root mode). The loop around
 * the guest is in kernel/exit.c.
 */
#include "kernel/vcpu.h"

#include <errno.h>
#include <string.h>

#include "kernel/exit_loop.h"
#include "kernel/guest_state.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/sched.h"
#include "kernel/time.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

#define VCPU_ORDER 1u /* struct vcpu: two pages */
_Static_assert(sizeof(struct vcpu) <= PAGE_SIZE << VCPU_ORDER, "struct vcpu");

#define WAKES (VCPU_REQ_IRQ | VCPU_REQ_NMI | VCPU_REQ_INIT | VCPU_REQ_STOP)

uint64_t vcpu_gpr(struct vcpu *v, unsigned number)
{
    return number == RSP ? backend->get(v, VREG_RSP) : v->gpr[number];
}

void vcpu_set_gpr(struct vcpu *v, unsigned number, uint64_t value)
{
    if (number == RSP)
        backend->set(v, VREG_RSP, value);
    else
        v->gpr[number] = value;
}

bool vcpu_64bit(struct vcpu *v)
{
    return (backend->get(v, VREG_CS_ACCESS) & SEGMENT_ACCESS_L) &&
           (backend->get(v, VREG_EFER) & EFER_LMA);
}

void vcpu_request(struct vcpu *v, uint32_t requests)
{
    uint32_t before;

    if (likely(v->cpu == this_cpu())) { /* it looks at them before its next entry */
        __atomic_fetch_or(&v->requests, requests, __ATOMIC_SEQ_CST);
        return;
    }
    before = __atomic_fetch_or(&v->requests, requests, __ATOMIC_SEQ_CST);
    if (v->mode == VCPU_OUT && (before & requests) == requests)
        return; /* asked for already: a guest can't make a storm of kicks of it */
    if (v->mode == VCPU_IN_GUEST || v->mode == VCPU_OUT)
        cpu_kick(v->cpu);
}

bool vcpu_runnable(const struct vcpu *v)
{
    if ((v->requests & (VCPU_REQ_PAUSE | VCPU_REQ_STOP)) == VCPU_REQ_PAUSE)
        return false;
    switch (v->state) {
    case VCPU_RUNNABLE:
        return true;
    case VCPU_HALTED:
        return v->requests & WAKES;
    case VCPU_WAIT_SIPI:
        return v->requests & (VCPU_REQ_SIPI | VCPU_REQ_STOP);
    default:
        return false;
    }
}

/* SDM 3A, "MP Initialization Protocol": INIT leaves the CPU waiting; the boot CPU restarts. */
static void take_init(struct vcpu *v)
{
    if (v->id == 0) {
        vm_reset(v->vm, "INIT on the boot CPU");
        return;
    }
    memset(v->gpr, 0, sizeof(v->gpr));
    v->event.type = VEVENT_NONE;
    v->nmi_pending = false;
    backend->vcpu_reset(v);
    guest_state_reset_loaded();
    if (v->vm->intc)
        v->vm->intc->reset(v);
    v->state = VCPU_WAIT_SIPI;
}

static void take_sipi(struct vcpu *v)
{
    uint32_t vector = __atomic_load_n(&v->sipi_vector, __ATOMIC_RELAXED); /* a sibling's word */
    struct vsegment cs;

    if (v->state != VCPU_WAIT_SIPI)
        return;
    backend->get_segment(v, VSEG_CS, &cs);
    cs.selector = (uint16_t)(vector << 8);
    cs.base = (uint64_t)vector << 12;
    backend->set_segment(v, VSEG_CS, &cs);
    backend->set(v, VREG_RIP, 0);
    v->state = VCPU_RUNNABLE;
}

static void arm_timer(struct vcpu *v)
{
    uint64_t deadline = vcpu_next_deadline(v);

    backend->set_timer(v, MIN(deadline, v->slice_end));
}

static void set_windows(struct vcpu *v, unsigned windows)
{
    if (windows == v->windows)
        return;
    v->windows = windows;
    backend->window(v, windows);
}

/* Mostly without a call: after an exit that an instruction caused. */
static inline bool interruptible(struct vcpu *v)
{
    if (likely((v->valid & (VCPU_RFLAGS | VCPU_SHADOW)) == (VCPU_RFLAGS | VCPU_SHADOW)))
        return (v->rflags & RFLAGS_IF) && !(v->shadow & VCPU_SHADOW_MASK);
    return backend->interruptible(v);
}

/* Chooses the event of the next entry: one that was interrupted, then an NMI, then an interrupt.
 * Behind one that was taken no other can wait for a window: none is above its priority, and what
 * comes now makes a request. */
static inline __attribute__((always_inline)) void choose_event(struct vcpu *v)
{
    unsigned windows = 0;
    int vector;

    /* A debugger steps over one instruction: what comes has to wait (kernel/gdbstub_vm.c). */
    if (unlikely(v->stepped) && (backend->get(v, VREG_RFLAGS) & RFLAGS_TF)) {
        set_windows(v, 0);
        return;
    }
    if (unlikely(v->nmi_pending)) {
        if (!v->event.type && backend->nmi_ready(v)) {
            v->event = (struct vevent){ .type = VEVENT_NMI, .vector = VECTOR_NMI };
            v->nmi_pending = false;
        } else {
            windows |= VWINDOW_NMI;
        }
    }
    if (likely(!v->event.type) && interruptible(v)) {
        vector = v->vm->intc->take(v);
        if (vector >= 0)
            v->event = (struct vevent){ .type = VEVENT_INTERRUPT, .vector = (uint8_t)vector };
    } else if (v->vm->intc->has(v)) {
        windows |= VWINDOW_IRQ;
    }
    set_windows(v, windows);
}

/* An event that waits is the #DB of a HLT that was single-stepped. */
static bool ends_halt(struct vcpu *v)
{
    return v->event.type || v->nmi_pending || (v->vm->intc->wakes(v) && interruptible(v));
}

/* All but interrupts and timers. False: the vCPU leaves its loop at once. */
static __attribute__((noinline)) bool serve_others(struct vcpu *v, uint32_t requests)
{
    if (requests & VCPU_REQ_STOP) {
        v->state = VCPU_STOPPED;
        return false;
    }
    if (requests & VCPU_REQ_PAUSE) {
        __atomic_fetch_or(&v->requests, requests, __ATOMIC_SEQ_CST); /* all of it later */
        return false;
    }
    if (requests & VCPU_REQ_FLUSH)
        backend->flush(v->vm);
    if (requests & VCPU_REQ_INIT)
        take_init(v);
    if (requests & VCPU_REQ_SIPI)
        take_sipi(v);
    if (requests & VCPU_REQ_NMI)
        v->nmi_pending = true;
    return true;
}

__attribute__((always_inline)) inline bool vcpu_serve_requests(struct vcpu *v)
{
    uint32_t requests = __atomic_exchange_n(&v->requests, 0, __ATOMIC_SEQ_CST);

    if (unlikely(requests & ~(uint32_t)(VCPU_REQ_IRQ | VCPU_REQ_TIMER)) &&
        !serve_others(v, requests))
        return false;
    if (requests & VCPU_REQ_TIMER)
        arm_timer(v);
    if (unlikely(v->state != VCPU_RUNNABLE)) {
        if (v->state != VCPU_HALTED || !ends_halt(v))
            return false;
        v->state = VCPU_RUNNABLE;
    }
    if (requests & (VCPU_REQ_IRQ | VCPU_REQ_NMI))
        choose_event(v);
    return !(requests & VCPU_REQ_YIELD);
}

/* The mode stays VCPU_IN_GUEST: who wants something more meanwhile kicks this CPU for nothing or,
 * behind the last look at the requests, for an exit right after the entry. */
bool exit_prepare(struct vcpu *v)
{
    while (v->requests) {
        if (!vcpu_serve_requests(v))
            return false;
    }
    /* Only now: an event that the backend has must not meet another one on the way. */
    if (v->event.type)
        backend->inject(v);
    v->event = (struct vevent){ .type = VEVENT_NONE };
    return true;
}

struct create_call {
    struct vcpu *vcpu;
    int err;
};

static void create_on_cpu(void *arg)
{
    struct create_call *call = arg;

    sched_release_cpu();
    sched_add(call->vcpu);
    call->err = backend->vcpu_init(call->vcpu);
}

int vcpu_create(struct vm *vm, uint32_t id, struct cpu *cpu, bool exclusive)
{
    hpa_t block = page_alloc(VCPU_ORDER);
    struct create_call call;
    struct vcpu *v;

    if (block == PAGE_NONE)
        return -ENOMEM;
    v = page_ptr(block);
    v->vm = vm;
    v->id = id;
    v->apic_id = id;
    v->cpu = cpu;
    v->exclusive = exclusive;
    v->slice_end = VTIMER_OFF;
    v->state = VCPU_WAIT_SIPI;
    vm->vcpus[id] = v;
    call.vcpu = v;
    work_call(cpu, create_on_cpu, &call);
    if (!call.err)
        call.err = guest_state_init(v);
    if (call.err)
        vcpu_destroy(v);
    return call.err;
}

static void release_on_cpu(void *arg)
{
    struct vcpu *v = arg;

    if (this_cpu()->current == v)
        sched_release_cpu();
    sched_remove(v);
    backend->vcpu_fini(v);
}

void vcpu_destroy(struct vcpu *v)
{
    work_call(v->cpu, release_on_cpu, v);
    guest_state_fini(v);
    v->vm->vcpus[v->id] = NULL;
    page_free(page_hpa(v), VCPU_ORDER);
}

struct loaded_call {
    struct vcpu *vcpu;
    void (*fn)(struct vcpu *vcpu, void *arg);
    void *arg;
};

static void call_loaded(void *arg)
{
    struct loaded_call *call = arg;

    sched_load(call->vcpu);
    call->fn(call->vcpu, call->arg);
}

void vcpu_call(struct vcpu *v, void (*fn)(struct vcpu *vcpu, void *arg), void *arg)
{
    struct loaded_call call = { v, fn, arg };

    work_call(v->cpu, call_loaded, &call);
}
