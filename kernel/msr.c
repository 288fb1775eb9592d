/* SPDX-License-Identifier: MIT */
/*
 * MSRs as guests see them (root mode): a table of ranges with a reason each. An MSR without a
 * row raises #GP, as on a processor that lacks it. Source: SDM 4, "Model-Specific Registers".
 */
#include <errno.h>

#include "kernel/exit.h"
#include "kernel/log.h"
#include "kernel/msr.h"
#include "kernel/page.h"
#include "kernel/policy.h"
#include "kernel/pvclock.h"
#include "kernel/speculation.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"

enum access { NOTHING, PASS, READ_PASS, VALUE, HANDLER };

struct msr_row {
    uint32_t first, last;
    enum access access;
    uint64_t value;       /* VALUE: what it reads as; writes are ignored */
    int (*read)(struct vcpu *v, uint32_t msr, uint64_t *value); /* 0, or -EINVAL: #GP */
    int (*write)(struct vcpu *v, uint32_t msr, uint64_t value);
};

/* The TSC is one for all vCPUs of a VM; guests that set it find it unchanged. */
static int write_tsc(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)msr;
    if (v->vm->unknown_msrs++ < VM_UNKNOWN_LOGGED)
        log_printf("%s: write of 0x%llx to the TSC was ignored\n", v->vm->name,
                   (unsigned long long)value);
    return 0;
}

static int write_debugctl(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)v;
    (void)msr;
    /* branch tracing and LBRs are not offered; the bits are accepted as on models without them */
    return value & ~(DEBUGCTL_LBR | DEBUGCTL_BTF) ? -EINVAL : 0;
}

static int intc_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    return v->vm->intc->msr_read(v, msr, value);
}

static int intc_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    return v->vm->intc->msr_write(v, msr, value);
}

static int write_pv_eoi(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)msr;
    return v->vm->intc->pv_eoi_msr(v, value);
}

static int write_xss(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)v;
    (void)msr;
    return value ? -EINVAL : 0; /* no supervisor state is offered */
}

#define MICROCODE_REVISION (0x02007006ull << 32) /* Linux doubts the TSC deadline of older ones */
#define MSR_KVM_WALL_CLOCK_NEW 0x4b564d00u
#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01u
#define MSR_KVM_PV_EOI_EN 0x4b564d04u

