/* SPDX-License-Identifier: MIT */
/*
 * What a guest may see and use of the processor: CPUID (kernel/cpuid.c) and MSRs (kernel/msr.c)
 * as tables with a reason for each row. What no row names does not exist for guests.
 */
#ifndef KERNEL_POLICY_H
#define KERNEL_POLICY_H

#include "kernel/types.h"
#include "kernel/x86.h"

struct vcpu;
struct vm;

/* Builds the vCPU's CPUID table and MSR values, and lets the MSRs that need no exit pass. After
 * all vCPUs of the VM exist, before devices. 0, -ENOMEM. */
int policy_init(struct vcpu *vcpu);
int cpuid_init(struct vcpu *vcpu);
int msr_init(struct vcpu *vcpu);

/* One CPUID leaf as this vCPU sees it. */
struct cpuid_regs cpuid_of(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf);

/* Coursework leaves (kernel/course.c). False: this VM has no such leaf. */
bool course_leaf(struct vcpu *vcpu, uint32_t leaf, struct cpuid_regs *out);

/* CR4 bits that guests may set on this machine. */
uint64_t policy_cr4_mask(void);
/* Physical address bits, as a mask. */
uint64_t policy_address_mask(void);

#endif
