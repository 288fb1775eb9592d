/* SPDX-License-Identifier: MIT */
/* Rules for the guest's segment and descriptor-table registers (root mode); see vmx/check.h. */
#include "vmx/check.h"

#define SELECTOR_RPL 3u
#define SELECTOR_TI BIT(2)

/* Types of SDM 3A, "Code- and Data-Segment Descriptor Types", "System Descriptor Types" */
#define TYPE_ACCESSED 1u
#define TYPE_READABLE 2u
#define TYPE_CODE 8u
#define TYPE_CONFORMING 4u
#define TYPE_DATA_RW_ACCESSED 3u
#define TYPE_DATA_DOWN_RW_ACCESSED 7u
#define TYPE_LDT 2u
#define TYPE_TSS16_BUSY 3u
#define TYPE_TSS_BUSY 11u
#define ACCESS_RESERVED 0xfffe0f00u
#define ACCESS_VIRTUAL_8086 0xf3u

struct segment {
    enum vseg id;
    uint32_t selector, access, limit, type, dpl, rpl;
    uint64_t base;
    bool usable;
};

static struct segment segment_of(enum vseg id)
{
    struct segment s = {
        .id = id,
        .selector = (uint32_t)vmcs_read((enum vmcs_field)VMCS_SEG_SELECTOR(id)),
        .access = (uint32_t)vmcs_read((enum vmcs_field)VMCS_SEG_ACCESS(id)),
        .limit = (uint32_t)vmcs_read((enum vmcs_field)VMCS_SEG_LIMIT(id)),
        .base = vmcs_read((enum vmcs_field)VMCS_SEG_BASE(id)),
    };

    s.type = s.access & SEGMENT_ACCESS_TYPE;
    s.dpl = s.access >> SEGMENT_ACCESS_DPL_SHIFT & 3;
    s.rpl = s.selector & SELECTOR_RPL;
    /* CS and TR can't be unusable: their rules apply always. */
    s.usable = id == VSEG_CS || id == VSEG_TR || !(s.access & SEGMENT_ACCESS_UNUSABLE);
    return s;
}

static void rule(struct check *c, const struct segment *s, bool holds, const char *text)
{
    RULE(c, holds, text, (uint16_t)VMCS_SEG_SELECTOR(s->id), (uint16_t)VMCS_SEG_ACCESS(s->id),
         (uint16_t)VMCS_SEG_LIMIT(s->id), (uint16_t)VMCS_SEG_BASE(s->id));
}

static bool granularity(const struct segment *s)
{
    return s->access & SEGMENT_ACCESS_G ? (s->limit & 0xfff) == 0xfff : s->limit >> 20 == 0;
}

static void check_virtual_8086(struct check *c, const struct segment *s)
{
    rule(c, s, s->base == (uint64_t)s->selector << 4,
         "in virtual-8086 mode a base is the selector times 16");
    rule(c, s, s->limit == UINT16_MAX, "in virtual-8086 mode a limit is FFFFh");
    rule(c, s, s->access == ACCESS_VIRTUAL_8086, "in virtual-8086 mode access rights are F3h");
}

static bool type_data(const struct segment *s)
{
    return (s->type & TYPE_ACCESSED) && IMPLIES(s->type & TYPE_CODE, s->type & TYPE_READABLE);
}

/* DS, ES, FS, GS when usable. */
static void check_data(struct check *c, const struct segment *s)
{
    bool conforming = (s->type & TYPE_CODE) && (s->type & TYPE_CONFORMING);

    rule(c, s, type_data(s), "DS, ES, FS, GS are accessed and readable");
    rule(c, s, check_unrestricted() || conforming || s->dpl >= s->rpl,
         "DPL of DS, ES, FS, GS is not below their RPL");
}

static bool code_dpl(const struct segment *cs, const struct segment *ss)
{
    if (!(cs->type & TYPE_CODE))
        return cs->dpl == 0;
    return cs->type & TYPE_CONFORMING ? cs->dpl <= ss->dpl : cs->dpl == ss->dpl;
}

