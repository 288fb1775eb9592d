/* SPDX-License-Identifier: MIT */
/* KVM's paravirtual clock: wall-clock time and the TSC's scale in guest memory. */
#ifndef KERNEL_PVCLOCK_H
#define KERNEL_PVCLOCK_H

#include "kernel/types.h"

struct vcpu;

/* WRMSR of MSR_KVM_WALL_CLOCK_NEW and MSR_KVM_SYSTEM_TIME_NEW: 0, or -EINVAL: #GP (the address
 * is not RAM or misaligned). */
int pvclock_write_wall(struct vcpu *vcpu, uint32_t msr, uint64_t value);
int pvclock_write_system(struct vcpu *vcpu, uint32_t msr, uint64_t value);

#endif
