/* SPDX-License-Identifier: MIT */
/*
 * What a vCPU owns in the processor beyond the backend's state area: FPU and XCR0, debug
 * registers, MSRs that the guest uses without exits. Switched in this one place.
 */
#ifndef KERNEL_GUEST_STATE_H
#define KERNEL_GUEST_STATE_H

#include "kernel/types.h"

struct vcpu;

/* 0, -ENOMEM. */
int guest_state_init(struct vcpu *vcpu);
void guest_state_fini(struct vcpu *vcpu);

/* Into the processor, and out of it. On the vCPU's CPU. */
void guest_state_load(struct vcpu *vcpu);
void guest_state_put(struct vcpu *vcpu);

/* What INIT changes of the state that is loaded; FPU and MSRs stay (SDM 3A, "Processor State After
 * Reset, INIT"). */
void guest_state_reset_loaded(void);

/* Takes over an XCR0 that the guest may have written without an exit: some emulators let it. */
void guest_state_see_xcr0(struct vcpu *vcpu);
/* XSETBV: 0; -EINVAL: a reserved or unoffered bit, or a forbidden combination: #GP. */
int guest_state_set_xcr(struct vcpu *vcpu, uint32_t index, uint64_t value);

/* XCR0 bits that guests may use on this machine, and bytes that their area needs at most. */
uint64_t guest_state_xcr0_mask(void);

#endif