static void check_code_and_stack(struct check *c)
{
    struct segment cs = segment_of(VSEG_CS), ss = segment_of(VSEG_SS);
    bool unrestricted = check_unrestricted();

    rule(c, &cs, cs.type == TYPE_DATA_RW_ACCESSED
                     ? unrestricted : (cs.type & TYPE_CODE) && (cs.type & TYPE_ACCESSED),
         "CS is an accessed code segment, or with unrestricted guest of type 3");
    rule(c, &ss, !ss.usable || ss.type == TYPE_DATA_RW_ACCESSED ||
                     ss.type == TYPE_DATA_DOWN_RW_ACCESSED,
         "SS is a writable, accessed data segment");
    RULE(c, unrestricted || ss.rpl == cs.rpl, "RPL of SS equals RPL of CS",
         VMCS_GUEST_SS, VMCS_GUEST_CS);
    RULE(c, code_dpl(&cs, &ss), "DPL of CS fits its type and the DPL of SS",
         VMCS_GUEST_CS_ACCESS, VMCS_GUEST_SS_ACCESS);
    RULE(c, unrestricted || ss.dpl == ss.rpl, "DPL of SS equals its RPL",
         VMCS_GUEST_SS_ACCESS, VMCS_GUEST_SS);
    RULE(c, IMPLIES(cs.type == TYPE_DATA_RW_ACCESSED || !(F(GUEST_CR0) & CR0_PE), ss.dpl == 0),
         "DPL of SS is 0 in real mode and with a CS of type 3",
         VMCS_GUEST_SS_ACCESS, VMCS_GUEST_CS_ACCESS, VMCS_GUEST_CR0);
    rule(c, &cs, !check_guest_ia32e() || !(cs.access & SEGMENT_ACCESS_L) ||
                     !(cs.access & SEGMENT_ACCESS_DB),
         "in IA-32e mode CS is not both L and D");
}

/* Of one segment outside virtual-8086 mode. */
static void check_code_or_data(struct check *c, const struct segment *s)
{
    if (!s->usable)
        return;
    rule(c, s, s->access & SEGMENT_ACCESS_S, "S of code and data segments is 1");
    rule(c, s, s->access & SEGMENT_ACCESS_P, "code and data segments are present");
    rule(c, s, !(s->access & ACCESS_RESERVED), "reserved bits of access rights are 0");
    rule(c, s, granularity(s), "granularity fits the limit: bytes up to FFFFFh, else pages");
    if (s->id != VSEG_CS && s->id != VSEG_SS)
        check_data(c, s);
}

static void check_system(struct check *c, const struct segment *s)
{
    if (!s->usable)
        return;
    rule(c, s, !(s->selector & SELECTOR_TI), "TI of TR, and of LDTR when usable, is 0");
    rule(c, s, check_canonical(s->base), "bases of TR, and of LDTR when usable, are canonical");
    rule(c, s, !(s->access & SEGMENT_ACCESS_S), "S of TR and LDTR is 0");
    rule(c, s, s->access & SEGMENT_ACCESS_P, "TR and LDTR are present");
    rule(c, s, !(s->access & ACCESS_RESERVED),
         "reserved bits of the access rights of TR and LDTR are 0");
    rule(c, s, granularity(s), "granularity of TR and LDTR fits the limit");
}

void check_guest_segments(struct check *c)
{
    struct segment tr = segment_of(VSEG_TR), ldtr = segment_of(VSEG_LDTR);
    bool virtual_8086 = F(GUEST_RFLAGS) & RFLAGS_VM;

    for (enum vseg id = VSEG_ES; id <= VSEG_GS; id++) {
        struct segment s = segment_of(id);
        if (id < VSEG_FS)
            rule(c, &s, !s.usable || s.base <= UINT32_MAX,
                 "bits 63:32 of the bases of CS, and SS, DS, ES when usable, are 0");
        else
            rule(c, &s, check_canonical(s.base), "bases of FS and GS are canonical");
        (virtual_8086 ? check_virtual_8086 : check_code_or_data)(c, &s);
    }
    if (!virtual_8086)
        check_code_and_stack(c);
    check_system(c, &tr);
    check_system(c, &ldtr);
    rule(c, &tr, tr.type == TYPE_TSS_BUSY || (tr.type == TYPE_TSS16_BUSY && !check_guest_ia32e()),
         "TR is a busy TSS, of 32 or 64 bits in IA-32e mode");
    rule(c, &tr, !(tr.access & SEGMENT_ACCESS_UNUSABLE), "TR is usable");
    rule(c, &ldtr, !ldtr.usable || ldtr.type == TYPE_LDT, "LDTR is of the LDT type");
}

void check_guest_tables(struct check *c)
{
    RULE(c, check_canonical(F(GUEST_GDTR_BASE)) && check_canonical(F(GUEST_IDTR_BASE)),
         "bases of GDTR and IDTR are canonical", VMCS_GUEST_GDTR_BASE, VMCS_GUEST_IDTR_BASE);
    RULE(c, F(GUEST_GDTR_LIMIT) <= UINT16_MAX && F(GUEST_IDTR_LIMIT) <= UINT16_MAX,
         "limits of GDTR and IDTR have 16 bits", VMCS_GUEST_GDTR_LIMIT, VMCS_GUEST_IDTR_LIMIT);
}