/* Ascending. */
static const struct msr_row rows[] = {
    /* read through the TSC offset; a write would change it for one vCPU alone */
    { MSR_IA32_TSC, MSR_IA32_TSC, READ_PASS, 0, NULL, write_tsc },
    { MSR_IA32_PLATFORM_ID, MSR_IA32_PLATFORM_ID, VALUE, 0, NULL, NULL },
    { MSR_IA32_APIC_BASE, MSR_IA32_APIC_BASE, HANDLER, 0, intc_read, intc_write },
    { MSR_IA32_SPEC_CTRL, MSR_IA32_SPEC_CTRL, HANDLER, 0, speculation_read, speculation_write },
    { MSR_IA32_BIOS_SIGN_ID, MSR_IA32_BIOS_SIGN_ID, VALUE, MICROCODE_REVISION, NULL, NULL },
    { MSR_IA32_MTRRCAP, MSR_IA32_MTRRCAP, VALUE, MTRRCAP_VALUE, NULL, NULL },
    { MSR_IA32_ARCH_CAPABILITIES, MSR_IA32_ARCH_CAPABILITIES, HANDLER, 0, speculation_read,
      speculation_write },
    /* in the backend's state area: switched by hardware */
    { MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_EIP, PASS, 0, NULL, NULL },
    /* no machine-check banks: errors of the machine are not a guest's */
    { MSR_IA32_MCG_CAP, MSR_IA32_MCG_STATUS, VALUE, 0, NULL, NULL },
    { MSR_IA32_MISC_ENABLE, MSR_IA32_MISC_ENABLE, HANDLER, 0, msr_read_misc_enable,
      msr_write_misc_enable },
    { MSR_IA32_DEBUGCTL, MSR_IA32_DEBUGCTL, VALUE, 0, NULL, write_debugctl },
    { MSR_IA32_MTRR_PHYSBASE0, MSR_IA32_MTRR_PHYSBASE0 + 2 * MTRR_VARIABLE - 1, HANDLER, 0,
      mtrr_read, mtrr_write },
    { MSR_IA32_MTRR_FIX64K_00000, MSR_IA32_MTRR_FIX4K_F8000, HANDLER, 0, mtrr_read, mtrr_write },
    { MSR_IA32_PAT, MSR_IA32_PAT, HANDLER, 0, msr_read_pat, msr_write_pat },
    { MSR_IA32_MTRR_DEF_TYPE, MSR_IA32_MTRR_DEF_TYPE, HANDLER, 0, mtrr_read, mtrr_write },
    { MSR_IA32_TSC_DEADLINE, MSR_IA32_TSC_DEADLINE, HANDLER, 0, intc_read, intc_write },
    { MSR_IA32_X2APIC_BASE, MSR_IA32_X2APIC_BASE + 0xff, HANDLER, 0, intc_read, intc_write },
    { MSR_IA32_XSS, MSR_IA32_XSS, VALUE, 0, NULL, write_xss },
    { MSR_KVM_WALL_CLOCK_NEW, MSR_KVM_WALL_CLOCK_NEW, HANDLER, 0, NULL, pvclock_write_wall },
    { MSR_KVM_SYSTEM_TIME_NEW, MSR_KVM_SYSTEM_TIME_NEW, HANDLER, 0, NULL, pvclock_write_system },
    { MSR_KVM_PV_EOI_EN, MSR_KVM_PV_EOI_EN, HANDLER, 0, NULL, write_pv_eoi },
    { MSR_IA32_EFER, MSR_IA32_EFER, HANDLER, 0, msr_read_efer, msr_write_efer },
    /* switched by the backend, of no meaning to the hypervisor */
    { MSR_IA32_STAR, MSR_IA32_FMASK, PASS, 0, NULL, NULL },
    { MSR_IA32_FS_BASE, MSR_IA32_KERNEL_GS_BASE, PASS, 0, NULL, NULL },
    /* What Linux reads on AMD without asking (see search): no encrypted memory; the TSC has one
     * rate in all power states; no C1E; LFENCE waits for what is before it, as the host's does. */
    { MSR_AMD_SYSCFG, MSR_AMD_SYSCFG, VALUE, 0, NULL, NULL },
    { MSR_AMD_HWCR, MSR_AMD_HWCR, VALUE, HWCR_TSC_FREQ_SEL, NULL, NULL },
    { MSR_AMD_NB_CFG, MSR_AMD_NB_CFG, VALUE, 0, NULL, NULL },
    { MSR_AMD_INT_PENDING_MSG, MSR_AMD_INT_PENDING_MSG, VALUE, 0, NULL, NULL },
    { MSR_AMD_DE_CFG, MSR_AMD_DE_CFG, VALUE, DE_CFG_LFENCE_SERIALIZE, NULL, NULL },
    /* the answer for all that has no row */
    { UINT32_MAX, UINT32_MAX, NOTHING, 0, NULL, NULL },
};
#define NO_ROW (ARRAY_SIZE(rows) - 1)
#define AMD_FIRST MSR_AMD_SYSCFG /* from here on they exist on AMD only */

/* Exists only where RDTSCP does. */
static const struct msr_row tsc_aux = { MSR_IA32_TSC_AUX, MSR_IA32_TSC_AUX, PASS, 0, NULL, NULL };

/* Row number of the MSRs that are asked for all the time; filled with the first vCPU (no MSR 0). */
#define LOW_MSRS 0x1000u
static uint8_t low_rows[LOW_MSRS];
_Static_assert(ARRAY_SIZE(rows) <= UINT8_MAX, "low_rows");

static const struct msr_row *search(uint32_t msr)
{
    size_t low = 0, high = ARRAY_SIZE(rows);

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (msr < rows[middle].first)
            high = middle;
        else if (msr > rows[middle].last)
            low = middle + 1;
        else
            return &rows[msr < AMD_FIRST || x86_is_amd() ? middle : NO_ROW];
    }
    return &rows[NO_ROW];
}

static inline const struct msr_row *find(uint32_t msr)
{
    return likely(msr < LOW_MSRS) ? &rows[low_rows[msr]] : search(msr);
}

static void fill_low_rows(void)
{
    for (uint32_t msr = 0; msr < LOW_MSRS; msr++)
        low_rows[msr] = (uint8_t)(search(msr) - rows);
}

static void let_pass(struct vm *vm, const struct msr_row *row)
{
    unsigned how = row->access == PASS ? 0 : VINTERCEPT_WRITE;

    if (row->access != PASS && row->access != READ_PASS)
        return;
    for (uint32_t msr = row->first; msr <= row->last; msr++)
        backend->intercept_msr(vm, msr, how);
}

