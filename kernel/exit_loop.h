/* SPDX-License-Identifier: MIT */
/*
 * The loop around a guest (root mode). Every exit passes here, so it is a header that each backend
 * compiles together with its own entry and decoder: an exit then costs no call between them.
 * Holds the one place in the tree that moves a guest's RIP past an instruction.
 */
#ifndef KERNEL_EXIT_LOOP_H
#define KERNEL_EXIT_LOOP_H

#include "kernel/exit.h"
#include "kernel/time.h"
#include "kernel/vcpu.h"
#include "kernel/x86_regs.h"

/* Between the files of the loop (kernel/exit.c, kernel/vcpu.c). */
typedef enum verdict (*exit_handle_fn)(struct vcpu *vcpu, struct vmexit *exit);
extern exit_handle_fn exit_handlers[EXIT_KINDS];
uint64_t exit_wrap(struct vcpu *vcpu, uint64_t rip);
void exit_settle(struct vcpu *vcpu);
/* Somebody wants something before the next entry, or an event waits for it. In VCPU_IN_GUEST.
 * False: leave the loop. */
bool exit_prepare(struct vcpu *vcpu);

/* A backend gives length only together with valid copies of RIP, RFLAGS and the shadow. */
static inline void exit_next_instruction(struct vcpu *v, unsigned length)
{
    uint64_t rip = v->rip + length;

    if (unlikely((rip ^ v->rip) >> 16))
        rip = exit_wrap(v, rip);
    v->rip = rip;
    v->dirty |= VCPU_RIP;
    if (unlikely(v->shadow & VCPU_SHADOW_MASK) || unlikely(v->rflags & (RFLAGS_TF | RFLAGS_RF)))
        exit_settle(v);
}

static inline void exit_trace(struct vcpu *v, const struct vmexit *exit, uint64_t tsc)
{
    uint64_t number = v->stats.all.exits++;
    struct vcpu_trace *t = (void *)((char *)v->trace + number * sizeof(*t) % sizeof(v->trace));

    t->tsc = tsc;
    t->rip = v->rip;
    t->head = exit->head;
}

/* An exit handler that takes 2^32 ticks would be counted short. */
static inline void exit_account(struct vcpu *v, const struct vmexit *exit, uint32_t start)
{
    uint32_t cycles = (uint32_t)time_tsc() - start;
    struct vcpu_counter *counter = &v->stats.by_code[exit->code];

    v->stats.all.cycles += cycles;
    counter->exits++;
    counter->cycles += cycles;
}

/* May the guest be entered? A request that comes before this store is seen below; one after it
 * sends a kick. */
static inline bool exit_ready(struct vcpu *v)
{
    cpu_store_ordered(v->mode, VCPU_IN_GUEST);
    return likely(!vcpu_attention(v)) || exit_prepare(v);
}

/* Carries out a verdict. False: leave the loop. */
static inline bool exit_finish(struct vcpu *v, const struct vmexit *exit, enum verdict verdict)
{
    if (verdict == VERDICT_NEXT || verdict == VERDICT_LEAVE)
        exit_next_instruction(v, exit->length);
    return verdict != VERDICT_LEAVE; /* STOP: its request is seen before the next entry */
}

/* Until the CPU is wanted otherwise. `run` enters the guest and fills *exit when it comes back. */
static inline __attribute__((always_inline)) void
exit_loop(struct vcpu *v, void (*run)(struct vcpu *vcpu, struct vmexit *exit))
{
    struct vmexit exit;

    while (likely(exit_ready(v))) {
        run(v, &exit);
        uint64_t start = time_tsc();
        v->mode = VCPU_EXITING;
        exit_trace(v, &exit, start);
        enum verdict verdict = exit_handlers[exit.kind](v, &exit);
        exit_account(v, &exit, (uint32_t)start);
        if (likely(verdict == VERDICT_NEXT))
            exit_next_instruction(v, exit.length);
        else if (!exit_finish(v, &exit, verdict))
            break;
    }
}

#endif
