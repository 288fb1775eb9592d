/* SPDX-License-Identifier: MIT */
/* Rules for the host-state area (root mode); see vmx/check.h. */
#include "vmx/check.h"

#define EFER_64 (EFER_LMA | EFER_LME)
#define SELECTOR_RPL_TI 7ull

void check_host(struct check *c)
{
    uint64_t exit = F(EXIT_CONTROLS);

    RULE(c, check_fixed(F(HOST_CR0), vmx_caps.cr0_fixed0, vmx_caps.cr0_fixed1),
         "host CR0 has the bits that VMX fixes (IA32_VMX_CR0_FIXED0, _FIXED1)", VMCS_HOST_CR0);
    RULE(c, check_fixed(F(HOST_CR4), vmx_caps.cr4_fixed0, vmx_caps.cr4_fixed1),
         "host CR4 has the bits that VMX fixes (IA32_VMX_CR4_FIXED0, _FIXED1)", VMCS_HOST_CR4);
    RULE(c, check_physical(F(HOST_CR3)), "host CR3 is within the physical-address width",
         VMCS_HOST_CR3);
    RULE(c, check_canonical(F(HOST_SYSENTER_ESP)) && check_canonical(F(HOST_SYSENTER_EIP)),
         "host SYSENTER addresses are canonical", VMCS_HOST_SYSENTER_ESP, VMCS_HOST_SYSENTER_EIP);
    RULE(c, IMPLIES(exit & EXITC_LOAD_PAT, x86_pat_defined(F(HOST_PAT))),
         "each type in the host PAT is defined", VMCS_HOST_PAT);
    RULE(c, IMPLIES(exit & EXITC_LOAD_EFER, check_efer(F(HOST_EFER))),
         "reserved bits of the host EFER are 0", VMCS_HOST_EFER);
    RULE(c, IMPLIES(exit & EXITC_LOAD_EFER, (F(HOST_EFER) & EFER_64) == EFER_64),
         "LMA and LME of the host EFER are as the host address-space size", VMCS_HOST_EFER);
}

void check_host_segments(struct check *c)
{
    uint64_t selectors = F(HOST_ES) | F(HOST_CS) | F(HOST_SS) | F(HOST_DS) | F(HOST_FS) |
                         F(HOST_GS);

    RULE(c, !(selectors & SELECTOR_RPL_TI), "RPL and TI of host selectors are 0", VMCS_HOST_ES,
         VMCS_HOST_CS, VMCS_HOST_SS, VMCS_HOST_DS, VMCS_HOST_FS, VMCS_HOST_GS);
    RULE(c, !(F(HOST_TR) & SELECTOR_RPL_TI), "RPL and TI of the host TR selector are 0",
         VMCS_HOST_TR);
    RULE(c, F(HOST_CS) && F(HOST_TR), "host CS and TR are not null", VMCS_HOST_CS, VMCS_HOST_TR);
    RULE(c, check_canonical(F(HOST_FS_BASE)) && check_canonical(F(HOST_GS_BASE)) &&
            check_canonical(F(HOST_TR_BASE)) && check_canonical(F(HOST_GDTR_BASE)) &&
            check_canonical(F(HOST_IDTR_BASE)),
         "host bases are canonical", VMCS_HOST_FS_BASE, VMCS_HOST_GS_BASE, VMCS_HOST_TR_BASE,
         VMCS_HOST_GDTR_BASE, VMCS_HOST_IDTR_BASE);
}

void check_host_size(struct check *c)
{
    RULE(c, F(EXIT_CONTROLS) & EXITC_HOST_64,
         "host address-space size is 1, as the hypervisor is 64-bit", VMCS_EXIT_CONTROLS);
    RULE(c, F(HOST_CR4) & CR4_PAE, "host CR4.PAE is 1", VMCS_HOST_CR4);
    RULE(c, check_canonical(F(HOST_RIP)), "host RIP is canonical", VMCS_HOST_RIP);
}
