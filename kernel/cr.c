/* SPDX-License-Identifier: MIT */
/*
 * Control registers that a guest may not simply write (root mode). Source: SDM 3A, "Control
 * Registers"; SDM 2B, "MOV--Move to/from Control Registers" for what raises #GP.
 */
#include <errno.h>

#include "kernel/emulate.h"
#include "kernel/exit.h"
#include "kernel/gmem.h"
#include "kernel/policy.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

#define CR0_DEFINED                                                                                \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD |     \
     CR0_PG)
#define LMSW_BITS (CR0_PE | CR0_MP | CR0_EM | CR0_TS)
#define PDPTE_RESERVED 0x1e6ull /* bits 2:1, 8:5; above MAXPHYADDR: see load_pdptes */

static bool paging(uint64_t cr0)
{
    return cr0 & CR0_PG;
}

/* With PAE paging the four PDPTEs are registers (SDM 3A, "PDPTE Registers"); with AMD-V each walk
 * reads and checks them in memory (APM 2, "Legacy PAE Mode"). */
static int load_pdptes(struct vcpu *v, uint64_t cr3)
{
    gpa_t root = cr3 & CR3_PAE_ROOT;
    uint64_t pdpte[4];

    if (!backend->pdpte_registers)
        return 0;
    if (gmem_read(v->vm, root, pdpte, sizeof(pdpte)))
        return -EINVAL;
    for (unsigned i = 0; i < 4; i++) {
        if ((pdpte[i] & PTE_P) && (pdpte[i] & (PDPTE_RESERVED | ~policy_address_mask())))
            return -EINVAL;
    }
    for (unsigned i = 0; i < 4; i++)
        vcpu_set(v, (enum vreg)(VREG_PDPTE0 + i), pdpte[i]);
    return 0;
}

static bool pae_paging(struct vcpu *v, uint64_t cr0, uint64_t cr4)
{
    return paging(cr0) && (cr4 & CR4_PAE) && !(vcpu_get(v, VREG_EFER) & EFER_LMA);
}

/* IA-32e mode starts and ends with PG. -EINVAL: #GP. */
static int switch_paging(struct vcpu *v, uint64_t cr0)
{
    uint64_t efer = vcpu_get(v, VREG_EFER), cr4 = vcpu_get(v, VREG_CR4);
    struct vsegment cs;

    backend->get_segment(v, VSEG_CS, &cs);
    if (!paging(cr0)) {
        if ((cr4 & CR4_PCIDE) || vcpu_64bit(v))
            return -EINVAL;
        vcpu_set(v, VREG_EFER, efer & ~EFER_LMA);
        return 0;
    }
    if (!(efer & EFER_LME))
        return 0;
    if (!(cr4 & CR4_PAE) || (cs.access & SEGMENT_ACCESS_L))
        return -EINVAL;
    vcpu_set(v, VREG_EFER, efer | EFER_LMA);
    return 0;
}

static int write_cr0(struct vcpu *v, uint64_t value)
{
    uint64_t old = vcpu_get(v, VREG_CR0);

    if (value >> 32 || (paging(value) && !(value & CR0_PE)) ||
        ((value & CR0_NW) && !(value & CR0_CD)))
        return -EINVAL;
    value = (value & CR0_DEFINED) | CR0_ET;
    if (paging(old) != paging(value) && switch_paging(v, value))
        return -EINVAL;
    if (((old ^ value) & (CR0_CD | CR0_NW | CR0_PG)) &&
        pae_paging(v, value, vcpu_get(v, VREG_CR4)) && load_pdptes(v, vcpu_get(v, VREG_CR3)))
        return -EINVAL;
    vcpu_set(v, VREG_CR0, value);
    backend->flush_linear(v);
    return 0;
}

static int write_cr4(struct vcpu *v, uint64_t value)
{
    uint64_t old = vcpu_get(v, VREG_CR4);
    bool ia32e = vcpu_get(v, VREG_EFER) & EFER_LMA;

    if (value & ~policy_cr4_mask())
        return -EINVAL;
    if (ia32e && !(value & CR4_PAE))
        return -EINVAL;
    if ((value & ~old & CR4_PCIDE) && (!ia32e || (vcpu_get(v, VREG_CR3) & CR3_PCID_MASK)))
        return -EINVAL;
    if (((old ^ value) & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) &&
        pae_paging(v, vcpu_get(v, VREG_CR0), value) && load_pdptes(v, vcpu_get(v, VREG_CR3)))
        return -EINVAL;
    vcpu_set(v, VREG_CR4, value);
    backend->flush_linear(v);
    return 0;
}

static int write_cr3(struct vcpu *v, uint64_t value)
{
    if (pae_paging(v, vcpu_get(v, VREG_CR0), vcpu_get(v, VREG_CR4)) && load_pdptes(v, value))
        return -EINVAL;
    vcpu_set(v, VREG_CR3, value & ~CR3_NOFLUSH);
    if (!(value & CR3_NOFLUSH))
        backend->flush_linear(v);
    return 0;
}

static int write_cr(struct vcpu *v, unsigned number, uint64_t value)
{
    switch (number) {
    case 0:
        return write_cr0(v, value);
    case 3:
        return write_cr3(v, value);
    case 4:
        return write_cr4(v, value);
    default:
        return v->vm->intc->cr8_write(v, value);
    }
}

static uint64_t read_cr(struct vcpu *v, unsigned number)
{
    if (number == 8)
        return v->vm->intc->cr8_read(v);
    return vcpu_get(v, number == 0 ? VREG_CR0 : number == 3 ? VREG_CR3 : VREG_CR4);
}

static int access_cr(struct vcpu *v, const struct exit_cr *cr)
{
    uint64_t cr0 = vcpu_get(v, VREG_CR0), value = cr->lmsw_value;
    int err;

    if (cr->clts)
        return write_cr0(v, cr0 & ~CR0_TS);
    if (cr->lmsw) { /* LMSW can set PE, never clear it */
        if (cr->operand && (err = emulate_operand(v, cr->operand, &value, false)))
            return err;
        return write_cr0(v, (cr0 & ~(LMSW_BITS & ~CR0_PE)) | (value & LMSW_BITS));
    }
    if (cr->operand)
        return emulate_operand(v, cr->operand, &cr0, true);
    if (!cr->write) {
        vcpu_set_gpr(v, cr->gpr, read_cr(v, cr->number));
        return 0;
    }
    value = vcpu_gpr(v, cr->gpr);
    return write_cr(v, cr->number, vcpu_64bit(v) ? value : (uint32_t)value);
}

static enum verdict on_cr(struct vcpu *v, struct vmexit *exit)
{
    int err = access_cr(v, &exit->cr);

    if (!err)
        return VERDICT_NEXT;
    if (err == -EINVAL)
        vcpu_inject_error(v, VECTOR_GP, 0);
    return err == -ENODEV ? VERDICT_STOP : VERDICT_RETRY;
}
EXIT_HANDLER(EXIT_CR, on_cr);
