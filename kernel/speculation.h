/* SPDX-License-Identifier: MIT */
/*
 * Speculation controls for guests: IA32_SPEC_CTRL, PRED_CMD, FLUSH_CMD and ARCH_CAPABILITIES where
 * the processor has them; CPUID offers the same (kernel/cpuid_rules.h).
 */
#ifndef KERNEL_SPECULATION_H
#define KERNEL_SPECULATION_H

#include "kernel/types.h"

struct vcpu;
struct vm;

/* Looks at the processor. Once, on the boot CPU, before any VM is made. */
void speculation_init(void);
/* Lets pass what a guest may use without us. */
void speculation_let_pass(struct vm *vm);

/* SPEC_CTRL and ARCH_CAPABILITIES where they do not pass: 0, or -EINVAL: #GP. */
int speculation_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
int speculation_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);

/* The vCPU takes this CPU, leaves it. */
void speculation_load(const struct vcpu *vcpu);
void speculation_put(struct vcpu *vcpu);

#endif