int msr_init(struct vcpu *v)
{
    v->msrs = vm_alloc(v->vm, sizeof(*v->msrs));
    if (!v->msrs)
        return -ENOMEM;
    v->msrs->misc_enable = MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_BTS_UNAVAILABLE |
                           MISC_ENABLE_PEBS_UNAVAILABLE;
    v->msrs->mtrr.def_type = MTRR_DEF_TYPE_E | MEM_TYPE_WB;
    if (v->id != 0)
        return 0; /* the maps are the VM's */
    if (!low_rows[0])
        fill_low_rows();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        let_pass(v->vm, &rows[i]);
    speculation_let_pass(v->vm);
    if (backend->features() & VFEATURE_RDTSCP)
        let_pass(v->vm, &tsc_aux);
    return 0;
}

static __attribute__((cold)) int unknown(struct vcpu *v, const char *what, uint32_t msr)
{
    if (v->vm->unknown_msrs++ < VM_UNKNOWN_LOGGED)
        log_printf("%s: %s 0x%x, which does not exist here: #GP\n", v->vm->name, what, msr);
    return -EINVAL;
}

static enum verdict refused(struct vcpu *v)
{
    vcpu_inject_error(v, VECTOR_GP, 0);
    return VERDICT_RETRY;
}

/* Where a row has no function of its own. */
static int plain_read(struct vcpu *v, const struct msr_row *row, uint64_t *value)
{
    if (row->access != VALUE)
        return unknown(v, "RDMSR", (uint32_t)v->gpr[RCX]);
    *value = row->value;
    return 0;
}

static int plain_write(struct vcpu *v, const struct msr_row *row)
{
    if (row->access == PASS || row->access == NOTHING)
        return unknown(v, "WRMSR", (uint32_t)v->gpr[RCX]);
    return 0;
}

static enum verdict on_msr_read(struct vcpu *v, struct vmexit *exit)
{
    const struct msr_row *row = find((uint32_t)v->gpr[RCX]);
    uint64_t value;

    (void)exit;
    if (unlikely(likely(row->read) ? row->read(v, (uint32_t)v->gpr[RCX], &value)
                                   : plain_read(v, row, &value)))
        return refused(v);
    v->gpr[RAX] = (uint32_t)value;
    v->gpr[RDX] = value >> 32;
    return VERDICT_NEXT;
}
EXIT_HANDLER(EXIT_MSR_READ, on_msr_read);

static enum verdict on_msr_write(struct vcpu *v, struct vmexit *exit)
{
    const struct msr_row *row = find((uint32_t)v->gpr[RCX]);
    uint64_t value = (uint32_t)v->gpr[RAX] | v->gpr[RDX] << 32;

    (void)exit;
    if (unlikely(likely(row->write) ? row->write(v, (uint32_t)v->gpr[RCX], value)
                                    : plain_write(v, row)))
        return refused(v);
    return VERDICT_NEXT;
}
EXIT_HANDLER(EXIT_MSR_WRITE, on_msr_write);

int policy_init(struct vcpu *v)
{
    int err = cpuid_init(v);

    return err ? err : msr_init(v);
}

uint64_t policy_address_mask(void)
{
    static uint64_t mask; /* each walk of a guest's tables asks, and nested CPUID is an exit */

    if (!mask)
        mask = BIT(x86_cpuid(CPUID_ADDRESS_SIZES, 0).eax & 0xff) - 1;
    return mask;
}

/* CR4 bits by the CPUID bit that brings them. */
uint64_t policy_cr4_mask(void)
{
    struct cpuid_regs one = x86_cpuid(CPUID_FEATURES, 0), seven = x86_cpuid(CPUID_EXT_FEATURES, 0);
    uint64_t mask = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE |
                    CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

    mask |= one.ecx & CPUID_1_ECX_PCID ? CR4_PCIDE : 0;
    mask |= one.ecx & CPUID_1_ECX_XSAVE ? CR4_OSXSAVE : 0;
    mask |= seven.ebx & CPUID_7_EBX_FSGSBASE ? CR4_FSGSBASE : 0;
    mask |= seven.ebx & CPUID_7_EBX_SMEP ? CR4_SMEP : 0;
    mask |= seven.ebx & CPUID_7_EBX_SMAP ? CR4_SMAP : 0;
    mask |= seven.ecx & CPUID_7_ECX_UMIP ? CR4_UMIP : 0;
    return mask;
}
