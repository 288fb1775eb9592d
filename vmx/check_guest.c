/* SPDX-License-Identifier: MIT */
/* Rules for the guest's control registers, MSRs, RIP, RFLAGS and PDPTEs (root mode); see
 * vmx/check.h. */
#include "vmx/check.h"

#define DEBUGCTL_RESERVED 0xffffffffffff0038ull
#define RFLAGS_RESERVED (~0x3fffffull | BIT(15) | BIT(5) | BIT(3))
#define PDPTE_RESERVED 0x1e6ull /* bits 2:1 and 8:5 */

static void check_control_registers(struct check *c, uint64_t cr0, uint64_t cr4)
{
    uint64_t free_bits = check_unrestricted() ? CR0_PE | CR0_PG : 0;
    bool ia32e = check_guest_ia32e();

    RULE(c, check_fixed(cr0, vmx_caps.cr0_fixed0 & ~free_bits, vmx_caps.cr0_fixed1),
         "CR0 has the bits that VMX fixes (IA32_VMX_CR0_FIXED0, _FIXED1)", VMCS_GUEST_CR0);
    RULE(c, IMPLIES(cr0 & CR0_PG, cr0 & CR0_PE), "CR0.PG needs CR0.PE", VMCS_GUEST_CR0);
    RULE(c, check_fixed(cr4, vmx_caps.cr4_fixed0, vmx_caps.cr4_fixed1),
         "CR4 has the bits that VMX fixes (IA32_VMX_CR4_FIXED0, _FIXED1)", VMCS_GUEST_CR4);
    RULE(c, IMPLIES(cr4 & CR4_CET, cr0 & CR0_WP), "CR4.CET needs CR0.WP",
         VMCS_GUEST_CR0, VMCS_GUEST_CR4);
    RULE(c, IMPLIES(ia32e, (cr0 & CR0_PG) && (cr4 & CR4_PAE)),
         "IA-32e mode guest needs CR0.PG and CR4.PAE",
         VMCS_GUEST_CR0, VMCS_GUEST_CR4, VMCS_ENTRY_CONTROLS);
    RULE(c, ia32e || !(cr4 & CR4_PCIDE), "CR4.PCIDE needs IA-32e mode guest", VMCS_GUEST_CR4);
    RULE(c, check_physical(F(GUEST_CR3)), "CR3 is within the physical-address width",
         VMCS_GUEST_CR3);
}

static void check_efer_rules(struct check *c, bool paging)
{
    bool loads = F(ENTRY_CONTROLS) & ENTRYC_LOAD_EFER;
    uint64_t efer = loads ? F(GUEST_EFER) : 0;
    bool lma = efer & EFER_LMA, lme = efer & EFER_LME;

    RULE(c, check_efer(efer), "reserved bits of EFER are 0", VMCS_GUEST_EFER);
    RULE(c, IMPLIES(loads, lma == check_guest_ia32e()), "EFER.LMA is as IA-32e mode guest",
         VMCS_GUEST_EFER);
    RULE(c, IMPLIES(paging, lma == lme), "with CR0.PG, EFER.LMA equals EFER.LME",
         VMCS_GUEST_EFER, VMCS_GUEST_CR0);
}

void check_guest(struct check *c)
{
    uint64_t entry = F(ENTRY_CONTROLS), cr0 = F(GUEST_CR0);

    check_control_registers(c, cr0, F(GUEST_CR4));
    RULE(c, IMPLIES(entry & ENTRYC_LOAD_DEBUG, !(F(GUEST_DEBUGCTL) & DEBUGCTL_RESERVED)),
         "reserved bits of DEBUGCTL are 0", VMCS_GUEST_DEBUGCTL);
    RULE(c, IMPLIES(entry & ENTRYC_LOAD_DEBUG, F(GUEST_DR7) <= UINT32_MAX),
         "bits 63:32 of DR7 are 0", VMCS_GUEST_DR7);
    RULE(c, check_canonical(F(GUEST_SYSENTER_ESP)) && check_canonical(F(GUEST_SYSENTER_EIP)),
         "SYSENTER addresses are canonical", VMCS_GUEST_SYSENTER_ESP, VMCS_GUEST_SYSENTER_EIP);
    RULE(c, IMPLIES(entry & ENTRYC_LOAD_PAT, x86_pat_defined(F(GUEST_PAT))),
         "each type in the PAT is defined", VMCS_GUEST_PAT);
    check_efer_rules(c, cr0 & CR0_PG);
}

/* Bits 63:N are identical; bit N - 1 may differ from them. */
static bool rip_width(uint64_t rip)
{
    unsigned width = x86_cpuid(CPUID_ADDRESS_SIZES, 0).eax >> 8 & 0xff;
    uint64_t upper = rip >> width;

    return upper == 0 || upper == ~0ull >> width;
}

void check_guest_rip(struct check *c)
{
    bool ia32e = check_guest_ia32e(), in_64bit = ia32e && (F(GUEST_CS_ACCESS) & SEGMENT_ACCESS_L);
    uint64_t rflags = F(GUEST_RFLAGS);

    RULE(c, in_64bit || F(GUEST_RIP) <= UINT32_MAX, "bits 63:32 of RIP are 0 outside 64-bit mode",
         VMCS_GUEST_RIP);
    RULE(c, IMPLIES(in_64bit, rip_width(F(GUEST_RIP))),
         "the bits of RIP above the linear-address width are identical", VMCS_GUEST_RIP);
    RULE(c, !(rflags & RFLAGS_RESERVED) && (rflags & RFLAGS_FIXED1),
         "RFLAGS bit 1 is 1, bits 63:22, 15, 5 and 3 are 0", VMCS_GUEST_RFLAGS);
    RULE(c, IMPLIES(rflags & RFLAGS_VM, !ia32e && (F(GUEST_CR0) & CR0_PE)),
         "RFLAGS.VM is 0 in IA-32e mode and without CR0.PE",
         VMCS_GUEST_RFLAGS, VMCS_GUEST_CR0, VMCS_ENTRY_CONTROLS);
    RULE(c, IMPLIES(check_injects(INTR_TYPE_EXTERNAL), rflags & RFLAGS_IF),
         "RFLAGS.IF is 1 when an external interrupt is injected", VMCS_GUEST_RFLAGS);
}

static bool pdpte(uint64_t entry)
{
    return !(entry & PTE_P) || (!(entry & PDPTE_RESERVED) && check_physical(entry));
}

void check_guest_pdptes(struct check *c)
{
    bool pae = (F(GUEST_CR0) & CR0_PG) && (F(GUEST_CR4) & CR4_PAE) && !check_guest_ia32e() &&
               (check_proc2() & PROC2_EPT);

    RULE(c, !pae || (pdpte(F(GUEST_PDPTE0)) && pdpte(F(GUEST_PDPTE1)) && pdpte(F(GUEST_PDPTE2)) &&
                     pdpte(F(GUEST_PDPTE3))),
         "reserved bits of PDPTEs that are present are 0",
         VMCS_GUEST_PDPTE0, VMCS_GUEST_PDPTE1, VMCS_GUEST_PDPTE2, VMCS_GUEST_PDPTE3);
}
