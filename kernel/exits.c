/* SPDX-License-Identifier: MIT */
/* Handlers for the kinds of exit that need only a few lines each (root mode). */
#include "kernel/cpu.h"
#include "kernel/exit.h"
#include "kernel/gdbstub.h"
#include "kernel/guest_state.h"
#include "kernel/irq.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "kernel/time.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

/* Those whose verdict is all, or the reason why the VM ends. */
static const struct {
    enum verdict verdict;
    const char *failure;
} plain[] = {
    [EXIT_NONE] = { VERDICT_RETRY, NULL },
    [EXIT_BUS_LOCK] = { VERDICT_RETRY, NULL }, /* counted by its exit code */
    [EXIT_PAUSE] = { VERDICT_LEAVE, NULL },
    /* caches are shared by all VMs and coherent with all that a guest can reach */
    [EXIT_CACHE] = { VERDICT_NEXT, NULL },
    [EXIT_TRIPLE_FAULT] = { VERDICT_STOP, "triple fault" },
    [EXIT_TASK_SWITCH] = { VERDICT_STOP, "hardware task switch, which is left to software" },
    [EXIT_ENTRY_FAILED] = { VERDICT_STOP, "the processor refused the guest's state" },
};

static enum verdict on_plain(struct vcpu *v, struct vmexit *exit)
{
    if (plain[exit->kind].failure)
        vm_fail(v->vm, v, "%s", plain[exit->kind].failure);
    return plain[exit->kind].verdict;
}
EXIT_HANDLER(EXIT_NONE, on_plain);
EXIT_HANDLER(EXIT_BUS_LOCK, on_plain);
EXIT_HANDLER(EXIT_PAUSE, on_plain);
EXIT_HANDLER(EXIT_CACHE, on_plain);
EXIT_HANDLER(EXIT_TRIPLE_FAULT, on_plain);
EXIT_HANDLER(EXIT_TASK_SWITCH, on_plain);
EXIT_HANDLER(EXIT_ENTRY_FAILED, on_plain);

static enum verdict on_interrupt(struct vcpu *v, struct vmexit *exit)
{
    if (exit->kind == EXIT_NMI)
        irq_nmi();
    else if (exit->vector)
        irq_dispatch(exit->vector);
    if (sched_house_waits(v))
        vcpu_request(v, VCPU_REQ_YIELD);
    return VERDICT_RETRY;
}
EXIT_HANDLER(EXIT_INTERRUPT, on_interrupt);
EXIT_HANDLER(EXIT_NMI, on_interrupt);

/* Debug traps come before the preemption timer and before interrupts (SDM 3C, "VMX-Preemption
 * Timer"), an injected event before both: deliveries that cause the next would keep these off for
 * good. */
static void let_others_in(struct vcpu *v)
{
    x86_sti_nop_cli();
    vcpu_request(v, VCPU_REQ_TIMER); /* the host's timer may have come, which a backend waits for */
    if (sched_house_waits(v) || v->slice_end <= time_tsc())
        vcpu_request(v, VCPU_REQ_YIELD);
}

/* The guest's own exceptions go back to it; that they come here at all breaks endless delivery
 * (the backend intercepts #DB and #AC for that reason alone). */
static enum verdict on_exception(struct vcpu *v, struct vmexit *exit)
{
    if (gdbstub_exception(v, exit))
        return VERDICT_RETRY;
    if (exit->event >= VEVENT_SOFT_INTERRUPT) { /* INT1, INT3: delivery moves RIP past them */
        v->event = (struct vevent){
            .type = exit->event, .vector = exit->vector, .length = exit->length
        };
        return VERDICT_RETRY;
    }
    switch (exit->vector) {
    case VECTOR_DB:
        vcpu_inject_debug(v, exit->debug_status);
        let_others_in(v);
        return VERDICT_RETRY;
    case VECTOR_AC:
        vcpu_inject_error(v, VECTOR_AC, exit->error_code);
        let_others_in(v);
        return VERDICT_RETRY;
    case VECTOR_MC:
        irq_machine_check();
        return VERDICT_RETRY;
    default:
        vm_fail(v->vm, v, "exception %u was not expected", exit->vector);
        return VERDICT_STOP;
    }
}
EXIT_HANDLER(EXIT_EXCEPTION, on_exception);

