/* SPDX-License-Identifier: MIT */
/* Rules for VM-execution and VM-exit controls (root mode); see vmx/check.h. */
#include "vmx/check.h"
#include "vmx/ept.h"

#define TPR_THRESHOLD_MAX 0xfu
#define EPTP_TYPE 7ull
#define EPTP_WALK (7ull << 3)
#define EPTP_RESERVED 0xf80ull

static bool posted(uint64_t proc2)
{
    uint64_t descriptor = F(POSTED_INT_DESC);

    return (proc2 & PROC2_INTERRUPT_DELIVERY) && (F(EXIT_CONTROLS) & EXITC_ACK_INTERRUPT) &&
           F(POSTED_INT_VECTOR) <= INTR_VECTOR_MASK && descriptor % 64 == 0 &&
           check_physical(descriptor);
}

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

static void check_allowed(struct check *c)
{
    RULE(c, check_controls(VMCS_PIN_CONTROLS, MSR_IA32_VMX_PINBASED_CTLS,
                           MSR_IA32_VMX_TRUE_PINBASED_CTLS),
         "pin-based controls as IA32_VMX_PINBASED_CTLS allows", VMCS_PIN_CONTROLS);
    RULE(c, check_controls(VMCS_PROC_CONTROLS, MSR_IA32_VMX_PROCBASED_CTLS,
                           MSR_IA32_VMX_TRUE_PROCBASED_CTLS),
         "primary processor-based controls as IA32_VMX_PROCBASED_CTLS allows", VMCS_PROC_CONTROLS);
    RULE(c, IMPLIES(F(PROC_CONTROLS) & PROC_SECONDARY,
                    check_controls(VMCS_PROC_CONTROLS2, MSR_IA32_VMX_PROCBASED_CTLS2,
                                   MSR_IA32_VMX_PROCBASED_CTLS2)),
         "secondary processor-based controls as IA32_VMX_PROCBASED_CTLS2 allows",
         VMCS_PROC_CONTROLS2);
    RULE(c, F(CR3_TARGET_COUNT) <= (x86_rdmsr(MSR_IA32_VMX_MISC) >> VMX_MISC_CR3_TARGETS_SHIFT &
                                    VMX_MISC_CR3_TARGETS_MASK),
         "no more CR3 targets than IA32_VMX_MISC says", VMCS_CR3_TARGET_COUNT);
}

static void check_apic(struct check *c, uint64_t pin, uint64_t proc, uint64_t proc2)
{
    bool shadow = proc & PROC_TPR_SHADOW;

    RULE(c, IMPLIES(shadow, check_physical_page(F(VIRTUAL_APIC))),
         "the virtual-APIC page is page-aligned and within the physical-address width",
         VMCS_VIRTUAL_APIC);
    RULE(c, IMPLIES(shadow && !(proc2 & PROC2_INTERRUPT_DELIVERY),
                    F(TPR_THRESHOLD) <= TPR_THRESHOLD_MAX),
         "bits 31:4 of the TPR threshold are 0 without virtual-interrupt delivery",
         VMCS_TPR_THRESHOLD);
    RULE(c, IMPLIES(proc2 & PROC2_APIC_ACCESSES, check_physical_page(F(APIC_ACCESS))),
         "the APIC-access page is page-aligned and within the physical-address width",
         VMCS_APIC_ACCESS);
    RULE(c, shadow || !(proc2 & (PROC2_X2APIC_MODE | PROC2_APIC_REGISTERS |
                                 PROC2_INTERRUPT_DELIVERY)),
         "no x2APIC mode, APIC-register virtualization or virtual-interrupt delivery "
         "without TPR shadow", VMCS_PROC_CONTROLS2);
    RULE(c, !(proc2 & PROC2_X2APIC_MODE) || !(proc2 & PROC2_APIC_ACCESSES),
         "virtualize x2APIC mode excludes virtualize APIC accesses", VMCS_PROC_CONTROLS2);
    RULE(c, IMPLIES(proc2 & PROC2_INTERRUPT_DELIVERY, pin & PIN_EXTERNAL_INTERRUPT),
         "virtual-interrupt delivery needs external-interrupt exiting", VMCS_PIN_CONTROLS);
    RULE(c, IMPLIES(pin & PIN_POSTED_INTERRUPTS, posted(proc2)),
         "posted interrupts need virtual-interrupt delivery, acknowledge interrupt on exit, "
         "a vector below 256 and a 64-byte aligned descriptor",
         VMCS_EXIT_CONTROLS, VMCS_POSTED_INT_VECTOR, VMCS_POSTED_INT_DESC);
}

void check_execution(struct check *c)
{
    uint64_t pin = F(PIN_CONTROLS), proc = F(PROC_CONTROLS), proc2 = check_proc2();

    check_allowed(c);
    RULE(c, IMPLIES(proc & PROC_IO_BITMAPS, check_physical_page(F(IO_BITMAP_A)) &&
                                            check_physical_page(F(IO_BITMAP_B))),
         "I/O bitmaps are page-aligned and within the physical-address width",
         VMCS_IO_BITMAP_A, VMCS_IO_BITMAP_B);
    RULE(c, IMPLIES(proc & PROC_MSR_BITMAPS, check_physical_page(F(MSR_BITMAP))),
         "the MSR bitmap is page-aligned and within the physical-address width", VMCS_MSR_BITMAP);
    RULE(c, IMPLIES(proc & PROC_NMI_WINDOW, pin & PIN_VIRTUAL_NMI) &&
            IMPLIES(pin & PIN_VIRTUAL_NMI, pin & PIN_NMI),
         "virtual NMIs need NMI exiting, the NMI window needs virtual NMIs",
         VMCS_PIN_CONTROLS, VMCS_PROC_CONTROLS);
    check_apic(c, pin, proc, proc2);
    RULE(c, IMPLIES(proc2 & PROC2_VPID, F(VPID) != 0), "the VPID is not 0", VMCS_PROC_CONTROLS2);
    RULE(c, IMPLIES(proc2 & PROC2_EPT, eptp(F(EPTP))),
         "the EPTP's type, walk length, flags and address are supported", VMCS_EPTP);
    RULE(c, IMPLIES(proc2 & PROC2_UNRESTRICTED_GUEST, proc2 & PROC2_EPT),
         "unrestricted guest needs EPT", VMCS_PROC_CONTROLS2);
}

void check_exit(struct check *c)
{
    RULE(c, check_controls(VMCS_EXIT_CONTROLS, MSR_IA32_VMX_EXIT_CTLS, MSR_IA32_VMX_TRUE_EXIT_CTLS),
         "VM-exit controls as IA32_VMX_EXIT_CTLS allows", VMCS_EXIT_CONTROLS);
    RULE(c, IMPLIES(F(EXIT_CONTROLS) & EXITC_SAVE_PREEMPTION_TIMER,
                    F(PIN_CONTROLS) & PIN_PREEMPTION_TIMER),
         "save VMX-preemption timer value needs the timer", VMCS_PIN_CONTROLS, VMCS_EXIT_CONTROLS);
    RULE(c, check_msr_area(VMCS_EXIT_MSR_STORE_COUNT, VMCS_EXIT_MSR_STORE),
         "the MSR-store area is 16-byte aligned and within the physical-address width",
         VMCS_EXIT_MSR_STORE);
    RULE(c, check_msr_area(VMCS_EXIT_MSR_LOAD_COUNT, VMCS_EXIT_MSR_LOAD),
         "the MSR-load area is 16-byte aligned and within the physical-address width",
         VMCS_EXIT_MSR_LOAD);
}
