/* SPDX-License-Identifier: MIT */
/* Hypercalls register one by one; numbers and meaning are in guests/abi.h. */
#ifndef KERNEL_HYPERCALL_H
#define KERNEL_HYPERCALL_H

#include "guests/abi.h"
#include "kernel/set.h"
#include "kernel/types.h"

struct vcpu;

#define HYPERCALLS_MAX 32u /* numbers from MULLION_HC_BASE */

struct hypercall {
    uint32_t number;
    const char *name;
    /* Arguments in RBX, RCX, RDX, RSI of the vCPU; the result goes to RAX. */
    int64_t (*call)(struct vcpu *vcpu);
};
SET_DECLARE(hypercall, struct hypercall);

#define HYPERCALL(number_, fn)                                                                     \
    static const struct hypercall hypercall_##number_ = {                                          \
        .number = (number_), .name = #number_, .call = (fn)};                                      \
    SET_ADD(hypercall, hypercall_##number_)

/* Builds the table; panics on two with one number. */
void hypercall_init(void);

#endif
