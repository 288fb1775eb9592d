/* SPDX-License-Identifier: MIT */
/* Rules for VM-execution and VM-exit controls (root mode); see vmx/check.h. */
#include "vmx/check.h"
#include "vmx/ept.h"

/* A capability MSR: bits that must be 1 in its low half, that may be 1 in its high half. */
static bool allowed(enum vmcs_field field, uint32_t msr, uint32_t true_msr)
{
    bool has_true = x86_rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS;
    uint64_t capability = x86_rdmsr(has_true ? true_msr : msr);

    return check_fixed(vmcs_read(field), capability & UINT32_MAX, capability >> 32);
}

static bool pin_allowed(void)
{
    return allowed(VMCS_PIN_CONTROLS, MSR_IA32_VMX_PINBASED_CTLS, MSR_IA32_VMX_TRUE_PINBASED_CTLS);
}

static bool proc_allowed(void)
{
    return allowed(VMCS_PROC_CONTROLS, MSR_IA32_VMX_PROCBASED_CTLS,
                   MSR_IA32_VMX_TRUE_PROCBASED_CTLS);
}

static bool proc2_allowed(void)
{
    return allowed(VMCS_PROC_CONTROLS2, MSR_IA32_VMX_PROCBASED_CTLS2,
                   MSR_IA32_VMX_PROCBASED_CTLS2);
}

static bool exit_allowed(void)
{
    return allowed(VMCS_EXIT_CONTROLS, MSR_IA32_VMX_EXIT_CTLS, MSR_IA32_VMX_TRUE_EXIT_CTLS);
}

static bool has_secondary(void)
{
    return check_bits(VMCS_PROC_CONTROLS, PROC_SECONDARY);
}

static bool has_io_bitmaps(void)
{
    return check_bits(VMCS_PROC_CONTROLS, PROC_IO_BITMAPS);
}

static bool has_msr_bitmaps(void)
{
    return check_bits(VMCS_PROC_CONTROLS, PROC_MSR_BITMAPS);
}

static bool has_tpr_shadow(void)
{
    return check_bits(VMCS_PROC_CONTROLS, PROC_TPR_SHADOW);
}

static bool has_no_tpr_shadow(void)
{
    return !has_tpr_shadow() && has_secondary();
}

static bool has_delivery(void)
{
    return check_proc2(PROC2_INTERRUPT_DELIVERY);
}

static bool has_threshold(void)
{
    return has_tpr_shadow() && !has_delivery();
}

static bool has_apic_accesses(void)
{
    return check_proc2(PROC2_APIC_ACCESSES);
}

static bool has_posted_interrupts(void)
{
    return check_bits(VMCS_PIN_CONTROLS, PIN_POSTED_INTERRUPTS);
}

static bool has_vpid(void)
{
    return check_proc2(PROC2_VPID);
}

static bool has_ept(void)
{
    return check_proc2(PROC2_EPT);
}

static bool cr3_targets(uint64_t count)
{
    return count <= (x86_rdmsr(MSR_IA32_VMX_MISC) >> VMX_MISC_CR3_TARGETS_SHIFT &
                     VMX_MISC_CR3_TARGETS_MASK);
}

static bool threshold(uint64_t value)
{
    return value <= 0xf;
}

static bool no_apic_virtualisation(uint64_t proc2)
{
    return !(proc2 & (PROC2_X2APIC_MODE | PROC2_APIC_REGISTERS | PROC2_INTERRUPT_DELIVERY));
}

static bool one_apic_mode(uint64_t proc2)
{
    return !(proc2 & PROC2_X2APIC_MODE) || !(proc2 & PROC2_APIC_ACCESSES);
}

/* Virtual NMIs need NMI exiting; the NMI window needs virtual NMIs. */
static bool nmis(void)
{
    bool virtual_nmis = check_bits(VMCS_PIN_CONTROLS, PIN_VIRTUAL_NMI);

    if (check_bits(VMCS_PROC_CONTROLS, PROC_NMI_WINDOW) && !virtual_nmis)
        return false;
    return !virtual_nmis || check_bits(VMCS_PIN_CONTROLS, PIN_NMI);
}

static bool external_exiting(uint64_t pin)
{
    return pin & PIN_EXTERNAL_INTERRUPT;
}

static bool posted(void)
{
    uint64_t descriptor = vmcs_read(VMCS_POSTED_INT_DESC);

    return has_delivery() && check_bits(VMCS_EXIT_CONTROLS, EXITC_ACK_INTERRUPT) &&
           vmcs_read(VMCS_POSTED_INT_VECTOR) <= INTR_VECTOR_MASK && descriptor % 64 == 0 &&
           check_physical(descriptor);
}

static bool vpid(void)
{
    return vmcs_read(VMCS_VPID) != 0;
}

static bool needs_ept(uint64_t proc2)
{
    return !(proc2 & PROC2_UNRESTRICTED_GUEST) || (proc2 & PROC2_EPT);
}

#define EPTP_TYPE 7ull
#define EPTP_WALK (7ull << 3)
#define EPTP_RESERVED 0xf80ull

static bool eptp(uint64_t value)
{
    uint64_t caps = vmx_caps.ept_vpid, type = value & EPTP_TYPE;

    if (!(type == MEM_TYPE_UC && (caps & EPT_CAP_UC)) &&
        !(type == MEM_TYPE_WB && (caps & EPT_CAP_WB)))
        return false;
    if ((value & EPTP_ACCESSED_DIRTY) && !(caps & EPT_CAP_ACCESSED_DIRTY))
        return false;
    return (value & EPTP_WALK) == EPTP_WALK_4 && (caps & EPT_CAP_WALK_4) &&
           !(value & EPTP_RESERVED) && check_physical(value);
}

