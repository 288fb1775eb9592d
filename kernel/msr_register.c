/* SPDX-License-Identifier: MIT */
/*
 * MSRs that are registers of the vCPU: EFER, PAT, IA32_MISC_ENABLE (root mode). EFER and PAT are
 * not passed through: in EFER one vendor keeps a bit of its own, and not every emulator has a PAT
 * for the guest. Source: SDM 4, "Model-Specific Registers".
 */
#include <errno.h>

#include "kernel/msr.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

int msr_read_misc_enable(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = v->msrs->misc_enable;
    return 0;
}

int msr_write_misc_enable(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)msr;
    v->msrs->misc_enable = (v->msrs->misc_enable & ~MISC_ENABLE_FAST_STRINGS) |
                           (value & MISC_ENABLE_FAST_STRINGS);
    return 0;
}

int msr_read_efer(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu_get(v, VREG_EFER);
    return 0;
}

int msr_read_pat(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu_get(v, VREG_PAT);
    return 0;
}

int msr_write_pat(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)msr;
    if (!x86_pat_defined(value))
        return -EINVAL;
    vcpu_set(v, VREG_PAT, value);
    return 0;
}

#define EFER_WRITABLE (EFER_SCE | EFER_LME | EFER_NXE)

int msr_write_efer(struct vcpu *v, uint32_t msr, uint64_t value)
{
    uint64_t old = vcpu_get(v, VREG_EFER);
    bool paging = vcpu_get(v, VREG_CR0) & CR0_PG;

    (void)msr;
    if (value & ~(EFER_WRITABLE | EFER_LMA))
        return -EINVAL;
    if (paging && ((old ^ value) & EFER_LME))
        return -EINVAL;
    vcpu_set(v, VREG_EFER, (value & EFER_WRITABLE) | (old & EFER_LMA));
    if ((old ^ value) & EFER_NXE)
        backend->flush_linear(v);
    return 0;
}
