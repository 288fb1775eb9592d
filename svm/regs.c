/* SPDX-License-Identifier: MIT */
/* Guest registers and segments in the VMCB (root mode). */
#include "kernel/x86.h"
#include "svm/svm.h"

#define NO_FIELD 0xffffu
#define FIELD(member) offsetof(struct vmcb_save, member)

/* Registers that are one field each. */
static const uint16_t fields[VREG_COUNT] = {
    [VREG_RIP] = FIELD(rip),
    [VREG_RFLAGS] = FIELD(rflags),
    [VREG_RSP] = FIELD(rsp),
    [VREG_CR0] = FIELD(cr0),
    [VREG_CR2] = FIELD(cr2),
    [VREG_CR3] = FIELD(cr3),
    [VREG_CR4] = FIELD(cr4),
    [VREG_EFER] = FIELD(efer),
    [VREG_DR6] = FIELD(dr6),
    [VREG_DR7] = FIELD(dr7),
    [VREG_PAT] = FIELD(g_pat),
    [VREG_SYSENTER_CS] = FIELD(sysenter_cs),
    [VREG_SYSENTER_ESP] = FIELD(sysenter_esp),
    [VREG_SYSENTER_EIP] = FIELD(sysenter_eip),
    [VREG_FS_BASE] = FIELD(fs.base),
    [VREG_GS_BASE] = FIELD(gs.base),
    /* #DB is not held back, and PDPTEs are read from memory */
    [VREG_PENDING_DEBUG] = NO_FIELD,
    [VREG_PDPTE0] = NO_FIELD,
    [VREG_PDPTE1] = NO_FIELD,
    [VREG_PDPTE2] = NO_FIELD,
    [VREG_PDPTE3] = NO_FIELD,
};

static uint64_t *field(struct vcpu *v, enum vreg reg)
{
    return (uint64_t *)(void *)((uint8_t *)&vmcb_of(v)->save + fields[reg]);
}

static uint32_t neutral_access(uint16_t attributes)
{
    uint32_t access = (attributes & 0xffu) | (uint32_t)(attributes & 0xf00u) << 4;

    return attributes & SEGMENT_ACCESS_P ? access : access | (uint32_t)SEGMENT_ACCESS_UNUSABLE;
}

/* An unusable one is not present; its DPL counts in SS. */
static uint16_t attributes_of(uint32_t access)
{
    if (access & SEGMENT_ACCESS_UNUSABLE)
        access &= ~(uint32_t)SEGMENT_ACCESS_P;
    return (uint16_t)((access & 0xff) | (access >> 4 & 0xf00));
}

static void read_copies(struct vcpu *v, uint32_t wanted)
{
    const struct vmcb *vmcb = vmcb_of(v);

    wanted &= ~v->valid;
    if (wanted & VCPU_RIP)
        v->rip = vmcb->save.rip;
    if (wanted & VCPU_RFLAGS)
        v->rflags = vmcb->save.rflags;
    if (wanted & VCPU_SHADOW)
        v->shadow = vmcb->control.interrupt_shadow & SHADOW_INTERRUPT;
    v->valid |= wanted;
}

void svm_copies(struct vcpu *v)
{
    read_copies(v, VCPU_COPIES);
}

void svm_write_back(struct vcpu *v)
{
    struct vmcb *vmcb = vmcb_of(v);

    if (v->dirty & VCPU_RIP)
        vmcb->save.rip = v->rip;
    if (v->dirty & VCPU_RFLAGS)
        vmcb->save.rflags = v->rflags;
    if (v->dirty & VCPU_SHADOW)
        vmcb->control.interrupt_shadow = 0;
    v->dirty = 0;
}

uint64_t svm_get(struct vcpu *v, enum vreg reg)
{
    const struct vmcb_save *save = &vmcb_of(v)->save;

    switch (reg) {
    case VREG_RIP:
        read_copies(v, VCPU_RIP);
        return v->rip;
    case VREG_RFLAGS:
        read_copies(v, VCPU_RFLAGS);
        return v->rflags;
    case VREG_SHADOW:
        read_copies(v, VCPU_SHADOW);
        return v->shadow;
    case VREG_CS_ACCESS:
        return neutral_access(save->cs.attributes);
    case VREG_CPL:
        return save->cpl;
    case VREG_CR0:
        return svm_of(v)->cr0;
    case VREG_CR4:
        return svm_of(v)->cr4;
    case VREG_EFER:
        return save->efer & ~EFER_SVME;
    default:
        return fields[reg] == NO_FIELD ? 0 : *field(v, reg);
    }
}