static const struct check_rule execution_rules[] = {
    { .text = "pin-based controls as IA32_VMX_PINBASED_CTLS allows",
      .whole = pin_allowed, .fields = { VMCS_PIN_CONTROLS } },
    { .text = "primary processor-based controls as IA32_VMX_PROCBASED_CTLS allows",
      .whole = proc_allowed, .fields = { VMCS_PROC_CONTROLS } },
    { .text = "secondary processor-based controls as IA32_VMX_PROCBASED_CTLS2 allows",
      .when = has_secondary, .whole = proc2_allowed, .fields = { VMCS_PROC_CONTROLS2 } },
    { .text = "no more CR3 targets than IA32_VMX_MISC says",
      .value = cr3_targets, .fields = { VMCS_CR3_TARGET_COUNT } },
    { .text = "I/O bitmaps are page-aligned and within the physical-address width",
      .when = has_io_bitmaps, .value = check_physical_page,
      .fields = { VMCS_IO_BITMAP_A, VMCS_IO_BITMAP_B } },
    { .text = "the MSR bitmap is page-aligned and within the physical-address width",
      .when = has_msr_bitmaps, .value = check_physical_page, .fields = { VMCS_MSR_BITMAP } },
    { .text = "the virtual-APIC page is page-aligned and within the physical-address width",
      .when = has_tpr_shadow, .value = check_physical_page, .fields = { VMCS_VIRTUAL_APIC } },
    { .text = "bits 31:4 of the TPR threshold are 0 without virtual-interrupt delivery",
      .when = has_threshold, .value = threshold, .fields = { VMCS_TPR_THRESHOLD } },
    { .text = "virtual NMIs need NMI exiting, the NMI window needs virtual NMIs",
      .whole = nmis, .fields = { VMCS_PIN_CONTROLS, VMCS_PROC_CONTROLS } },
    { .text = "the APIC-access page is page-aligned and within the physical-address width",
      .when = has_apic_accesses, .value = check_physical_page, .fields = { VMCS_APIC_ACCESS } },
    { .text = "no x2APIC mode, APIC-register virtualization or virtual-interrupt delivery "
              "without TPR shadow",
      .when = has_no_tpr_shadow, .value = no_apic_virtualisation,
      .fields = { VMCS_PROC_CONTROLS2 } },
    { .text = "virtualize x2APIC mode excludes virtualize APIC accesses",
      .when = has_secondary, .value = one_apic_mode, .fields = { VMCS_PROC_CONTROLS2 } },
    { .text = "virtual-interrupt delivery needs external-interrupt exiting",
      .when = has_delivery, .value = external_exiting, .fields = { VMCS_PIN_CONTROLS } },
    { .text = "posted interrupts need virtual-interrupt delivery, acknowledge interrupt on exit, "
              "a vector below 256 and a 64-byte aligned descriptor",
      .when = has_posted_interrupts, .whole = posted,
      .fields = { VMCS_EXIT_CONTROLS, VMCS_POSTED_INT_VECTOR, VMCS_POSTED_INT_DESC } },
    { .text = "the VPID is not 0", .when = has_vpid, .whole = vpid,
      .fields = { VMCS_PROC_CONTROLS2 } },
    { .text = "the EPTP's type, walk length, flags and address are supported",
      .when = has_ept, .value = eptp, .fields = { VMCS_EPTP } },
    { .text = "unrestricted guest needs EPT",
      .when = has_secondary, .value = needs_ept, .fields = { VMCS_PROC_CONTROLS2 } },
};
CHECK_GROUP(check_execution, "VM-Execution Control Fields", execution_rules);

static bool timer_saved(void)
{
    return check_bits(VMCS_PIN_CONTROLS, PIN_PREEMPTION_TIMER) ||
           !check_bits(VMCS_EXIT_CONTROLS, EXITC_SAVE_PREEMPTION_TIMER);
}

static bool stores_msrs(void)
{
    return vmcs_read(VMCS_EXIT_MSR_STORE_COUNT) != 0;
}

static bool loads_msrs(void)
{
    return vmcs_read(VMCS_EXIT_MSR_LOAD_COUNT) != 0;
}

static bool msr_area(uint64_t address)
{
    return address % 16 == 0 && check_physical(address);
}

static const struct check_rule exit_rules[] = {
    { .text = "VM-exit controls as IA32_VMX_EXIT_CTLS allows",
      .whole = exit_allowed, .fields = { VMCS_EXIT_CONTROLS } },
    { .text = "save VMX-preemption timer value needs the timer",
      .whole = timer_saved, .fields = { VMCS_PIN_CONTROLS, VMCS_EXIT_CONTROLS } },
    { .text = "the MSR-store area is 16-byte aligned and within the physical-address width",
      .when = stores_msrs, .value = msr_area, .fields = { VMCS_EXIT_MSR_STORE } },
    { .text = "the MSR-load area is 16-byte aligned and within the physical-address width",
      .when = loads_msrs, .value = msr_area, .fields = { VMCS_EXIT_MSR_LOAD } },
};
CHECK_GROUP(check_exit, "VM-Exit Control Fields", exit_rules);
