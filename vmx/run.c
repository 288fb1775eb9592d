/* SPDX-License-Identifier: MIT */
/* Entry, events, windows and the timer of the current VMCS (root mode). */
#include "kernel/exit_loop.h"
#include "kernel/log.h"
#include "kernel/time.h"
#include "kernel/x86.h"
#include "vmx/decode.h"
#include "vmx/ept.h"
#include "vmx/offsets.h"
#include "vmx/vmx.h"
#include "vmx/vmx_asm.h"

_Static_assert(offsetof(struct vcpu, gpr) == 0, "vmx/enter.S");
_Static_assert(offsetof(struct vcpu, gpr[R15]) == VCPU_GPR(15), "vmx/enter.S");
_Static_assert(offsetof(struct vcpu, host_rsp) == VCPU_HOST_RSP, "vmx/enter.S");
_Static_assert(offsetof(struct cpu, current) == CPU_CURRENT, "vmx/enter.S");

#define TIMER_MAX 0xffffffffull

void vmx_write_back(struct vcpu *v)
{
    uint32_t dirty = v->dirty;

    if (!dirty)
        return;
    if (dirty & VCPU_RIP)
        vmcs_write(VMCS_GUEST_RIP, v->rip);
    if (dirty & VCPU_RFLAGS)
        vmcs_write(VMCS_GUEST_RFLAGS, v->rflags);
    if (dirty & VCPU_SHADOW) {
        uint64_t state = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY);
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, state & ~(BLOCKING_STI | BLOCKING_MOV_SS));
    }
    v->dirty = 0;
}

/* Right before an entry, since the timer stands still in root mode. Rounded up, and one more
 * because the first step may come at once: never early. */
static void arm_timer(struct vcpu *v)
{
    struct vmx_vcpu *x = vmx_of(v);
    uint64_t now, value = TIMER_MAX;

    v->timer_limit = VTIMER_OFF;
    if (x->timer_tsc != VTIMER_OFF) {
        v->timer_limit = v->stats.all.cycles + x->timer_slack;
        now = time_tsc();
        value = x->timer_tsc <= now ? 0 : ((x->timer_tsc - now) >> vmx_caps.timer_shift) + 2;
    }
    vmcs_write(VMCS_PREEMPTION_TIMER, MIN(value, TIMER_MAX));
}

#define INSN_ERROR_NOT_LAUNCHED 5u

/* The first entry after VMCLEAR is VMLAUNCH's. False: refused for good. */
static __attribute__((noinline)) bool enter_otherwise(struct vcpu *v, struct vmexit *exit)
{
    uint64_t error = vmcs_read(VMCS_INSN_ERROR);

    if (error == INSN_ERROR_NOT_LAUNCHED) {
        if (vmx_launch(v))
            return true;
        error = vmcs_read(VMCS_INSN_ERROR);
    }
    log_printf("vmx: VM entry refused, VM-instruction error %llu\n", (unsigned long long)error);
    vmx_explain_entry_failure(v, 0);
    *exit = (struct vmexit){ .kind = EXIT_ENTRY_FAILED, .code = VMX_EXIT_ENTRY_GUEST_STATE };
    return false;
}

__attribute__((always_inline)) inline void vmx_run(struct vcpu *v, struct vmexit *exit)
{
    if (likely(v->dirty == VCPU_RIP))
        vmcs_write(VMCS_GUEST_RIP, v->rip);
    else
        vmx_write_back(v);
    if (unlikely(v->stats.all.cycles >= v->timer_limit))
        arm_timer(v);
    if (likely(vmx_resume(v)) || enter_otherwise(v, exit))
        vmx_decode(v, exit);
    else
        v->dirty = 0;
}

static void vmx_loop(struct vcpu *v)
{
    exit_loop(v, vmx_run);
}

static const uint8_t intr_types[] = {
    [VEVENT_INTERRUPT] = INTR_TYPE_EXTERNAL,
    [VEVENT_NMI] = INTR_TYPE_NMI,
    [VEVENT_EXCEPTION] = INTR_TYPE_EXCEPTION,
    [VEVENT_SOFT_INTERRUPT] = INTR_TYPE_SOFT_INTERRUPT,
    [VEVENT_SOFT_EXCEPTION] = INTR_TYPE_SOFT_EXCEPTION,
    [VEVENT_ICEBP] = INTR_TYPE_PRIVILEGED_EXCEPTION,
};

static void vmx_inject(struct vcpu *v)
{
    const struct vevent *event = &v->event;
    uint64_t info = event->vector | (uint64_t)intr_types[event->type] << INTR_TYPE_SHIFT |
                    INTR_VALID;

    if (unlikely(event->has_error_code)) {
        info |= INTR_ERROR_CODE;
        vmcs_write(VMCS_ENTRY_ERROR_CODE, event->error_code);
    }
    if (unlikely(event->type >= VEVENT_SOFT_INTERRUPT))
        vmcs_write(VMCS_ENTRY_INSN_LENGTH, event->length);
    vmcs_write(VMCS_ENTRY_INTR_INFO, info);
}

