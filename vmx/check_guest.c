/* SPDX-License-Identifier: MIT */
/* Rules for the guest's control registers, MSRs, RIP, RFLAGS and PDPTEs (root mode); see
 * vmx/check.h. */
#include "vmx/check.h"

static bool cr0_fixed(uint64_t cr0)
{
    uint64_t free_bits = check_unrestricted() ? CR0_PE | CR0_PG : 0;

    return check_fixed(cr0, vmx_caps.cr0_fixed0 & ~free_bits, vmx_caps.cr0_fixed1);
}

static bool cr0_paging(uint64_t cr0)
{
    return !(cr0 & CR0_PG) || (cr0 & CR0_PE);
}

static bool cr4_fixed(uint64_t cr4)
{
    return check_fixed(cr4, vmx_caps.cr4_fixed0, vmx_caps.cr4_fixed1);
}

static bool cet(void)
{
    return !check_bits(VMCS_GUEST_CR4, CR4_CET) || check_bits(VMCS_GUEST_CR0, CR0_WP);
}

static bool ia32e_paging(void)
{
    return check_bits(VMCS_GUEST_CR0, CR0_PG) && check_bits(VMCS_GUEST_CR4, CR4_PAE);
}

static bool not_ia32e(void)
{
    return !check_guest_ia32e();
}

static bool no_pcid(uint64_t cr4)
{
    return !(cr4 & CR4_PCIDE);
}

static bool loads_debug(void)
{
    return check_bits(VMCS_ENTRY_CONTROLS, ENTRYC_LOAD_DEBUG);
}

#define DEBUGCTL_RESERVED 0xffffffffffff0038ull

static bool debugctl(uint64_t value)
{
    return !(value & DEBUGCTL_RESERVED);
}

static bool upper_half_zero(uint64_t value)
{
    return value >> 32 == 0;
}

static bool loads_pat(void)
{
    return check_bits(VMCS_ENTRY_CONTROLS, ENTRYC_LOAD_PAT);
}

static bool loads_efer(void)
{
    return check_bits(VMCS_ENTRY_CONTROLS, ENTRYC_LOAD_EFER);
}

static bool lma_as_control(uint64_t efer)
{
    return (bool)(efer & EFER_LMA) == check_guest_ia32e();
}

static bool lme_with_paging(void)
{
    uint64_t efer = vmcs_read(VMCS_GUEST_EFER);

    return !check_bits(VMCS_GUEST_CR0, CR0_PG) ||
           (bool)(efer & EFER_LMA) == (bool)(efer & EFER_LME);
}

static const struct check_rule register_rules[] = {
    { .text = "CR0 has the bits that VMX fixes (IA32_VMX_CR0_FIXED0, _FIXED1)",
      .value = cr0_fixed, .fields = { VMCS_GUEST_CR0 } },
    { .text = "CR0.PG needs CR0.PE", .value = cr0_paging, .fields = { VMCS_GUEST_CR0 } },
    { .text = "CR4 has the bits that VMX fixes (IA32_VMX_CR4_FIXED0, _FIXED1)",
      .value = cr4_fixed, .fields = { VMCS_GUEST_CR4 } },
    { .text = "CR4.CET needs CR0.WP", .whole = cet, .fields = { VMCS_GUEST_CR0, VMCS_GUEST_CR4 } },
    { .text = "reserved bits of DEBUGCTL are 0",
      .when = loads_debug, .value = debugctl, .fields = { VMCS_GUEST_DEBUGCTL } },
    { .text = "IA-32e mode guest needs CR0.PG and CR4.PAE",
      .when = check_guest_ia32e, .whole = ia32e_paging,
      .fields = { VMCS_GUEST_CR0, VMCS_GUEST_CR4, VMCS_ENTRY_CONTROLS } },
    { .text = "CR4.PCIDE needs IA-32e mode guest",
      .when = not_ia32e, .value = no_pcid, .fields = { VMCS_GUEST_CR4 } },
    { .text = "CR3 is within the physical-address width",
      .value = check_physical, .fields = { VMCS_GUEST_CR3 } },
    { .text = "bits 63:32 of DR7 are 0",
      .when = loads_debug, .value = upper_half_zero, .fields = { VMCS_GUEST_DR7 } },
    { .text = "SYSENTER addresses are canonical",
      .value = check_canonical, .fields = { VMCS_GUEST_SYSENTER_ESP, VMCS_GUEST_SYSENTER_EIP } },
    { .text = "each type in the PAT is defined",
      .when = loads_pat, .value = check_pat, .fields = { VMCS_GUEST_PAT } },
    { .text = "reserved bits of EFER are 0",
      .when = loads_efer, .value = check_efer, .fields = { VMCS_GUEST_EFER } },
    { .text = "EFER.LMA is as IA-32e mode guest",
      .when = loads_efer, .value = lma_as_control, .fields = { VMCS_GUEST_EFER } },
    { .text = "with CR0.PG, EFER.LMA equals EFER.LME",
      .when = loads_efer, .whole = lme_with_paging,
      .fields = { VMCS_GUEST_EFER, VMCS_GUEST_CR0 } },
};
CHECK_GROUP(check_guest, "Checks on Guest Control Registers, Debug Registers, and MSRs",
            register_rules);

