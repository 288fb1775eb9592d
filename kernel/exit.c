/* SPDX-License-Identifier: MIT */
/* The table of exit handlers, and the rare parts of the loop of kernel/exit_loop.h (root mode). */
#include "kernel/exit.h"

#include "kernel/exit_loop.h"
#include "kernel/gdbstub.h"
#include "kernel/log.h"
#include "kernel/vcpu.h"
#include "kernel/x86.h"

exit_handle_fn exit_handlers[EXIT_KINDS];

void exit_init(void)
{
    SET_FOREACH(p, exit_handler) {
        const struct exit_handler *h = *p;
        if (h->kind >= EXIT_KINDS || exit_handlers[h->kind])
            panic("exit kind %s has two handlers", h->name);
        exit_handlers[h->kind] = h->handle;
    }
    for (unsigned kind = 0; kind < EXIT_KINDS; kind++) {
        if (!exit_handlers[kind])
            panic("exit kind %u has no handler", kind);
    }
}

/* 16- and 32-bit code wraps at its own width (SDM 3A, "Instruction Pointer"). */
uint64_t exit_wrap(struct vcpu *v, uint64_t rip)
{
    if (vcpu_64bit(v))
        return rip;
    return vcpu_get(v, VREG_CS_ACCESS) & SEGMENT_ACCESS_DB ? (uint32_t)rip : (uint16_t)rip;
}

/* What an instruction that was emulated ends or causes: the shadow and the resume flag before it,
 * the trap behind. */
void exit_settle(struct vcpu *v)
{
    if (v->shadow & VCPU_SHADOW_MASK)
        vcpu_end_shadow(v);
    if (v->rflags & RFLAGS_RF) {
        v->rflags &= ~(uint64_t)RFLAGS_RF;
        v->dirty |= VCPU_RFLAGS;
    }
    if ((v->rflags & RFLAGS_TF) && !gdbstub_stepped(v))
        vcpu_inject_debug(v, DR6_BS);
}

void vcpu_run(struct vcpu *v)
{
    v->mode = VCPU_EXITING;
    backend->loop(v);
    __atomic_store_n(&v->mode, VCPU_OUT, __ATOMIC_SEQ_CST);
}
