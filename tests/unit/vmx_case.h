/* SPDX-License-Identifier: MIT */
/* VT-x for tests/unit/decode_case.h: exits through vmx_run on the fake processor (build host). */
#ifndef TESTS_UNIT_VMX_CASE_H
#define TESTS_UNIT_VMX_CASE_H

#include "tests/unit/decode_case.h"
#include "tests/unit/fake_vmx.h"
#include "tests/unit/host_stubs.h"

#define EVENT(type, vector) (INTR_VALID | (uint64_t)(type) << INTR_TYPE_SHIFT | (vector))

static struct vcpu *const v = &fake_vmx.vcpu;

static inline void put(enum vmcs_field field, uint64_t value)
{
    fake_vmx.vmcs[field] = value;
}

static inline uint64_t get(enum vmcs_field field)
{
    return fake_vmx.vmcs[field];
}

static int setup(void **state)
{
    (void)state;
    fake_vmx_reset();
    fake_vmx_create();
    memset(&last, 0xee, sizeof(last)); /* the run loop does not clear it */
    put(VMCS_GUEST_RIP, CASE_RIP);
    put(VMCS_EXIT_INSN_LENGTH, CASE_LENGTH);
    return 0;
}

/* `info` is the exit qualification. */
static const struct vmexit *exit_with(uint64_t code, uint64_t info)
{
    put(VMCS_EXIT_REASON, code);
    put(VMCS_EXIT_QUALIFICATION, info);
    vmx_run(v, &last);
    return &last;
}

#endif
