/* SPDX-License-Identifier: MIT */
/* Hypercall dispatch and the calls that need nothing but the core (root mode). */
#include "kernel/hypercall.h"

#include "kernel/console.h"
#include "kernel/exit.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/time.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

static int64_t (*calls[HYPERCALLS_MAX])(struct vcpu *vcpu);

void hypercall_init(void)
{
    SET_FOREACH(p, hypercall) {
        uint32_t index = (*p)->number - MULLION_HC_BASE;
        if (index >= HYPERCALLS_MAX || calls[index])
            panic("hypercall %s: number taken or out of range", (*p)->name);
        calls[index] = (*p)->call;
    }
}

static enum verdict on_hypercall(struct vcpu *v, struct vmexit *exit)
{
    uint32_t index = (uint32_t)v->gpr[RAX] - MULLION_HC_BASE;

    (void)exit;
    if (unlikely(vcpu_cpl(v) != 0)) {
        vcpu_inject_exception(v, VECTOR_UD);
        return VERDICT_RETRY;
    }
    if (unlikely(index >= HYPERCALLS_MAX) || unlikely(!calls[index]))
        v->gpr[RAX] = (uint64_t)(int64_t)MULLION_ERROR_UNKNOWN;
    else
        v->gpr[RAX] = (uint64_t)calls[index](v);
    return VERDICT_NEXT;
}
EXIT_HANDLER(EXIT_HYPERCALL, on_hypercall);

static int64_t nop(struct vcpu *v)
{
    (void)v;
    return 0;
}
HYPERCALL(MULLION_HC_NOP, nop);

static int64_t end(struct vcpu *v)
{
    vm_exit(v->vm, (int32_t)v->gpr[RBX], "hypercall");
    return 0;
}
HYPERCALL(MULLION_HC_EXIT, end);

static int64_t exits(struct vcpu *v)
{
    return (int64_t)v->stats.all.exits;
}
HYPERCALL(MULLION_HC_EXITS, exits);

/* What these say is the whole machine's, other VMs included. */
static bool may_see_host(const struct vcpu *v)
{
    return v->vm->config->host_figures;
}

static int64_t cost(struct vcpu *v)
{
    if (!may_see_host(v))
        return MULLION_ERROR_DENIED;
    switch (v->gpr[RBX]) {
    case MULLION_COST_CONTROL_ACCESSES:
        return (int64_t)this_cpu()->control_accesses;
    case MULLION_COST_HOST_MSRS:
        return (int64_t)this_cpu()->host_msr_accesses;
    default:
        return MULLION_ERROR_INVALID;
    }
}
HYPERCALL(MULLION_HC_COST, cost);

static int64_t mark(struct vcpu *v)
{
    vm_mark(v->vm, v->gpr[RBX]);
    return 0;
}
HYPERCALL(MULLION_HC_MARK, mark);

static int64_t put_character(struct vcpu *v)
{
    lock_acquire(&v->vm->lock);
    console_put(v->vm, (uint8_t)v->gpr[RBX]);
    lock_release(&v->vm->lock);
    return 0;
}
HYPERCALL(MULLION_HC_PUTC, put_character);

static int64_t figure(struct vcpu *v)
{
    if (!may_see_host(v))
        return MULLION_ERROR_DENIED;
    switch (v->gpr[RBX]) {
    case MULLION_FIGURE_START_TICKS:
        return (int64_t)v->vm->create_ticks;
    case MULLION_FIGURE_FREE_PAGES:
        return (int64_t)page_get_stats().free_pages;
    default:
        return MULLION_ERROR_INVALID;
    }
}
HYPERCALL(MULLION_HC_FIGURE, figure);
