/* SPDX-License-Identifier: MIT */
/* For backends: what both vendors' processors have in their registers after INIT. */
#ifndef KERNEL_VCPU_RESET_H
#define KERNEL_VCPU_RESET_H

struct vcpu;

/* By the backend's own set and set_segment; the general registers are the caller's. */
void vcpu_reset_registers(struct vcpu *vcpu);

#endif
