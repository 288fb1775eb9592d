/* SPDX-License-Identifier: MIT */
/*
 * Why a VM entry was refused (root mode): walks the rules of SDM 3C, "VM Entries", and logs each
 * that the current VMCS breaks with the values of its fields. Rules about the content of memory
 * (the virtual-APIC page, the MSR areas, a shadow VMCS) are not walked.
 */
#include "vmx/check.h"

#include "kernel/log.h"

static const struct {
    const char *section; /* of SDM 3C, "VM Entries" */
    void (*check)(struct check *c);
} sections[] = {
    { "VM-Execution Control Fields", check_execution },
    { "VM-Exit Control Fields", check_exit },
    { "VM-Entry Control Fields", check_entry },
    { "Checks on Host Control Registers, MSRs, and SSP", check_host },
    { "Checks on Host Segment and Descriptor-Table Registers", check_host_segments },
    { "Checks Related to Address-Space Size", check_host_size },
    { "Checks on Guest Control Registers, Debug Registers, and MSRs", check_guest },
    { "Checks on Guest Segment Registers", check_guest_segments },
    { "Checks on Guest Descriptor-Table Registers", check_guest_tables },
    { "Checks on Guest RIP, RFLAGS, and SSP", check_guest_rip },
    { "Checks on Guest Non-Register State", check_guest_state },
    { "Checks on Guest Page-Directory-Pointer-Table Entries", check_guest_pdptes },
};

/* What to look at when every rule holds. */
static const uint16_t key_fields[] = {
    VMCS_PIN_CONTROLS, VMCS_PROC_CONTROLS, VMCS_EXIT_CONTROLS, VMCS_ENTRY_CONTROLS,
    VMCS_ENTRY_INTR_INFO, VMCS_GUEST_CR0, VMCS_GUEST_CR3, VMCS_GUEST_CR4, VMCS_GUEST_EFER,
    VMCS_GUEST_DR7, VMCS_GUEST_RIP, VMCS_GUEST_RSP, VMCS_GUEST_RFLAGS, VMCS_GUEST_CS,
    VMCS_GUEST_CS_ACCESS, VMCS_GUEST_SS, VMCS_GUEST_SS_ACCESS, VMCS_GUEST_TR,
    VMCS_GUEST_TR_ACCESS, VMCS_GUEST_INTERRUPTIBILITY, VMCS_GUEST_ACTIVITY,
    VMCS_GUEST_PENDING_DEBUG, VMCS_LINK_POINTER, VMCS_HOST_CR0, VMCS_HOST_CR4,
};

bool check_canonical(uint64_t address)
{
    unsigned width = x86_cpuid(CPUID_ADDRESS_SIZES, 0).eax >> 8 & 0xff;
    unsigned shift = 64 - width;

    return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

bool check_physical(uint64_t address)
{
    return address >> (x86_cpuid(CPUID_ADDRESS_SIZES, 0).eax & 0xff) == 0;
}

bool check_physical_page(uint64_t address)
{
    return check_physical(address) && address % PAGE_SIZE == 0;
}

bool check_msr_area(enum vmcs_field count, enum vmcs_field address)
{
    return !vmcs_read(count) ||
           (vmcs_read(address) % 16 == 0 && check_physical(vmcs_read(address)));
}

bool check_efer(uint64_t efer)
{
    return !(efer & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE));
}

bool check_fixed(uint64_t value, uint64_t fixed0, uint64_t fixed1)
{
    return (value & fixed0) == fixed0 && !(value & ~fixed1);
}

/* A capability MSR has the bits that must be 1 in its low half, those that may in its high half. */
bool check_controls(enum vmcs_field field, uint32_t msr, uint32_t true_msr)
{
    bool has_true = x86_rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS;
    uint64_t capability = x86_rdmsr(has_true ? true_msr : msr);

    return check_fixed(vmcs_read(field), capability & UINT32_MAX, capability >> 32);
}

static void show(uint16_t field)
{
    const char *name = vmx_field_name(field);

    log_printf("    %s = 0x%llx\n", name ? name : "?",
               (unsigned long long)vmcs_read((enum vmcs_field)field));
}

void check_rule(struct check *c, bool holds, const char *text, const uint16_t *fields)
{
    if (holds)
        return;
    c->broken++;
    log_printf("%s: broken: %s (SDM 3C, \"%s\")\n", c->vcpu->vm->name, text, c->section);
    while (*fields)
        show(*fields++);
}

/* SDM 3C, "VM Instruction Error Numbers": those of VMLAUNCH and VMRESUME */
static const char *error_text(uint64_t number)
{
    static const char *const texts[] = {
        [4] = "VMLAUNCH of a VMCS that is not clear",
        [5] = "VMRESUME of a VMCS that was not launched",
        [6] = "VMRESUME after VMXOFF",
        [7] = "invalid control field",
        [8] = "invalid host-state field",
        [26] = "events blocked by MOV SS",
    };
    const char *text = number < ARRAY_SIZE(texts) ? texts[number] : NULL;

    return text ? text : "another VM-instruction error";
}

/* SDM 3C, "VM-Entry Failures During or After Loading Guest State" */
static const char *reason_text(uint32_t reason)
{
    if (!reason)
        return error_text(vmcs_read(VMCS_INSN_ERROR));
    switch (reason & EXIT_REASON_BASIC) {
    case VMX_EXIT_ENTRY_GUEST_STATE:
        return "invalid guest state";
    case VMX_EXIT_ENTRY_MSR_LOAD:
        return "an entry of the MSR area, its number is the qualification";
    case VMX_EXIT_ENTRY_MACHINE_CHECK:
        return "machine check";
    default:
        return "a reason that the manual does not list";
    }
}

void vmx_explain_entry_failure(struct vcpu *v, uint32_t reason)
{
    struct check c = { .vcpu = v };

    log_printf("%s: VM entry of vCPU %u failed: %s (reason 0x%x, qualification 0x%llx)\n",
               v->vm->name, v->id, reason_text(reason), reason,
               (unsigned long long)(reason ? vmcs_read(VMCS_EXIT_QUALIFICATION) : 0));
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        c.section = sections[i].section;
        sections[i].check(&c);
    }
    if (c.broken)
        return;
    log_printf("%s: no rule that is known here is broken\n", v->vm->name);
    for (size_t i = 0; i < ARRAY_SIZE(key_fields); i++)
        show(key_fields[i]);
}
