/* SPDX-License-Identifier: MIT */
/*
 * What the hypervisor says about its VMs (root mode): events for headless runs, one JSON object a
 * line on channel R of the multiplexed output (docs/headless.md), and post-mortems in the log.
 */
#ifndef KERNEL_REPORT_H
#define KERNEL_REPORT_H

#include "kernel/set.h"
#include "kernel/types.h"
#include "kernel/vcpu.h"

struct vm;

/* A VM exists from now on. On CPU 0. */
void report_vm_defined(const struct vm *vm);
/* A VM has ended; before it is taken apart. On CPU 0. */
void report_vm_end(struct vm *vm);
/* Says `done` when no VM runs any more (boot option headless). On CPU 0. */
void report_if_all_ended(void);
/* Who else wants to know that no VM runs any more. On CPU 0. */
struct report_hook {
    const char *name;
    void (*all_ended)(void);
};
SET_DECLARE(report_hook, struct report_hook);
/* Start-up is over: before, report_if_all_ended says nothing. On CPU 0. */
void report_start(void);

/* Registers, last exits, code and stack of a vCPU that is loaded on this CPU, into the log. */
void report_vcpu(struct vcpu *vcpu);
/* The last exits alone; reads nothing but the vCPU's record. */
void report_last_exits(const struct vcpu *vcpu);

/* Exits of all vCPUs with this code, and the cycles that they took; of a VM that has ended, as
 * they were at its end. */
uint64_t report_exits(const struct vm *vm, unsigned code, uint64_t *cycles);
/* The VM's record goes away. On CPU 0. */
void report_vm_gone(struct vm *vm);

/* Name of a compact exit code; never NULL. */
const char *report_exit_name(unsigned code);

#endif
