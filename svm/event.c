/* SPDX-License-Identifier: MIT */
/*
 * Events of the guest: injection, what an exit has interrupted, and when the guest can take one
 * (root mode). Source: APM 2, "Event Injection", "Interrupt and Local APIC Support"; NMIs are
 * blocked by us, since processors without virtual NMIs do not say whether they are.
 */
#include "kernel/time.h"
#include "kernel/x86.h"
#include "svm/svm.h"

static const uint8_t event_types[] = {
    [VEVENT_INTERRUPT] = EVENT_TYPE_INTR,
    [VEVENT_NMI] = EVENT_TYPE_NMI,
    [VEVENT_EXCEPTION] = EVENT_TYPE_EXCEPTION,
    [VEVENT_SOFT_INTERRUPT] = EVENT_TYPE_SOFTWARE,
    [VEVENT_SOFT_EXCEPTION] = EVENT_TYPE_EXCEPTION,
    [VEVENT_ICEBP] = EVENT_TYPE_EXCEPTION,
};

/* What may stop an IRET: #TS, #NP, #SS, #GP, #PF; #AC is always intercepted. */
#define STEP_FAULTS (0x1fu << VECTOR_TS)
#define NMI_RETRY_TICKS 100000u

void svm_block_nmis(struct vcpu *v, bool on)
{
    struct svm_vcpu *x = svm_of(v);
    struct vmcb_control *c = &vmcb_of(v)->control;

    x->nmi_blocked = on;
    x->stepping = false;
    x->iret_rip = ~0ull;
    c->intercept_1 = svm_with_bit(c->intercept_1, INTERCEPT_1_IRET, on);
    c->intercept_exceptions &= ~STEP_FAULTS;
}

void svm_inject(struct vcpu *v)
{
    const struct vevent *event = &v->event;
    struct vmcb *vmcb = vmcb_of(v);
    uint64_t inject = event->vector | (uint64_t)event_types[event->type] << EVENT_TYPE_SHIFT |
                      EVENT_VALID;

    if (event->has_error_code)
        inject |= EVENT_ERROR_CODE | (uint64_t)event->error_code << EVENT_ERROR_CODE_SHIFT;
    /* what is pushed is RIP, or next_rip where there is one: behind the instruction */
    if (event->type >= VEVENT_SOFT_INTERRUPT) {
        svm_of(v)->soft_length = event->length;
        svm_set(v, VREG_RIP, svm_get(v, VREG_RIP) + event->length);
        vmcb->control.next_rip = v->rip;
    }
    if (event->type == VEVENT_NMI)
        svm_block_nmis(v, true);
    vmcb->control.event_inject = inject;
}

/* INT n, INT3 and INTO are not injected again: RIP is theirs, or becomes it again where we have
 * injected them, and they come again by themselves. */
static void repeat_instruction(struct vcpu *v, unsigned length)
{
    if (length)
        svm_set(v, VREG_RIP, svm_get(v, VREG_RIP) - length);
}

void svm_requeue_interrupted_event(struct vcpu *v)
{
    uint64_t info = vmcb_of(v)->control.exit_int_info;
    unsigned type = info >> EVENT_TYPE_SHIFT & EVENT_TYPE_MASK;
    uint8_t vector = info & EVENT_VECTOR_MASK;
    unsigned soft_length = svm_of(v)->soft_length;

    svm_of(v)->soft_length = 0;
    if (likely(!(info & EVENT_VALID)))
        return;
    if (type == EVENT_TYPE_SOFTWARE ||
        (type == EVENT_TYPE_EXCEPTION && (vector == VECTOR_BP || vector == VECTOR_OF))) {
        repeat_instruction(v, soft_length);
        return;
    }
    v->event = (struct vevent){
        .type = type == EVENT_TYPE_NMI         ? VEVENT_NMI
                : type == EVENT_TYPE_EXCEPTION ? VEVENT_EXCEPTION
                                               : VEVENT_INTERRUPT,
        .vector = vector,
        .has_error_code = info & EVENT_ERROR_CODE,
        .error_code = info & EVENT_ERROR_CODE ? (uint32_t)(info >> EVENT_ERROR_CODE_SHIFT) : 0,
    };
}