static bool in_64bit(void)
{
    return check_guest_ia32e() && check_bits(VMCS_GUEST_CS_ACCESS, SEGMENT_ACCESS_L);
}

static bool not_in_64bit(void)
{
    return !in_64bit();
}

/* Bits 63:N are identical; bit N - 1 may differ from them. */
static bool rip_width(uint64_t rip)
{
    unsigned width = x86_cpuid(CPUID_ADDRESS_SIZES, 0).eax >> 8 & 0xff;
    uint64_t upper = rip >> width;

    return upper == 0 || upper == ~0ull >> width;
}

#define RFLAGS_RESERVED (~0x3fffffull | BIT(15) | BIT(5) | BIT(3))

static bool rflags_reserved(uint64_t rflags)
{
    return !(rflags & RFLAGS_RESERVED) && (rflags & RFLAGS_FIXED1);
}

static bool virtual_8086_mode(void)
{
    return !check_guest_ia32e() && check_bits(VMCS_GUEST_CR0, CR0_PE);
}

static bool injects_interrupt(void)
{
    return check_injects_type(INTR_TYPE_EXTERNAL);
}

static bool interrupts_on(uint64_t rflags)
{
    return rflags & RFLAGS_IF;
}

static const struct check_rule rip_rules[] = {
    { .text = "bits 63:32 of RIP are 0 outside 64-bit mode", .when = not_in_64bit,
      .value = upper_half_zero, .fields = { VMCS_GUEST_RIP } },
    { .text = "the bits of RIP above the linear-address width are identical", .when = in_64bit,
      .value = rip_width, .fields = { VMCS_GUEST_RIP } },
    { .text = "RFLAGS bit 1 is 1, bits 63:22, 15, 5 and 3 are 0",
      .value = rflags_reserved, .fields = { VMCS_GUEST_RFLAGS } },
    { .text = "RFLAGS.VM is 0 in IA-32e mode and without CR0.PE", .when = check_virtual_8086,
      .whole = virtual_8086_mode,
      .fields = { VMCS_GUEST_RFLAGS, VMCS_GUEST_CR0, VMCS_ENTRY_CONTROLS } },
    { .text = "RFLAGS.IF is 1 when an external interrupt is injected", .when = injects_interrupt,
      .value = interrupts_on, .fields = { VMCS_GUEST_RFLAGS } },
};
CHECK_GROUP(check_guest_rip, "Checks on Guest RIP, RFLAGS, and SSP", rip_rules);

static bool has_pdptes(void)
{
    return check_bits(VMCS_GUEST_CR0, CR0_PG) && check_bits(VMCS_GUEST_CR4, CR4_PAE) &&
           !check_guest_ia32e() && check_proc2(PROC2_EPT);
}

#define PDPTE_RESERVED 0x1e6ull /* bits 2:1 and 8:5 */

static bool pdpte(uint64_t entry)
{
    return !(entry & PTE_P) || (!(entry & PDPTE_RESERVED) && check_physical(entry));
}

static const struct check_rule pdpte_rules[] = {
    { .text = "reserved bits of PDPTEs that are present are 0", .when = has_pdptes, .value = pdpte,
      .fields = { VMCS_GUEST_PDPTE0, VMCS_GUEST_PDPTE1, VMCS_GUEST_PDPTE2, VMCS_GUEST_PDPTE3 } },
};
CHECK_GROUP(check_guest_pdptes, "Checks on Guest Page-Directory-Pointer-Table Entries",
            pdpte_rules);
