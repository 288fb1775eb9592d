/* SPDX-License-Identifier: MIT */
/* Rules for VM-entry controls and the event that an entry injects (root mode); see vmx/check.h. */
#include "vmx/check.h"

static bool controls_allowed(void)
{
    bool has_true = x86_rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS;
    uint64_t capability =
        x86_rdmsr(has_true ? MSR_IA32_VMX_TRUE_ENTRY_CTLS : MSR_IA32_VMX_ENTRY_CTLS);

    return check_fixed(vmcs_read(VMCS_ENTRY_CONTROLS), capability & UINT32_MAX, capability >> 32);
}

static bool not_smm(uint64_t controls)
{
    return !(controls & (ENTRYC_SMM | ENTRYC_DEACTIVATE_DUAL_MONITOR));
}

static bool loads_msrs(void)
{
    return vmcs_read(VMCS_ENTRY_MSR_LOAD_COUNT) != 0;
}

static bool msr_area(uint64_t address)
{
    return address % 16 == 0 && check_physical(address);
}

#define INTR_TYPE_RESERVED 1u
#define INTR_TYPE_OTHER 7u
#define INTR_RESERVED 0x7ffff000ull

static unsigned type_of(uint64_t info)
{
    return (unsigned)(info >> INTR_TYPE_SHIFT & INTR_TYPE_MASK);
}

/* Type 7 needs the monitor trap flag. */
static bool type_valid(uint64_t info)
{
    uint64_t may = x86_rdmsr(MSR_IA32_VMX_PROCBASED_CTLS) >> 32;

    return type_of(info) != INTR_TYPE_RESERVED &&
           (type_of(info) != INTR_TYPE_OTHER || (may & PROC_MTF));
}

static bool vector_valid(uint64_t info)
{
    uint64_t vector = info & INTR_VECTOR_MASK;

    switch (type_of(info)) {
    case INTR_TYPE_NMI:
        return vector == VECTOR_NMI;
    case INTR_TYPE_EXCEPTION:
        return vector < 32;
    case INTR_TYPE_OTHER:
        return vector == 0;
    default:
        return true;
    }
}

/* Exceptions that push an error code. */
#define ERROR_CODE_VECTORS                                                                         \
    (BIT(VECTOR_DF) | BIT(VECTOR_TS) | BIT(VECTOR_NP) | BIT(VECTOR_SS) | BIT(VECTOR_GP) |          \
     BIT(VECTOR_PF) | BIT(VECTOR_AC))

static bool error_code_valid(void)
{
    uint64_t info = vmcs_read(VMCS_ENTRY_INTR_INFO), vector = info & INTR_VECTOR_MASK;
    bool delivers = info & INTR_ERROR_CODE, protected = check_bits(VMCS_GUEST_CR0, CR0_PE);
    bool exception = type_of(info) == INTR_TYPE_EXCEPTION;

    if (!protected && check_unrestricted())
        return !delivers;
    if (x86_rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_ANY_ERROR_CODE)
        return exception || !delivers;
    return delivers == (exception && vector < 32 && (ERROR_CODE_VECTORS & BIT(vector)));
}

static bool info_reserved(uint64_t info)
{
    return !(info & INTR_RESERVED);
}

static bool delivers_error_code(void)
{
    return check_injects() && check_bits(VMCS_ENTRY_INTR_INFO, INTR_ERROR_CODE);
}

static bool error_code_reserved(uint64_t code)
{
    return code <= UINT16_MAX;
}

static bool injects_software_event(void)
{
    return check_injects_type(INTR_TYPE_SOFT_INTERRUPT) ||
           check_injects_type(INTR_TYPE_PRIVILEGED_EXCEPTION) ||
           check_injects_type(INTR_TYPE_SOFT_EXCEPTION);
}

static bool length_valid(uint64_t length)
{
    bool zero_allowed = x86_rdmsr(MSR_IA32_VMX_MISC) & VMX_MISC_ZERO_LENGTH;

    return length <= 15 && (length != 0 || zero_allowed);
}

static const struct check_rule rules[] = {
    { .text = "VM-entry controls as IA32_VMX_ENTRY_CTLS allows",
      .whole = controls_allowed, .fields = { VMCS_ENTRY_CONTROLS } },
    { .text = "entry to SMM and deactivate dual-monitor treatment are 0 outside SMM",
      .value = not_smm, .fields = { VMCS_ENTRY_CONTROLS } },
    { .text = "the MSR-load area is 16-byte aligned and within the physical-address width",
      .when = loads_msrs, .value = msr_area, .fields = { VMCS_ENTRY_MSR_LOAD } },
    { .text = "the injected event's type is not reserved",
      .when = check_injects, .value = type_valid, .fields = { VMCS_ENTRY_INTR_INFO } },
    { .text = "the injected event's vector fits its type",
      .when = check_injects, .value = vector_valid, .fields = { VMCS_ENTRY_INTR_INFO } },
    { .text = "an error code is delivered with exceptions that have one, in protected mode, and "
              "with nothing else",
      .when = check_injects, .whole = error_code_valid,
      .fields = { VMCS_ENTRY_INTR_INFO, VMCS_GUEST_CR0 } },
    { .text = "bits 30:12 of the injected event are 0",
      .when = check_injects, .value = info_reserved, .fields = { VMCS_ENTRY_INTR_INFO } },
    { .text = "bits 31:16 of the injected error code are 0",
      .when = delivers_error_code, .value = error_code_reserved,
      .fields = { VMCS_ENTRY_ERROR_CODE } },
    { .text = "the instruction length of an injected software event is 1 to 15 (0: by "
              "IA32_VMX_MISC)",
      .when = injects_software_event, .value = length_valid,
      .fields = { VMCS_ENTRY_INSN_LENGTH } },
};
CHECK_GROUP(check_entry, "VM-Entry Control Fields", rules);
