/* SPDX-License-Identifier: MIT */
/* Rules for the guest's segment and descriptor-table registers (root mode); see vmx/check.h. */
#include "vmx/check.h"

#define CS BIT(VSEG_CS)
#define SS BIT(VSEG_SS)
#define DATA (BIT(VSEG_DS) | BIT(VSEG_ES) | BIT(VSEG_FS) | BIT(VSEG_GS))
#define LDTR BIT(VSEG_LDTR)
#define TR BIT(VSEG_TR)

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

static uint32_t access_of(enum vseg seg)
{
    return (uint32_t)vmcs_read((enum vmcs_field)VMCS_SEG_ACCESS(seg));
}

static uint32_t selector_of(enum vseg seg)
{
    return (uint32_t)vmcs_read((enum vmcs_field)VMCS_SEG_SELECTOR(seg));
}

static uint64_t base_of(enum vseg seg)
{
    return vmcs_read((enum vmcs_field)VMCS_SEG_BASE(seg));
}

static uint32_t limit_of(enum vseg seg)
{
    return (uint32_t)vmcs_read((enum vmcs_field)VMCS_SEG_LIMIT(seg));
}

static uint32_t type_of(enum vseg seg)
{
    return access_of(seg) & SEGMENT_ACCESS_TYPE;
}

static uint32_t dpl_of(enum vseg seg)
{
    return access_of(seg) >> SEGMENT_ACCESS_DPL_SHIFT & 3;
}

/* CS and TR can't be unusable: their rules apply always. */
static bool usable(enum vseg seg)
{
    return seg == VSEG_CS || seg == VSEG_TR || !(access_of(seg) & SEGMENT_ACCESS_UNUSABLE);
}

static bool in_gdt(enum vseg seg)
{
    return !usable(seg) || !(selector_of(seg) & SELECTOR_TI);
}

static bool restricted(void)
{
    return !check_unrestricted() && check_not_virtual_8086();
}

static bool stack_rpl(void)
{
    return (selector_of(VSEG_SS) & SELECTOR_RPL) == (selector_of(VSEG_CS) & SELECTOR_RPL);
}

static bool base_paragraph(enum vseg seg)
{
    return base_of(seg) == (uint64_t)selector_of(seg) << 4;
}

static bool base_canonical(enum vseg seg)
{
    return !usable(seg) || check_canonical(base_of(seg));
}

static bool base_low(enum vseg seg)
{
    return !usable(seg) || base_of(seg) <= UINT32_MAX;
}

static bool limit_64k(enum vseg seg)
{
    return limit_of(seg) == UINT16_MAX;
}

static bool access_virtual_8086(enum vseg seg)
{
    return access_of(seg) == ACCESS_VIRTUAL_8086;
}

static bool type_code(enum vseg seg)
{
    uint32_t type = type_of(seg);

    if (type == TYPE_DATA_RW_ACCESSED)
        return check_unrestricted();
    return (type & TYPE_CODE) && (type & TYPE_ACCESSED);
}

static bool type_stack(enum vseg seg)
{
    return !usable(seg) || type_of(seg) == TYPE_DATA_RW_ACCESSED ||
           type_of(seg) == TYPE_DATA_DOWN_RW_ACCESSED;
}

static bool type_data(enum vseg seg)
{
    uint32_t type = type_of(seg);

    return !usable(seg) ||
           ((type & TYPE_ACCESSED) && (!(type & TYPE_CODE) || (type & TYPE_READABLE)));
}

static bool type_ldt(enum vseg seg)
{
    return !usable(seg) || type_of(seg) == TYPE_LDT;
}

static bool type_tss(enum vseg seg)
{
    return type_of(seg) == TYPE_TSS_BUSY ||
           (type_of(seg) == TYPE_TSS16_BUSY && !check_guest_ia32e());
}

static bool not_system(enum vseg seg)
{
    return !usable(seg) || (access_of(seg) & SEGMENT_ACCESS_S);
}

static bool is_system(enum vseg seg)
{
    return !usable(seg) || !(access_of(seg) & SEGMENT_ACCESS_S);
}

static bool code_dpl(void)
{
    uint32_t type = type_of(VSEG_CS), dpl = dpl_of(VSEG_CS);

    if (!(type & TYPE_CODE))
        return dpl == 0;
    return type & TYPE_CONFORMING ? dpl <= dpl_of(VSEG_SS) : dpl == dpl_of(VSEG_SS);
}

static bool stack_dpl_rpl(void)
{
    return dpl_of(VSEG_SS) == (selector_of(VSEG_SS) & SELECTOR_RPL);
}

static bool stack_dpl_zero(void)
{
    bool must = type_of(VSEG_CS) == TYPE_DATA_RW_ACCESSED || !check_bits(VMCS_GUEST_CR0, CR0_PE);

    return !must || dpl_of(VSEG_SS) == 0;
}

static bool data_dpl(enum vseg seg)
{
    bool conforming = (type_of(seg) & TYPE_CODE) && (type_of(seg) & TYPE_CONFORMING);

    return !usable(seg) || conforming || dpl_of(seg) >= (selector_of(seg) & SELECTOR_RPL);
}

static bool present(enum vseg seg)
{
    return !usable(seg) || (access_of(seg) & SEGMENT_ACCESS_P);
}

static bool access_reserved(enum vseg seg)
{
    return !usable(seg) || !(access_of(seg) & ACCESS_RESERVED);
}