/* There is no shadow: where the register differs from what the guest wrote, reading it exits. */
static void intercept_reads(struct vcpu *v, unsigned number, bool on)
{
    uint32_t *cr = &vmcb_of(v)->control.intercept_cr;

    *cr = (*cr & ~(uint32_t)INTERCEPT_READ(number)) | (on ? (uint32_t)INTERCEPT_READ(number) : 0);
}

static void set_cr0(struct vcpu *v, uint64_t value)
{
    struct vmcb *vmcb = vmcb_of(v);

    svm_of(v)->cr0 = value;
    vmcb->save.cr0 = (value & ~(CR0_CD | CR0_NW)) | CR0_ET; /* caching stays on */
    intercept_reads(v, 0, vmcb->save.cr0 != value);
}

static void set_cr4(struct vcpu *v, uint64_t value)
{
    struct vmcb *vmcb = vmcb_of(v);

    svm_of(v)->cr4 = value;
    /* a machine check must never meet MCE = 0, which shuts the CPU down */
    vmcb->save.cr4 = value | CR4_MCE;
    intercept_reads(v, 4, vmcb->save.cr4 != value);
}

void svm_set(struct vcpu *v, enum vreg reg, uint64_t value)
{
    switch (reg) {
    case VREG_RIP:
    case VREG_RFLAGS:
        vcpu_set_copy(v, reg, value);
        break;
    case VREG_SHADOW:
        vmcb_of(v)->control.interrupt_shadow = value & SHADOW_INTERRUPT;
        v->valid &= ~(uint32_t)VCPU_SHADOW;
        v->dirty &= ~(uint32_t)VCPU_SHADOW;
        break;
    case VREG_CR0:
        set_cr0(v, value);
        break;
    case VREG_CR4:
        set_cr4(v, value);
        break;
    case VREG_EFER:
        vmcb_of(v)->save.efer = value | EFER_SVME; /* VMRUN wants it */
        break;
    default:
        if (fields[reg] != NO_FIELD)
            *field(v, reg) = value;
    }
}

static struct vmcb_segment *segment(struct vcpu *v, enum vseg seg)
{
    struct vmcb_save *save = &vmcb_of(v)->save;
    struct vmcb_segment *const all[VSEG_COUNT] = {
        [VSEG_ES] = &save->es, [VSEG_CS] = &save->cs, [VSEG_SS] = &save->ss,
        [VSEG_DS] = &save->ds, [VSEG_FS] = &save->fs, [VSEG_GS] = &save->gs,
        [VSEG_LDTR] = &save->ldtr, [VSEG_TR] = &save->tr,
        [VSEG_GDTR] = &save->gdtr, [VSEG_IDTR] = &save->idtr,
    };

    return all[seg];
}

void svm_get_segment(struct vcpu *v, enum vseg seg, struct vsegment *out)
{
    const struct vmcb_segment *s = segment(v, seg);

    *out = (struct vsegment){ .limit = s->limit, .base = s->base };
    if (seg >= VSEG_GDTR)
        return;
    out->selector = s->selector;
    out->access = neutral_access(s->attributes);
}

void svm_set_segment(struct vcpu *v, enum vseg seg, const struct vsegment *in)
{
    *segment(v, seg) = (struct vmcb_segment){
        .selector = in->selector,
        .attributes = attributes_of(in->access),
        .limit = in->limit,
        .base = in->base,
    };
    if (seg == VSEG_SS)
        vmcb_of(v)->save.cpl = in->access >> SEGMENT_ACCESS_DPL_SHIFT & 3;
}

void svm_code(struct vcpu *v, struct vcode *out)
{
    const struct vmcb_save *save = &vmcb_of(v)->save;

    read_copies(v, VCPU_COPIES);
    out->cr3 = save->cr3;
    out->cs_access = neutral_access(save->cs.attributes);
    if (!(save->efer & EFER_LMA))
        out->cs_access &= ~(uint32_t)SEGMENT_ACCESS_L; /* of no meaning then */
}
