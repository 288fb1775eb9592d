/* SPDX-License-Identifier: MIT */
/* Rules for the host-state area (root mode); see vmx/check.h. */
#include "vmx/check.h"

static bool cr0_fixed(uint64_t cr0)
{
    return check_fixed(cr0, vmx_caps.cr0_fixed0, vmx_caps.cr0_fixed1);
}

static bool cr4_fixed(uint64_t cr4)
{
    return check_fixed(cr4, vmx_caps.cr4_fixed0, vmx_caps.cr4_fixed1);
}

static bool loads_pat(void)
{
    return check_bits(VMCS_EXIT_CONTROLS, EXITC_LOAD_PAT);
}

static bool loads_efer(void)
{
    return check_bits(VMCS_EXIT_CONTROLS, EXITC_LOAD_EFER);
}

/* The hypervisor is 64-bit. */
static bool efer_64(uint64_t efer)
{
    return (efer & (EFER_LMA | EFER_LME)) == (EFER_LMA | EFER_LME);
}

static const struct check_rule register_rules[] = {
    { .text = "host CR0 has the bits that VMX fixes (IA32_VMX_CR0_FIXED0, _FIXED1)",
      .value = cr0_fixed, .fields = { VMCS_HOST_CR0 } },
    { .text = "host CR4 has the bits that VMX fixes (IA32_VMX_CR4_FIXED0, _FIXED1)",
      .value = cr4_fixed, .fields = { VMCS_HOST_CR4 } },
    { .text = "host CR3 is within the physical-address width",
      .value = check_physical, .fields = { VMCS_HOST_CR3 } },
    { .text = "host SYSENTER addresses are canonical",
      .value = check_canonical, .fields = { VMCS_HOST_SYSENTER_ESP, VMCS_HOST_SYSENTER_EIP } },
    { .text = "each type in the host PAT is defined",
      .when = loads_pat, .value = check_pat, .fields = { VMCS_HOST_PAT } },
    { .text = "reserved bits of the host EFER are 0",
      .when = loads_efer, .value = check_efer, .fields = { VMCS_HOST_EFER } },
    { .text = "LMA and LME of the host EFER are as the host address-space size",
      .when = loads_efer, .value = efer_64, .fields = { VMCS_HOST_EFER } },
};
CHECK_GROUP(check_host, "Checks on Host Control Registers, MSRs, and SSP", register_rules);

#define SELECTOR_RPL_TI 7ull

static bool privileged(uint64_t selector)
{
    return !(selector & SELECTOR_RPL_TI);
}

static bool not_null(uint64_t selector)
{
    return selector != 0;
}

static const struct check_rule segment_rules[] = {
    { .text = "RPL and TI of host selectors are 0", .value = privileged,
      .fields = { VMCS_HOST_ES, VMCS_HOST_CS, VMCS_HOST_SS, VMCS_HOST_DS, VMCS_HOST_FS,
                  VMCS_HOST_GS } },
    { .text = "RPL and TI of the host TR selector are 0",
      .value = privileged, .fields = { VMCS_HOST_TR } },
    { .text = "host CS and TR are not null",
      .value = not_null, .fields = { VMCS_HOST_CS, VMCS_HOST_TR } },
    { .text = "host bases are canonical", .value = check_canonical,
      .fields = { VMCS_HOST_FS_BASE, VMCS_HOST_GS_BASE, VMCS_HOST_TR_BASE, VMCS_HOST_GDTR_BASE,
                  VMCS_HOST_IDTR_BASE } },
};
CHECK_GROUP(check_host_segments, "Checks on Host Segment and Descriptor-Table Registers",
            segment_rules);

static bool size_64(uint64_t controls)
{
    return controls & EXITC_HOST_64;
}

static bool cr4_pae(uint64_t cr4)
{
    return cr4 & CR4_PAE;
}

static const struct check_rule size_rules[] = {
    { .text = "host address-space size is 1, as the hypervisor is 64-bit",
      .value = size_64, .fields = { VMCS_EXIT_CONTROLS } },
    { .text = "host CR4.PAE is 1", .value = cr4_pae, .fields = { VMCS_HOST_CR4 } },
    { .text = "host RIP is canonical", .value = check_canonical, .fields = { VMCS_HOST_RIP } },
};
CHECK_GROUP(check_host_size, "Checks Related to Address-Space Size", size_rules);
