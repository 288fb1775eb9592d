/* SPDX-License-Identifier: MIT */
/* Guest registers and segments in the current VMCS (root mode). */
#include "kernel/log.h"
#include "kernel/x86.h"
#include "vmx/vmx.h"
#include "vmx/vmx_asm.h"

/* Registers that are one field each; CR0, CR4 and EFER need more. */
static const uint16_t fields[VREG_COUNT] = {
    [VREG_RIP] = VMCS_GUEST_RIP,
    [VREG_RFLAGS] = VMCS_GUEST_RFLAGS,
    [VREG_RSP] = VMCS_GUEST_RSP,
    [VREG_CR0] = VMCS_GUEST_CR0,
    [VREG_CR3] = VMCS_GUEST_CR3,
    [VREG_CR4] = VMCS_GUEST_CR4,
    [VREG_EFER] = VMCS_GUEST_EFER,
    [VREG_DR7] = VMCS_GUEST_DR7,
    [VREG_PAT] = VMCS_GUEST_PAT,
    [VREG_SYSENTER_CS] = VMCS_GUEST_SYSENTER_CS,
    [VREG_SYSENTER_ESP] = VMCS_GUEST_SYSENTER_ESP,
    [VREG_SYSENTER_EIP] = VMCS_GUEST_SYSENTER_EIP,
    [VREG_FS_BASE] = VMCS_GUEST_FS_BASE,
    [VREG_GS_BASE] = VMCS_GUEST_GS_BASE,
    [VREG_SHADOW] = VMCS_GUEST_INTERRUPTIBILITY,
    [VREG_CS_ACCESS] = VMCS_GUEST_CS_ACCESS,
    [VREG_PENDING_DEBUG] = VMCS_GUEST_PENDING_DEBUG,
    [VREG_PDPTE0] = VMCS_GUEST_PDPTE0,
    [VREG_PDPTE1] = VMCS_GUEST_PDPTE1,
    [VREG_PDPTE2] = VMCS_GUEST_PDPTE2,
    [VREG_PDPTE3] = VMCS_GUEST_PDPTE3,
};

/* What the guest sees: the bits that are ours come from the shadow, which only we write. */
static uint64_t masked(enum vmcs_field field, uint64_t ours, uint64_t shadow)
{
    return (vmcs_read(field) & ~ours) | (shadow & ours);
}

/* The neutral copies are read once after an exit and written back before the next entry. */
static uint64_t cached(struct vcpu *v, uint64_t *copy, enum vcpu_copy bit, enum vmcs_field field)
{
    if (!(v->valid & bit)) {
        *copy = vmcs_read(field);
        v->valid |= bit;
    }
    return *copy;
}

uint64_t vmx_get(struct vcpu *v, enum vreg reg)
{
    switch (reg) {
    case VREG_RIP:
        return cached(v, &v->rip, VCPU_RIP, VMCS_GUEST_RIP);
    case VREG_RFLAGS:
        return cached(v, &v->rflags, VCPU_RFLAGS, VMCS_GUEST_RFLAGS);
    case VREG_SHADOW:
        return vmx_shadow(v);
    case VREG_CR2: /* root mode has no page faults and no debug registers */
        return x86_read_cr2();
    case VREG_DR6:
        return x86_read_dr6();
    case VREG_CPL: /* SDM 3C, "Guest Register State": the DPL of SS */
        return vmcs_read(VMCS_GUEST_SS_ACCESS) >> SEGMENT_ACCESS_DPL_SHIFT & 3;
    case VREG_CR0:
        return masked(VMCS_GUEST_CR0, VMX_CR0_OURS, vmx_of(v)->cr0_shadow);
    case VREG_CR4:
        return masked(VMCS_GUEST_CR4, vmx_cr4_ours(), vmx_of(v)->cr4_shadow);
    default:
        return vmcs_read((enum vmcs_field)fields[reg]);
    }
}

void vmx_code(struct vcpu *v, struct vcode *out)
{
    cpu_count_access(2);
    if (likely(!v->valid)) { /* and so nothing is dirty */
        cpu_count_access(3);
        vmx_read_copies(v);
    } else {
        cached(v, &v->rip, VCPU_RIP, VMCS_GUEST_RIP);
        cached(v, &v->rflags, VCPU_RFLAGS, VMCS_GUEST_RFLAGS);
        vmx_shadow(v);
    }
    out->cr3 = vmcs_read_counted(VMCS_GUEST_CR3);
    out->cs_access = (uint32_t)vmcs_read_counted(VMCS_GUEST_CS_ACCESS);
}

