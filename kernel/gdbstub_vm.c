/* SPDX-License-Identifier: MIT */
/*
 * The debugged VM: stopping and resuming its vCPUs, single steps (root mode, CPU 0 unless stated).
 *
 * A stopped vCPU has VCPU_REQ_PAUSE, which only its own CPU takes away. A step sets TF, and the
 * #DB that follows comes to us; the guest does not see that TF: not in a PUSHF that is stepped, and
 * interrupts wait so that it does not come onto the stack of a handler.
 */
#include <errno.h>

#include "kernel/exit.h"
#include "kernel/gdbstub.h"
#include "kernel/gmem.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

#define INSN_PUSHF 0x9c
#define PREFIX_OPERAND_SIZE 0x66

struct gdb_session gdb;

bool gdb_vm_there(void)
{
    return vm_get(gdb.id) == gdb.vm && gdb.vm->serial == gdb.serial &&
           gdb.vm->launches == gdb.launches && gdb.vm->state == VM_RUNNING;
}

static void watch(struct vcpu *v, void *arg)
{
    backend->intercept_exception(v, VECTOR_BP, *(bool *)arg);
}

static void for_all(void (*fn)(struct vcpu *vcpu, void *arg), void *arg)
{
    for (uint32_t i = 0; i < gdb.vm->vcpu_count; i++)
        vcpu_call(gdb.vm->vcpus[i], fn, arg);
}

int gdb_attach(struct vm *vm)
{
    if (gdb.vm)
        return -EBUSY;
    if (vm->state != VM_RUNNING)
        return -ESRCH;
    gdb = (struct gdb_session){
        .vm = vm, .id = vm->id, .launches = vm->launches, .serial = vm->serial
    };
    for_all(watch, &(bool){ true });
    return 0;
}

void gdb_detach(void)
{
    if (gdb_vm_there()) {
        gdb_stop_all();
        for (unsigned i = 0; i < GDB_BREAKPOINTS; i++) {
            if (gdb.breakpoints[i].used)
                gdb_breakpoint_clear(gdb.breakpoints[i].gva);
        }
        for_all(watch, &(bool){ false });
        gdb_resume(~0u, 0);
    }
    gdb.vm = NULL;
}

/* Is the next instruction PUSHF? On the vCPU's CPU, like all that follows up to end_step. */
static bool at_pushf(struct vcpu *v)
{
    uint8_t code[2] = { 0 };
    uint32_t error;
    gva_t fault, rip = vcpu_linear(v, VSEG_CS, vcpu_get(v, VREG_RIP));

    if (gwalk_read(v, rip, code, sizeof(code), PT_R, &fault, &error))
        return false;
    return code[0] == INSN_PUSHF || (code[0] == PREFIX_OPERAND_SIZE && code[1] == INSN_PUSHF);
}

static void begin_step(struct vcpu *v)
{
    uint64_t rflags = vcpu_get(v, VREG_RFLAGS);

    v->stepped = (uint8_t)(VCPU_STEPPED | (rflags & RFLAGS_TF ? VCPU_STEPPED_OWN_TF : 0) |
                           (at_pushf(v) ? VCPU_STEPPED_PUSHF : 0));
    if (v->state == VCPU_HALTED)
        v->state = VCPU_RUNNABLE;
    backend->wake(v);
    vcpu_end_shadow(v); /* together with TF it needs a pending #DB */
    vcpu_set(v, VREG_RFLAGS, rflags | RFLAGS_TF);
    vcpu_request(v, VCPU_REQ_IRQ); /* closes the windows */
}

static void hide_pushed_tf(struct vcpu *v)
{
    gva_t fault, top = vcpu_linear(v, VSEG_SS, vcpu_gpr(v, RSP));
    uint32_t error;
    uint16_t flags;

    if (gwalk_read(v, top, &flags, sizeof(flags), PT_R, &fault, &error))
        return;
    flags = (uint16_t)(flags & ~RFLAGS_TF);
    (void)gwalk_write(v, top, &flags, sizeof(flags), PT_R, &fault, &error); /* was just written */
}

static void end_step(struct vcpu *v, void *arg)
{
    (void)arg;
    if (!v->stepped)
        return;
    if (!(v->stepped & VCPU_STEPPED_OWN_TF)) {
        vcpu_set(v, VREG_RFLAGS, vcpu_get(v, VREG_RFLAGS) & ~RFLAGS_TF);
        if (v->stepped & VCPU_STEPPED_PUSHF)
            hide_pushed_tf(v);
    }
    v->stepped = 0;
    vcpu_request(v, VCPU_REQ_IRQ); /* what has waited */
}

void gdb_stop_all(void)
{
    if (gdb.stopped)
        return;
    for (uint32_t i = 0; i < gdb.vm->vcpu_count; i++)
        vcpu_request(gdb.vm->vcpus[i], VCPU_REQ_PAUSE);
    for_all(end_step, NULL); /* runs when the vCPU is out of its loop */
    gdb.stopped = true;
}

static void resume(struct vcpu *v, void *arg)
{
    if (*(bool *)arg)
        begin_step(v);
    __atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQ_PAUSE, __ATOMIC_SEQ_CST);
}

void gdb_resume(uint32_t go, uint32_t step)
{
    gdb.trap = 0;
    gdb.stopped = false;
    for (uint32_t i = 0; i < gdb.vm->vcpu_count; i++) {
        bool steps = step >> i & 1;
        if ((go | step) >> i & 1)
            vcpu_call(gdb.vm->vcpus[i], resume, &steps);
    }
}

/* On the vCPU's CPU. The first one counts; others meet their breakpoint again. */
static void stop_here(struct vcpu *v, enum gdb_stop why)
{
    uint32_t none = 0;

    __atomic_compare_exchange_n(&gdb.trap, &none, (uint32_t)why << 16 | v->id, false,
                                __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    vcpu_request(v, VCPU_REQ_PAUSE);
    cpu_kick(cpu_get(0));
}

bool gdbstub_exception(struct vcpu *v, const struct vmexit *exit)
{
    if (likely(v->vm != gdb.vm))
        return false;
    if (exit->vector == VECTOR_DB ? !v->stepped || !(exit->debug_status & DR6_BS)
                                  : exit->vector != VECTOR_BP || !gdb_at_breakpoint(v))
        return false;
    stop_here(v, exit->vector == VECTOR_DB ? GDB_STOP_STEP : GDB_STOP_BREAKPOINT);
    return true;
}

bool gdbstub_stepped(struct vcpu *v)
{
    if (!v->stepped)
        return false;
    stop_here(v, GDB_STOP_STEP);
    return true;
}