static enum verdict on_window(struct vcpu *v, struct vmexit *exit)
{
    (void)exit;
    vcpu_request(v, VCPU_REQ_IRQ);
    return VERDICT_RETRY;
}
EXIT_HANDLER(EXIT_IRQ_WINDOW, on_window);
EXIT_HANDLER(EXIT_NMI_WINDOW, on_window);

static enum verdict on_timer(struct vcpu *v, struct vmexit *exit)
{
    (void)exit;
    vcpu_run_timers(v);
    if (v->slice_end <= time_tsc()) /* VTIMER_OFF is never */
        vcpu_request(v, VCPU_REQ_YIELD);
    return VERDICT_RETRY;
}
EXIT_HANDLER(EXIT_TIMER, on_timer);

static enum verdict on_hlt(struct vcpu *v, struct vmexit *exit)
{
    (void)exit;
    v->state = VCPU_HALTED;
    /* something may be pending already */
    vcpu_request(v, VCPU_REQ_IRQ);
    return VERDICT_NEXT;
}
EXIT_HANDLER(EXIT_HLT, on_hlt);

/* As on a machine that lacks the instruction, or at a privilege that does not allow it. */
static enum verdict on_refused(struct vcpu *v, struct vmexit *exit)
{
    if (exit->kind == EXIT_UNDEFINED)
        vcpu_inject_exception(v, VECTOR_UD);
    else
        vcpu_inject_error(v, VECTOR_GP, 0);
    return VERDICT_RETRY;
}
EXIT_HANDLER(EXIT_UNDEFINED, on_refused);
EXIT_HANDLER(EXIT_FORBIDDEN, on_refused);

static enum verdict on_xsetbv(struct vcpu *v, struct vmexit *exit)
{
    uint64_t value = (uint32_t)v->gpr[RAX] | v->gpr[RDX] << 32;

    (void)exit;
    if (vcpu_cpl(v) != 0 || guest_state_set_xcr(v, (uint32_t)v->gpr[RCX], value)) {
        vcpu_inject_error(v, VECTOR_GP, 0);
        return VERDICT_RETRY;
    }
    return VERDICT_NEXT;
}
EXIT_HANDLER(EXIT_XSETBV, on_xsetbv);

static enum verdict on_apic_write(struct vcpu *v, struct vmexit *exit)
{
    v->vm->intc->write_exit(v, exit->apic_offset);
    return VERDICT_RETRY;
}
EXIT_HANDLER(EXIT_APIC_WRITE, on_apic_write);

static enum verdict on_apic_eoi(struct vcpu *v, struct vmexit *exit)
{
    v->vm->intc->eoi_exit(v, exit->vector);
    return VERDICT_RETRY;
}
EXIT_HANDLER(EXIT_APIC_EOI, on_apic_eoi);

/* An instruction or a delivery in microcode that does not end begins anew. */
static enum verdict on_stuck(struct vcpu *v, struct vmexit *exit)
{
    if (exit->state_lost) {
        vm_fail(v->vm, v, "nothing could interrupt it, and the processor lost its state");
        return VERDICT_STOP;
    }
    let_others_in(v);
    return VERDICT_RETRY;
}
EXIT_HANDLER(EXIT_STUCK, on_stuck);

static enum verdict on_unknown(struct vcpu *v, struct vmexit *exit)
{
    const char *name = backend->exit_name(exit->code);

    vm_fail(v->vm, v, "exit %s (%u) has no rule", name ? name : "undefined", exit->code);
    return VERDICT_STOP;
}
EXIT_HANDLER(EXIT_UNKNOWN, on_unknown);
