/* SPDX-License-Identifier: MIT */
/*
 * Speculation controls for guests (root mode). Each bit of IA32_SPEC_CTRL restricts the processor
 * further, so root mode may run with what the guest has set, as long as its own bits are set, too:
 * no exit touches the register, only the switch between vCPUs does. With enhanced IBRS root mode
 * wants its bit at all times, and guests seldom write: each write exits. Without, root mode wants
 * nothing, and guests that use IBRS write at each system call: these pass.
 * Source: SDM 4, "Model-Specific Registers"; Intel, "Speculative Execution Side Channel
 * Mitigations"; APM 2, "Speculation Control MSRs".
 */
#include "kernel/speculation.h"

#include <errno.h>

#include "kernel/mitigate.h"
#include "kernel/option.h"
#include "kernel/vcpu.h"
#include "kernel/x86.h"

/* RDCL_NO, IBRS_ALL, RSBA, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO,
 * SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, FB_CLEAR, RRSBA, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO, RFDS_CLEAR,
 * ITS_NO. Out: all that promises a register (TSX_CTRL, MISC_PACKAGE_CTLS, DOITM, GDS_CTRL ...). */
#define ARCH_CAP_OFFERED 0x400000001d1ae17full

static struct {
    uint64_t bits;         /* of SPEC_CTRL that guests may set; 0: they have no such register */
    uint64_t host;         /* always set */
    bool passes;           /* SPEC_CTRL needs no exit */
    bool pred, flush, has_capabilities;
    uint64_t capabilities;
} cpu;

void speculation_init(void)
{
    uint32_t edx7 = mitigate_leaf7_edx();
    uint32_t amd = x86_is_amd() ? x86_cpuid(CPUID_ADDRESS_SIZES, 0).ebx : 0;

    cpu.bits = ((edx7 & CPUID_7_EDX_IBRS_IBPB) || (amd & CPUID_80000008_EBX_IBRS)
                    ? SPEC_CTRL_IBRS : 0) |
               ((edx7 & CPUID_7_EDX_STIBP) || (amd & CPUID_80000008_EBX_STIBP)
                    ? SPEC_CTRL_STIBP : 0) |
               ((edx7 & CPUID_7_EDX_SSBD) || (amd & CPUID_80000008_EBX_SSBD) ? SPEC_CTRL_SSBD : 0);
    cpu.pred = (edx7 & CPUID_7_EDX_IBRS_IBPB) || (amd & CPUID_80000008_EBX_IBPB);
    cpu.flush = edx7 & CPUID_7_EDX_L1D_FLUSH;
    cpu.has_capabilities = edx7 & CPUID_7_EDX_ARCH_CAPABILITIES;
    cpu.capabilities = mitigate_capabilities() & ARCH_CAP_OFFERED;
    cpu.host = (cpu.capabilities & ARCH_CAP_IBRS_ALL) && !option_has("mitigations=off")
                   ? cpu.bits & SPEC_CTRL_IBRS : 0;
    /* AMD's newer ones keep a guest's value in the save area: always by us is right on all */
    cpu.passes = cpu.bits && !cpu.host && !x86_is_amd();
}

void speculation_let_pass(struct vm *vm)
{
    if (cpu.passes)
        backend->intercept_msr(vm, MSR_IA32_SPEC_CTRL, 0);
    if (cpu.pred)
        backend->intercept_msr(vm, MSR_IA32_PRED_CMD, VINTERCEPT_READ);
    if (cpu.flush)
        backend->intercept_msr(vm, MSR_IA32_FLUSH_CMD, VINTERCEPT_READ);
}

int speculation_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    bool control = msr == MSR_IA32_SPEC_CTRL;

    *value = control ? v->spec_ctrl : cpu.capabilities;
    return (control ? cpu.bits != 0 : cpu.has_capabilities) ? 0 : -EINVAL;
}

int speculation_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (msr != MSR_IA32_SPEC_CTRL || !cpu.bits || (value & ~cpu.bits))
        return -EINVAL;
    v->spec_ctrl = value;
    x86_wrmsr(MSR_IA32_SPEC_CTRL, value | cpu.host);
    return 0;
}

void speculation_load(const struct vcpu *v)
{
    if (cpu.bits)
        x86_wrmsr(MSR_IA32_SPEC_CTRL, v->spec_ctrl | cpu.host);
}

void speculation_put(struct vcpu *v)
{
    if (cpu.passes)
        v->spec_ctrl = x86_rdmsr(MSR_IA32_SPEC_CTRL);
    if (cpu.bits)
        x86_wrmsr(MSR_IA32_SPEC_CTRL, cpu.host);
}
