/* SPDX-License-Identifier: MIT */
/* VMs that were asked to stop: vm_stop_request (kernel/vm.h) and its time-outs. On CPU 0. */
#ifndef KERNEL_VM_STOP_H
#define KERNEL_VM_STOP_H

#include "kernel/types.h"

struct vm;

/* Was this run of the VM asked to stop? It is not restarted then. */
bool vm_stop_requested(const struct vm *vm);
/* Kills the VMs whose time is over. */
void vm_stop_check(void);
/* Host TSC of the earliest time-out; VTIMER_OFF: none. */
uint64_t vm_stop_deadline(void);

#endif