/* An interrupt in place of the instruction that is stepped would push our TF. That is asked before
 * the copies are read: once both are valid nobody asks here any more (kernel/vcpu.c). */
bool svm_interruptible(struct vcpu *v)
{
    return !svm_of(v)->stepping && (svm_get(v, VREG_RFLAGS) & RFLAGS_IF) &&
           !svm_get(v, VREG_SHADOW);
}

/* The intercept of IRET comes before the instruction runs; until then it is still blocked. */
bool svm_nmi_ready(struct vcpu *v)
{
    const struct svm_vcpu *x = svm_of(v);

    return !x->nmi_blocked && !x->stepping && svm_get(v, VREG_RIP) != x->iret_rip &&
           !svm_get(v, VREG_SHADOW);
}

/* The guest must find neither our TF, which a fault of IRET would push, nor what DR6 says of it. */
static void step(struct vcpu *v)
{
    struct svm_vcpu *x = svm_of(v);
    struct vmcb *vmcb = vmcb_of(v);

    x->stepping = true;
    x->own_dr6 = vmcb->save.dr6;
    vmcb->save.dr6 = DR6_INIT;
    vmcb->control.intercept_exceptions |= STEP_FAULTS;
    svm_set(v, VREG_RFLAGS, v->rflags | RFLAGS_TF);
}

/* An NMI that waits comes right behind IRET, which is stepped for that; else, where a shadow,
 * another event or the guest's own step is in its way, when we look again. */
void svm_arm(struct vcpu *v)
{
    struct svm_vcpu *x = svm_of(v);
    uint64_t again = x->timer_tsc;

    if (x->timer_due) /* an exit of its own comes first, and a new deadline */
        return;
    if ((x->windows & VWINDOW_NMI) && !x->nmi_blocked && !x->stepping) {
        if (svm_get(v, VREG_RIP) == x->iret_rip && !(svm_get(v, VREG_RFLAGS) & RFLAGS_TF))
            step(v);
        else
            again = MIN(again, time_tsc() + NMI_RETRY_TICKS);
    }
    time_set_wakeup(again);
}

bool svm_stepped(struct vcpu *v, uint8_t vector)
{
    struct svm_vcpu *x = svm_of(v);
    uint64_t *dr6 = &vmcb_of(v)->save.dr6, found = vector == VECTOR_DB ? *dr6 ^ DR6_INIT : 0;

    if (!x->stepping || vector == VECTOR_MC) /* the machine's, wherever the guest is */
        return false;
    if (!(found & DR6_BS)) /* IRET has not loaded the guest's own TF */
        svm_set(v, VREG_RFLAGS, svm_get(v, VREG_RFLAGS) & ~(uint64_t)RFLAGS_TF);
    found &= ~(uint64_t)DR6_BS;
    *dr6 = x->own_dr6 | found;
    svm_block_nmis(v, false);
    svm_arm(v);
    vcpu_request(v, VCPU_REQ_IRQ);
    return !found;
}

void svm_at_iret(struct vcpu *v)
{
    svm_block_nmis(v, false);
    svm_of(v)->iret_rip = svm_get(v, VREG_RIP);
    svm_arm(v);
}

void svm_window(struct vcpu *v, unsigned windows)
{
    struct svm_vcpu *x = svm_of(v);
    struct vmcb_control *c = &vmcb_of(v)->control;
    /* a virtual interrupt of the highest priority, which is intercepted before it is taken */
    const uint64_t request = VINTR_IRQ | 0xfull << VINTR_PRIORITY_SHIFT | VINTR_IGNORE_TPR;

    x->windows = windows;
    c->vintr = (c->vintr & ~request) | (windows & VWINDOW_IRQ ? request : 0);
    c->intercept_1 = svm_with_bit(c->intercept_1, INTERCEPT_1_VINTR, windows & VWINDOW_IRQ);
    svm_arm(v);
}
