/* SPDX-License-Identifier: MIT */
/* A VMCB from its creation to its end, and the ASID that it runs with (root mode). */
#include <errno.h>

#include "kernel/page.h"
#include "kernel/time.h"
#include "kernel/vcpu_reset.h"
#include "svm/svm.h"

void svm_vcpu_reset(struct vcpu *v)
{
    struct svm_vcpu *x = svm_of(v);

    x->vmcb->control.event_inject = 0;
    x->vmcb->save.dbgctl = 0;
    svm_set(v, VREG_SHADOW, 0);
    svm_block_nmis(v, false);
    vcpu_reset_registers(v);
}

int svm_vcpu_init(struct vcpu *v)
{
    struct svm_cpu *cpu = this_cpu()->backend;
    struct svm_vcpu *x = vm_alloc(v->vm, sizeof(*x));
    struct vmcb_control *c;

    if (!x)
        return -ENOMEM;
    x->vmcb = page_zalloc();
    if (!x->vmcb)
        return -ENOMEM;
    x->vmcb_hpa = page_hpa(x->vmcb);
    x->host_hpa = page_hpa(&cpu->host);
    x->timer_tsc = VTIMER_OFF;
    v->backend = x;
    c = &x->vmcb->control;
    svm_controls_write(c);
    c->iopm_base = page_hpa(svm_caps.iopm);
    c->msrpm_base = page_hpa(v->vm->backend);
    c->nested_cr3 = v->vm->nested.root;
    c->tsc_offset = v->vm->tsc_offset;
    svm_vcpu_reset(v);
    svm_write_back(v);
    v->valid = 0;
    return 0;
}

void svm_vcpu_fini(struct vcpu *v)
{
    struct svm_vcpu *x = svm_of(v);

    if (!x)
        return;
    page_zfree(x->vmcb);
    v->backend = NULL;
}

void svm_load(struct vcpu *v)
{
    (void)v; /* VMRUN loads it */
}

void svm_put(struct vcpu *v)
{
    svm_write_back(v);
    v->valid = 0;
    time_set_wakeup(VTIMER_OFF);
}
