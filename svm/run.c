/* SPDX-License-Identifier: MIT */
/* Entry, timer, flushes and the table of the AMD-V backend (root mode). */
#include "kernel/exit_loop.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/time.h"
#include "kernel/x86.h"
#include "svm/npt.h"
#include "svm/offsets.h"
#include "svm/svm.h"

_Static_assert(offsetof(struct vcpu, gpr) == 0, "svm/enter.S");
_Static_assert(offsetof(struct vcpu, gpr[R15]) == VCPU_GPR(15), "svm/enter.S");

/* An ASID that nobody has used in this generation; all of the CPU's translations go when they run
 * out, so that a new one needs no flush (APM 2, "TLB Control"). */
static void new_asid(struct vcpu *v)
{
    struct svm_cpu *cpu = this_cpu()->backend;
    struct svm_vcpu *x = svm_of(v);

    if (cpu->next_asid >= svm_caps.asids) {
        cpu->next_asid = 1;
        cpu->generation++;
        x->vmcb->control.tlb_control = TLB_FLUSH_ALL;
    }
    x->vmcb->control.asid = cpu->next_asid++;
    x->generation = cpu->generation;
}

static void enter(struct vcpu *v, struct vmexit *exit)
{
    struct svm_cpu *cpu = this_cpu()->backend;
    struct svm_vcpu *x = svm_of(v);
    struct vmcb *vmcb = x->vmcb;

    svm_write_back(v);
    if (unlikely(x->generation != cpu->generation))
        new_asid(v);
    vmcb->save.rax = v->gpr[RAX];
    svm_enter(v, x->vmcb_hpa, x->host_hpa);
    v->gpr[RAX] = vmcb->save.rax;
    v->valid = 0;
    vmcb->control.event_inject = 0; /* a processor without a guest in it does not clear it */
    vmcb->control.tlb_control = TLB_NOTHING;
    svm_decode(v, exit);
    if (unlikely(exit->kind == EXIT_ENTRY_FAILED)) /* it may not have flushed either */
        cpu->next_asid = svm_caps.asids;
}

/* A deadline that has passed is an exit of its own, without an entry: what was to be injected then
 * waits like an event whose delivery was interrupted. */
static void svm_run(struct vcpu *v, struct vmexit *exit)
{
    struct svm_vcpu *x = svm_of(v);
    struct vmcb_control *c = &x->vmcb->control;

    if (likely(!x->timer_due)) {
        enter(v, exit);
        return;
    }
    x->timer_due = false;
    c->exit_int_info = c->event_inject;
    c->event_inject = 0;
    svm_requeue_interrupted_event(v);
    exit->word = EXIT_TIMER | (uint64_t)SVM_CODE_TIMER << VMEXIT_CODE_SHIFT;
}

static void svm_loop(struct vcpu *v)
{
    exit_loop(v, svm_run);
}

/* By the host's timer: its interrupt ends the guest's turn. */
static void svm_set_timer(struct vcpu *v, uint64_t tsc)
{
    struct svm_vcpu *x = svm_of(v);

    x->timer_tsc = tsc;
    x->timer_due = tsc <= time_tsc();
    svm_arm(v);
}

/* HLT always exits. Without a filter every PAUSE would. */
static void svm_intercept_idle(struct vcpu *v, bool on)
{
    uint32_t *intercepts = &vmcb_of(v)->control.intercept_1;

    *intercepts = svm_with_bit(*intercepts, INTERCEPT_1_PAUSE, on && svm_caps.pause_filter);
}

/* For QEMU without KVM INT3 is a software interrupt as INT n is, and its exception not seen. */
static void svm_intercept_exception(struct vcpu *v, uint8_t vector, bool on)
{
    struct vmcb_control *c = &vmcb_of(v)->control;

    c->intercept_exceptions = SVM_EXCEPTIONS |
                              svm_with_bit(c->intercept_exceptions, BIT(vector), on);
    if (vector == VECTOR_BP)
        c->intercept_1 = svm_with_bit(c->intercept_1, INTERCEPT_1_SWINT, on);
}

static void svm_wake(struct vcpu *v)
{
    (void)v; /* it never sleeps inside */
}

static void svm_flush_linear(struct vcpu *v)
{
    svm_of(v)->generation = 0;
}

static void svm_flush(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        if (vm->vcpus[i] && vm->vcpus[i]->cpu == this_cpu() && svm_of(vm->vcpus[i]))
            svm_flush_linear(vm->vcpus[i]);
    }
}

static uint32_t svm_features(void)
{
    return svm_caps.features;
}

static const struct pt_format *svm_nested_format(void)
{
    return svm_caps.pages_1g ? &npt_format : &npt_format_2m;
}

static const struct backend svm_backend = {
    .name = "AMD-V",
    .exit_codes = SVM_CODES,
    .probe = svm_probe,
    .cpu_on = svm_cpu_on,
    .features = svm_features,
    .nested_format = svm_nested_format,
    .vm_init = svm_vm_init,
    .vm_fini = svm_vm_fini,
    .vcpu_init = svm_vcpu_init,
    .vcpu_fini = svm_vcpu_fini,
    .vcpu_reset = svm_vcpu_reset,
    .load = svm_load,
    .put = svm_put,
    .loop = svm_loop,
    .get = svm_get,
    .set = svm_set,
    .get_segment = svm_get_segment,
    .set_segment = svm_set_segment,
    .code = svm_code,
    .inject = svm_inject,
    .interruptible = svm_interruptible,
    .nmi_ready = svm_nmi_ready,
    .window = svm_window,
    .intercept_idle = svm_intercept_idle,
    .set_timer = svm_set_timer,
    .intercept_exception = svm_intercept_exception,
    .wake = svm_wake,
    .intercept_msr = svm_intercept_msr,
    .flush = svm_flush,
    .flush_linear = svm_flush_linear,
    .exit_name = svm_exit_name,
    .exit_enabled = svm_exit_enabled,
};
BACKEND(svm_backend);
