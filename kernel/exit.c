/* SPDX-License-Identifier: MIT */
/*
 * Exit dispatch (root mode): finds the handler for a kind of exit and carries out its verdict.
 * The one place in the tree that moves a guest's RIP past an instruction.
 */
#include "kernel/exit.h"

#include "kernel/log.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

static const struct exit_handler *handlers[EXIT_KINDS];

void exit_init(void)
{
    SET_FOREACH(p, exit_handler) {
        const struct exit_handler *h = *p;
        if (h->kind >= EXIT_KINDS || handlers[h->kind])
            panic("exit kind %s has two handlers", h->name);
        handlers[h->kind] = h;
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
    struct vsegment cs;

    if (vcpu_64bit(v))
        return rip;
    backend->get_segment(v, VSEG_CS, &cs);
    return cs.access & SEGMENT_ACCESS_DB ? (uint32_t)rip : (uint16_t)rip;
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
    if (unlikely(v->rflags & RFLAGS_TF))
        vcpu_inject_debug(v, DR6_BS);
}

bool exit_dispatch(struct vcpu *v, struct vmexit *exit)
{
    switch (handlers[exit->kind]->handle(v, exit)) {
    case VERDICT_NEXT:
        next_instruction(v, exit->length);
        return true;
    case VERDICT_RETRY:
        return true;
    case VERDICT_LEAVE:
        next_instruction(v, exit->length);
        return false;
    case VERDICT_STOP:
        return true; /* the request to stop is seen before the next entry */
    }
    return false;
}