static void set_cr0(struct vcpu *v, uint64_t value)
{
    /* with unrestricted guest PE and PG are free, the rest of FIXED0 is not */
    uint64_t fixed = vmx_caps.cr0_fixed0 & ~(CR0_PE | CR0_PG);

    vmx_of(v)->cr0_shadow = value;
    vmcs_write(VMCS_CR0_SHADOW, value);
    vmcs_write(VMCS_GUEST_CR0, ((value | fixed) & ~(CR0_CD | CR0_NW)) | CR0_ET);
}

static void set_cr4(struct vcpu *v, uint64_t value)
{
    vmx_of(v)->cr4_shadow = value;
    vmcs_write(VMCS_CR4_SHADOW, value);
    /* a machine check must never meet MCE = 0, which shuts the CPU down */
    vmcs_write(VMCS_GUEST_CR4, value | vmx_caps.cr4_fixed0 | CR4_MCE);
}

static void set_efer(uint64_t value)
{
    uint64_t controls = vmcs_read(VMCS_ENTRY_CONTROLS) & ~ENTRYC_GUEST_64;

    vmcs_write(VMCS_ENTRY_CONTROLS, controls | (value & EFER_LMA ? ENTRYC_GUEST_64 : 0));
    vmcs_write(VMCS_GUEST_EFER, value);
}

void vmx_set(struct vcpu *v, enum vreg reg, uint64_t value)
{
    switch (reg) {
    case VREG_RIP:
    case VREG_RFLAGS:
        vcpu_set_copy(v, reg, value);
        break;
    case VREG_CR2:
        x86_write_cr2(value);
        break;
    case VREG_DR6:
        x86_write_dr6(value);
        break;
    case VREG_CR0:
        set_cr0(v, value);
        break;
    case VREG_CR4:
        set_cr4(v, value);
        break;
    case VREG_EFER:
        set_efer(value);
        break;
    default:
        vmcs_write((enum vmcs_field)fields[reg], value);
    }
}

void vmx_get_segment(struct vcpu *v, enum vseg seg, struct vsegment *out)
{
    (void)v;
    *out = (struct vsegment){ 0 };
    if (seg < VSEG_GDTR) {
        out->selector = (uint16_t)vmcs_read((enum vmcs_field)VMCS_SEG_SELECTOR(seg));
        out->limit = (uint32_t)vmcs_read((enum vmcs_field)VMCS_SEG_LIMIT(seg));
        out->access = (uint32_t)vmcs_read((enum vmcs_field)VMCS_SEG_ACCESS(seg));
        out->base = vmcs_read((enum vmcs_field)VMCS_SEG_BASE(seg));
        return;
    }
    out->limit = (uint32_t)vmcs_read(seg == VSEG_GDTR ? VMCS_GUEST_GDTR_LIMIT
                                                      : VMCS_GUEST_IDTR_LIMIT);
    out->base = vmcs_read(seg == VSEG_GDTR ? VMCS_GUEST_GDTR_BASE : VMCS_GUEST_IDTR_BASE);
}

void vmx_set_segment(struct vcpu *v, enum vseg seg, const struct vsegment *in)
{
    (void)v;
    if (seg < VSEG_GDTR) {
        vmcs_write((enum vmcs_field)VMCS_SEG_SELECTOR(seg), in->selector);
        vmcs_write((enum vmcs_field)VMCS_SEG_LIMIT(seg), in->limit);
        vmcs_write((enum vmcs_field)VMCS_SEG_ACCESS(seg), in->access);
        vmcs_write((enum vmcs_field)VMCS_SEG_BASE(seg), in->base);
        return;
    }
    vmcs_write(seg == VSEG_GDTR ? VMCS_GUEST_GDTR_LIMIT : VMCS_GUEST_IDTR_LIMIT, in->limit);
    vmcs_write(seg == VSEG_GDTR ? VMCS_GUEST_GDTR_BASE : VMCS_GUEST_IDTR_BASE, in->base);
}

static const char *const field_names[] = {
#define VMCS_NAME(name, encoding) #name,
    VMCS_FIELDS(VMCS_NAME)
#undef VMCS_NAME
};
static const uint16_t field_encodings[] = {
#define VMCS_ENCODING(name, encoding) (encoding),
    VMCS_FIELDS(VMCS_ENCODING)
#undef VMCS_ENCODING
};

const char *vmx_field_name(uint64_t field)
{
    for (size_t i = 0; i < ARRAY_SIZE(field_encodings); i++) {
        if (field_encodings[i] == field)
            return field_names[i];
    }
    return NULL;
}

void vmx_refused(const char *instruction, uint64_t operand)
{
    const char *name = vmx_field_name(operand);

    if (name)
        panic("%s %s was refused", instruction, name);
    panic("%s 0x%llx was refused", instruction, (unsigned long long)operand);
}