static bool code_size(enum vseg seg)
{
    uint64_t both = SEGMENT_ACCESS_L | SEGMENT_ACCESS_DB;

    return !check_guest_ia32e() || (access_of(seg) & both) != both;
}

static bool granularity(enum vseg seg)
{
    uint32_t limit = limit_of(seg);
    bool pages = access_of(seg) & SEGMENT_ACCESS_G;

    if (!usable(seg))
        return true;
    return pages ? (limit & 0xfff) == 0xfff : limit >> 20 == 0;
}

static bool task_usable(enum vseg seg)
{
    return !(access_of(seg) & SEGMENT_ACCESS_UNUSABLE);
}

static const struct check_rule segment_rules[] = {
    { .text = "TI of TR, and of LDTR when usable, is 0", .segment = in_gdt, .segments = TR | LDTR },
    { .text = "RPL of SS equals RPL of CS", .when = restricted, .whole = stack_rpl,
      .fields = { VMCS_GUEST_SS, VMCS_GUEST_CS } },
    { .text = "in virtual-8086 mode a base is the selector times 16", .when = check_virtual_8086,
      .segment = base_paragraph, .segments = CS | SS | DATA },
    { .text = "bases of TR, and of LDTR when usable, are canonical",
      .segment = base_canonical, .segments = TR | LDTR },
    { .text = "bases of FS and GS are canonical", .value = check_canonical,
      .fields = { VMCS_GUEST_FS_BASE, VMCS_GUEST_GS_BASE } },
    { .text = "bits 63:32 of the bases of CS, and SS, DS, ES when usable, are 0",
      .segment = base_low, .segments = CS | SS | BIT(VSEG_DS) | BIT(VSEG_ES) },
    { .text = "in virtual-8086 mode a limit is FFFFh", .when = check_virtual_8086,
      .segment = limit_64k, .segments = CS | SS | DATA },
    { .text = "in virtual-8086 mode access rights are F3h", .when = check_virtual_8086,
      .segment = access_virtual_8086, .segments = CS | SS | DATA },
    { .text = "CS is an accessed code segment, or with unrestricted guest of type 3",
      .when = check_not_virtual_8086, .segment = type_code, .segments = CS },
    { .text = "SS is a writable, accessed data segment",
      .when = check_not_virtual_8086, .segment = type_stack, .segments = SS },
    { .text = "DS, ES, FS, GS are accessed and readable",
      .when = check_not_virtual_8086, .segment = type_data, .segments = DATA },
    { .text = "S of code and data segments is 1",
      .when = check_not_virtual_8086, .segment = not_system, .segments = CS | SS | DATA },
    { .text = "DPL of CS fits its type and the DPL of SS",
      .when = check_not_virtual_8086, .whole = code_dpl,
      .fields = { VMCS_GUEST_CS_ACCESS, VMCS_GUEST_SS_ACCESS } },
    { .text = "DPL of SS equals its RPL", .when = restricted, .whole = stack_dpl_rpl,
      .fields = { VMCS_GUEST_SS_ACCESS, VMCS_GUEST_SS } },
    { .text = "DPL of SS is 0 in real mode and with a CS of type 3",
      .when = check_not_virtual_8086, .whole = stack_dpl_zero,
      .fields = { VMCS_GUEST_SS_ACCESS, VMCS_GUEST_CS_ACCESS, VMCS_GUEST_CR0 } },
    { .text = "DPL of DS, ES, FS, GS is not below their RPL",
      .when = restricted, .segment = data_dpl, .segments = DATA },
    { .text = "code and data segments are present",
      .when = check_not_virtual_8086, .segment = present, .segments = CS | SS | DATA },
    { .text = "reserved bits of access rights are 0",
      .when = check_not_virtual_8086, .segment = access_reserved, .segments = CS | SS | DATA },
    { .text = "in IA-32e mode CS is not both L and D",
      .when = check_not_virtual_8086, .segment = code_size, .segments = CS },
    { .text = "granularity fits the limit: bytes up to FFFFFh, else pages",
      .when = check_not_virtual_8086, .segment = granularity, .segments = CS | SS | DATA },
    { .text = "TR is a busy TSS, of 32 or 64 bits in IA-32e mode",
      .segment = type_tss, .segments = TR },
    { .text = "LDTR is of the LDT type", .segment = type_ldt, .segments = LDTR },
    { .text = "S of TR and LDTR is 0", .segment = is_system, .segments = TR | LDTR },
    { .text = "TR and LDTR are present", .segment = present, .segments = TR | LDTR },
    { .text = "reserved bits of the access rights of TR and LDTR are 0",
      .segment = access_reserved, .segments = TR | LDTR },
    { .text = "granularity of TR and LDTR fits the limit",
      .segment = granularity, .segments = TR | LDTR },
    { .text = "TR is usable", .segment = task_usable, .segments = TR },
};
CHECK_GROUP(check_guest_segments, "Checks on Guest Segment Registers", segment_rules);

static bool limit_16(uint64_t limit)
{
    return limit <= UINT16_MAX;
}

static const struct check_rule table_rules[] = {
    { .text = "bases of GDTR and IDTR are canonical", .value = check_canonical,
      .fields = { VMCS_GUEST_GDTR_BASE, VMCS_GUEST_IDTR_BASE } },
    { .text = "limits of GDTR and IDTR have 16 bits", .value = limit_16,
      .fields = { VMCS_GUEST_GDTR_LIMIT, VMCS_GUEST_IDTR_LIMIT } },
};
CHECK_GROUP(check_guest_tables, "Checks on Guest Descriptor-Table Registers", table_rules);