uint64_t vmx_shadow(struct vcpu *v)
{
    if (!(v->valid & VCPU_SHADOW)) {
        v->shadow = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY);
        v->valid |= VCPU_SHADOW;
        /* the shadow of STI ends with the HLT behind it; some processors leave the bit */
        if ((v->shadow & VCPU_SHADOW_MASK) && vmcs_read(VMCS_GUEST_ACTIVITY) == ACTIVITY_HLT) {
            v->shadow &= ~VCPU_SHADOW_MASK;
            vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, v->shadow);
        }
    }
    return v->shadow;
}

static bool vmx_interruptible(struct vcpu *v)
{
    return (vmx_get(v, VREG_RFLAGS) & RFLAGS_IF) && !(vmx_shadow(v) & VCPU_SHADOW_MASK);
}

static bool vmx_nmi_ready(struct vcpu *v)
{
    return !(vmx_shadow(v) & (BLOCKING_NMI | BLOCKING_STI | BLOCKING_MOV_SS));
}

static void set_proc(struct vcpu *v, uint64_t mask, uint64_t value)
{
    struct vmx_vcpu *x = vmx_of(v);
    uint32_t proc = (x->proc & ~(uint32_t)mask) | (uint32_t)value;

    if (proc == x->proc)
        return;
    x->proc = proc;
    vmcs_write(VMCS_PROC_CONTROLS, proc);
}

static void vmx_window(struct vcpu *v, unsigned windows)
{
    set_proc(v, PROC_IRQ_WINDOW | PROC_NMI_WINDOW,
             (windows & VWINDOW_IRQ ? PROC_IRQ_WINDOW : 0) |
                 (windows & VWINDOW_NMI ? PROC_NMI_WINDOW : 0));
}

static void vmx_intercept_idle(struct vcpu *v, bool on)
{
    struct vmx_vcpu *x = vmx_of(v);
    uint32_t loop = vmx_caps.proc2_optional & (uint32_t)PROC2_PAUSE_LOOP;

    set_proc(v, PROC_HLT, on ? PROC_HLT : 0);
    if (on == !!(x->proc2 & loop) || !loop)
        return;
    x->proc2 ^= loop;
    vmcs_write(VMCS_PROC_CONTROLS2, x->proc2);
}

static void vmx_intercept_exception(struct vcpu *v, uint8_t vector, bool on)
{
    uint64_t bitmap = vmcs_read(VMCS_EXCEPTION_BITMAP) & ~BIT(vector);

    (void)v;
    vmcs_write(VMCS_EXCEPTION_BITMAP, bitmap | (on ? BIT(vector) : 0) | VMX_EXCEPTIONS);
}

static void vmx_wake(struct vcpu *v)
{
    (void)v;
    if (vmcs_read(VMCS_GUEST_ACTIVITY) == ACTIVITY_HLT)
        vmcs_write(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
}

static void vmx_set_timer(struct vcpu *v, uint64_t tsc)
{
    vmx_of(v)->timer_tsc = tsc;
    v->timer_limit = 0;
}

static void vmx_flush(struct vm *vm)
{
    if (!vmx_invept(INVEPT_SINGLE, vmx_vm_of(vm)->eptp))
        vmx_refused("INVEPT", vmx_vm_of(vm)->eptp);
}

/* Without VPIDs each entry flushes by itself. */
void vmx_flush_linear(struct vcpu *v)
{
    if ((vmx_caps.proc2 & PROC2_VPID) && !vmx_invvpid(INVVPID_SINGLE, vmx_of(v)->vpid))
        vmx_refused("INVVPID", vmx_of(v)->vpid);
}

static uint32_t vmx_features(void)
{
    uint32_t mask = 0;

    mask |= vmx_caps.proc2 & PROC2_RDTSCP ? VFEATURE_RDTSCP : 0;
    mask |= vmx_caps.proc2 & PROC2_INVPCID ? VFEATURE_INVPCID : 0;
    mask |= vmx_caps.proc2 & PROC2_XSAVES ? VFEATURE_XSAVES : 0;
    return mask;
}

static const struct backend vmx_backend = {
    .name = "VT-x",
    .exit_codes = VMX_EXIT_REASONS,
    .pdpte_registers = true,
    .probe = vmx_probe,
    .cpu_on = vmx_cpu_on,
    .features = vmx_features,
    .nested_format = ept_nested_format,
    .vm_init = vmx_vm_init,
    .vm_fini = vmx_vm_fini,
    .vcpu_init = vmx_vcpu_init,
    .vcpu_fini = vmx_vcpu_fini,
    .vcpu_reset = vmx_vcpu_reset,
    .load = vmx_load,
    .put = vmx_put,
    .loop = vmx_loop,
    .get = vmx_get,
    .set = vmx_set,
    .get_segment = vmx_get_segment,
    .set_segment = vmx_set_segment,
    .code = vmx_code,
    .inject = vmx_inject,
    .interruptible = vmx_interruptible,
    .nmi_ready = vmx_nmi_ready,
    .window = vmx_window,
    .intercept_idle = vmx_intercept_idle,
    .set_timer = vmx_set_timer,
    .intercept_exception = vmx_intercept_exception,
    .wake = vmx_wake,
    .intercept_msr = vmx_intercept_msr,
    .flush = vmx_flush,
    .flush_linear = vmx_flush_linear,
    .apicv = &vmx_apicv,
    .exit_name = vmx_exit_name,
    .exit_enabled = vmx_exit_enabled,
};
BACKEND(vmx_backend);
