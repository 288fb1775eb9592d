/* SPDX-License-Identifier: MIT */
/*
 * The loop around a guest and the dispatch of its exits (root mode): finds the handler for a kind
 * of exit and carries out its verdict. The one place in the tree that moves a guest's RIP past an
 * instruction. Hot: each exit passes here, so it is in one file for the compiler's sake.
 */
#include "kernel/exit.h"

#include "kernel/gdbstub.h"
#include "kernel/log.h"
#include "kernel/time.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

static const struct exit_handler *handlers[EXIT_KINDS];
static enum verdict (*handle[EXIT_KINDS])(struct vcpu *vcpu, struct vmexit *exit);

void exit_init(void)
{
    SET_FOREACH(p, exit_handler) {
        const struct exit_handler *h = *p;
        if (h->kind >= EXIT_KINDS || handlers[h->kind])
            panic("exit kind %s has two handlers", h->name);
        handlers[h->kind] = h;
        handle[h->kind] = h->handle;
    }
    for (unsigned kind = 0; kind < EXIT_KINDS; kind++) {
        if (!handlers[kind])
            panic("exit kind %u has no handler", kind);
    }
}

const char *exit_kind_name(unsigned kind)
{
    return kind < EXIT_KINDS && handlers[kind] ? handlers[kind]->name : "?";
}

/* 16- and 32-bit code wraps at its own width (SDM 3A, "Instruction Pointer"). */
static uint64_t wrap(struct vcpu *v, uint64_t rip)
{
    if (vcpu_64bit(v))
        return rip;
    return vcpu_get(v, VREG_CS_ACCESS) & SEGMENT_ACCESS_DB ? (uint32_t)rip : (uint16_t)rip;
}

/* A backend gives length only together with valid copies of RIP, RFLAGS and the shadow. */
static void next_instruction(struct vcpu *v, unsigned length)
{
    uint64_t rip = v->rip + length;

    if (unlikely((rip ^ v->rip) >> 16))
        rip = wrap(v, rip);
    v->rip = rip;
    v->dirty |= VCPU_DIRTY_RIP;
    if (unlikely(v->shadow & VCPU_SHADOW_MASK)) {
        v->shadow &= ~VCPU_SHADOW_MASK;
        v->dirty |= VCPU_DIRTY_SHADOW;
    }
    if (unlikely(v->rflags & RFLAGS_TF) && !gdbstub_stepped(v))
        vcpu_inject_debug(v, DR6_BS);
}

static inline bool dispatch(struct vcpu *v, struct vmexit *exit)
{
    enum verdict verdict = handle[exit->kind](v, exit);

    if (likely(verdict == VERDICT_NEXT)) {
        next_instruction(v, exit->length);
        return true;
    }
    if (verdict == VERDICT_LEAVE) {
        next_instruction(v, exit->length);
        return false;
    }
    return true; /* RETRY; or STOP, whose request is seen before the next entry */
}

bool exit_dispatch(struct vcpu *v, struct vmexit *exit)
{
    return dispatch(v, exit);
}

static void trace(struct vcpu *v, const struct vmexit *exit, uint64_t tsc)
{
    struct vcpu_trace *t = &v->trace[v->stats.all.exits++ % VCPU_HISTORY];

    t->tsc = tsc;
    t->rip = v->rip;
    t->head = exit->head;
}

/* An exit handler that takes 2^32 ticks would be counted short. */
static void account(struct vcpu *v, const struct vmexit *exit, uint64_t start)
{
    uint32_t cycles = (uint32_t)time_tsc() - (uint32_t)start;
    struct vcpu_counter *counter = &v->stats.by_code[exit->code];

    v->stats.all.cycles += cycles;
    counter->exits++;
    counter->cycles += cycles;
}

void vcpu_run(struct vcpu *v)
{
    struct vmexit exit;
    bool stay = true;

    v->mode = VCPU_EXITING;
    while (stay) {
        if (unlikely(v->requests) && !vcpu_serve_requests(v))
            break;
        /* A request that comes before this store is seen below; one after it sends a kick. */
        __atomic_store_n(&v->mode, VCPU_IN_GUEST, __ATOMIC_SEQ_CST);
        if (unlikely(v->requests)) {
            v->mode = VCPU_EXITING;
            continue;
        }
        /* Only now: an event that the backend has must not meet another one on the way. */
        if (unlikely(v->event.type)) {
            backend->inject(v);
            v->event.type = VEVENT_NONE;
        }
        backend->run(v, &exit);
        uint64_t start = time_tsc();
        v->mode = VCPU_EXITING;
        trace(v, &exit, start);
        stay = dispatch(v, &exit);
        account(v, &exit, start);
    }
    __atomic_store_n(&v->mode, VCPU_OUT, __ATOMIC_SEQ_CST);
}
