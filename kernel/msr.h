/* SPDX-License-Identifier: MIT */
/* MSRs that live in software, per vCPU; shared by kernel/msr.c, msr_register.c and mtrr.c. */
#ifndef KERNEL_MSR_H
#define KERNEL_MSR_H

#include "kernel/types.h"

struct vcpu;

#define MTRR_VARIABLE 8u
#define MTRR_FIXED 11u
#define MTRRCAP_VALUE (MTRR_VARIABLE | 1u << 8 | 1u << 10) /* fixed ranges, write-combining */

struct mtrrs {
    uint64_t def_type;
    uint64_t variable[2 * MTRR_VARIABLE];
    uint64_t fixed[MTRR_FIXED];
};

struct vcpu_msrs {
    uint64_t misc_enable;
    struct mtrrs mtrr;
};

/* 0, or -EINVAL: #GP. */
int mtrr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
int mtrr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
int msr_read_misc_enable(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
int msr_write_misc_enable(struct vcpu *vcpu, uint32_t msr, uint64_t value);
int msr_read_efer(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
int msr_write_efer(struct vcpu *vcpu, uint32_t msr, uint64_t value);
int msr_read_pat(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
int msr_write_pat(struct vcpu *vcpu, uint32_t msr, uint64_t value);

#endif
