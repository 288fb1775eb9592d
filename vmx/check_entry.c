/* SPDX-License-Identifier: MIT */
/* Rules for VM-entry controls and the event that an entry injects (root mode); see vmx/check.h. */
#include "vmx/check.h"

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

static bool error_code_valid(uint64_t info)
{
    bool delivers = info & INTR_ERROR_CODE, protected = F(GUEST_CR0) & CR0_PE;
    bool exception = type_of(info) == INTR_TYPE_EXCEPTION;
    uint64_t vector = info & INTR_VECTOR_MASK;

    if (!protected && check_unrestricted())
        return !delivers;
    if (x86_rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_ANY_ERROR_CODE)
        return exception || !delivers;
    return delivers == (exception && vector < 32 && (ERROR_CODE_VECTORS & BIT(vector)));
}

static bool length_valid(uint64_t length)
{
    bool zero_allowed = x86_rdmsr(MSR_IA32_VMX_MISC) & VMX_MISC_ZERO_LENGTH;

    return length <= 15 && (length != 0 || zero_allowed);
}

static void check_event(struct check *c, uint64_t info)
{
    bool injects = info & INTR_VALID, software = check_injects(INTR_TYPE_SOFT_INTERRUPT) ||
                                                 check_injects(INTR_TYPE_PRIVILEGED_EXCEPTION) ||
                                                 check_injects(INTR_TYPE_SOFT_EXCEPTION);

    RULE(c, IMPLIES(injects, type_valid(info)),
         "the injected event's type is not reserved", VMCS_ENTRY_INTR_INFO);
    RULE(c, IMPLIES(injects, vector_valid(info)),
         "the injected event's vector fits its type", VMCS_ENTRY_INTR_INFO);
    RULE(c, IMPLIES(injects, error_code_valid(info)),
         "an error code is delivered with exceptions that have one, in protected mode, and "
         "with nothing else", VMCS_ENTRY_INTR_INFO, VMCS_GUEST_CR0);
    RULE(c, IMPLIES(injects, !(info & INTR_RESERVED)),
         "bits 30:12 of the injected event are 0", VMCS_ENTRY_INTR_INFO);
    RULE(c, IMPLIES(injects && (info & INTR_ERROR_CODE), F(ENTRY_ERROR_CODE) <= UINT16_MAX),
         "bits 31:16 of the injected error code are 0", VMCS_ENTRY_ERROR_CODE);
    RULE(c, IMPLIES(software, length_valid(F(ENTRY_INSN_LENGTH))),
         "the instruction length of an injected software event is 1 to 15 (0: by "
         "IA32_VMX_MISC)", VMCS_ENTRY_INSN_LENGTH);
}

void check_entry(struct check *c)
{
    RULE(c, check_controls(VMCS_ENTRY_CONTROLS, MSR_IA32_VMX_ENTRY_CTLS,
                           MSR_IA32_VMX_TRUE_ENTRY_CTLS),
         "VM-entry controls as IA32_VMX_ENTRY_CTLS allows", VMCS_ENTRY_CONTROLS);
    RULE(c, !(F(ENTRY_CONTROLS) & (ENTRYC_SMM | ENTRYC_DEACTIVATE_DUAL_MONITOR)),
         "entry to SMM and deactivate dual-monitor treatment are 0 outside SMM",
         VMCS_ENTRY_CONTROLS);
    RULE(c, check_msr_area(VMCS_ENTRY_MSR_LOAD_COUNT, VMCS_ENTRY_MSR_LOAD),
         "the MSR-load area is 16-byte aligned and within the physical-address width",
         VMCS_ENTRY_MSR_LOAD);
    check_event(c, F(ENTRY_INTR_INFO));
}
