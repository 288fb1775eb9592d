/* SPDX-License-Identifier: MIT */
/*
 * Virtual MTRRs (root mode): kept and checked for the guest, without effect, since its RAM is
 * write-back whatever it says. Source: SDM 3A, "Memory Type Range Registers (MTRRs)".
 */
#include <errno.h>

#include "kernel/msr.h"
#include "kernel/policy.h"
#include "kernel/vcpu.h"

static const uint32_t fixed_mtrrs[MTRR_FIXED] = {
    0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f,
};

static uint64_t *mtrr(struct vcpu *v, uint32_t msr)
{
    if (msr == MSR_IA32_MTRR_DEF_TYPE)
        return &v->msrs->mtrr.def_type;
    if (msr - MSR_IA32_MTRR_PHYSBASE0 < 2 * MTRR_VARIABLE)
        return &v->msrs->mtrr.variable[msr - MSR_IA32_MTRR_PHYSBASE0];
    for (unsigned i = 0; i < MTRR_FIXED; i++) {
        if (fixed_mtrrs[i] == msr)
            return &v->msrs->mtrr.fixed[i];
    }
    return NULL;
}

int mtrr_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    const uint64_t *slot = mtrr(v, msr);

    if (!slot)
        return -EINVAL;
    *value = *slot;
    return 0;
}

static bool memory_type_valid(uint64_t type)
{
    return type == MEM_TYPE_UC || type == MEM_TYPE_WC || type == MEM_TYPE_WT ||
           type == MEM_TYPE_WP || type == MEM_TYPE_WB;
}

#define MTRR_TYPE 0xffull
#define MTRR_DEF_TYPE_DEFINED (MTRR_TYPE | MTRR_DEF_TYPE_FE | MTRR_DEF_TYPE_E)
#define MTRR_PHYSMASK_VALID BIT(11)

static bool mtrr_value_valid(uint32_t msr, uint64_t value)
{
    if (msr == MSR_IA32_MTRR_DEF_TYPE)
        return !(value & ~MTRR_DEF_TYPE_DEFINED) && memory_type_valid(value & MTRR_TYPE);
    if (msr - MSR_IA32_MTRR_PHYSBASE0 < 2 * MTRR_VARIABLE) {
        if (msr & 1)
            return !(value & ~(policy_address_mask() & ~0xfffull) & ~MTRR_PHYSMASK_VALID);
        return !(value & ~(policy_address_mask() & ~0xf00ull)) &&
               memory_type_valid(value & MTRR_TYPE);
    }
    for (unsigned i = 0; i < 8; i++) {
        if (!memory_type_valid(value >> (8 * i) & MTRR_TYPE))
            return false;
    }
    return true;
}

int mtrr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    uint64_t *slot = mtrr(v, msr);

    if (!slot || !mtrr_value_valid(msr, value))
        return -EINVAL;
    *slot = value;
    return 0;
}
