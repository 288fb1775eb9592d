/* SPDX-License-Identifier: MIT */
/*
 * Why VMRUN refused a guest (root mode and build host): the processor says VMEXIT_INVALID and no
 * more, so this walks the manual's rules and logs each that the VMCB breaks.
 */
#include "svm/check.h"

#include "kernel/log.h"

static void show(const struct svm_value *values)
{
    for (; values->name; values++)
        log_printf("    %s = 0x%llx\n", values->name, (unsigned long long)values->value);
}

void svm_rule(struct svm_check *c, bool holds, const char *text, const struct svm_value *values)
{
    if (holds)
        return;
    c->broken++;
    log_printf("%s: broken: %s (APM 2, \"%s\")\n", c->vm, text, c->section);
    show(values);
}

unsigned svm_check(const char *vm, const struct vmcb *vmcb, uint64_t host_cr3)
{
    const struct vmcb_control *control = &vmcb->control;
    const struct vmcb_save *save = &vmcb->save;
    const struct svm_value all[] = {
        { "intercept_1", control->intercept_1 }, { "intercept_2", control->intercept_2 },
        { "iopm_base", control->iopm_base }, { "msrpm_base", control->msrpm_base },
        { "asid", control->asid }, { "tlb_control", control->tlb_control },
        { "vintr", control->vintr }, { "event_inject", control->event_inject },
        { "exit_int_info", control->exit_int_info }, { "nested_control", control->nested_control },
        { "nested_cr3", control->nested_cr3 }, { "clean", control->clean },
        { "efer", save->efer }, { "cr0", save->cr0 }, { "cr3", save->cr3 }, { "cr4", save->cr4 },
        { "dr6", save->dr6 }, { "dr7", save->dr7 }, { "rflags", save->rflags },
        { "cs.attributes", save->cs.attributes }, { "g_pat", save->g_pat }, { NULL, 0 },
    };
    struct svm_check c = { .vm = vm };

    svm_check_rules(&c, vmcb);
    if (c.broken)
        return c.broken;
    log_printf("%s: no rule that is known here is broken\n", vm);
    if (save->cr3 == host_cr3) /* as in QEMU, where most rules are asked before the guest's */
        log_printf("%s: but the state is the host's: the processor has put it there\n", vm);
    show(all);
    return 0;
}
