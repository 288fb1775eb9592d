/* SPDX-License-Identifier: MIT */
/*
 * The rules of APM 2, "Canonicalization and Consistency Checks", and of the sections that add to
 * them (root mode and build host); see svm/check.h. There is none about segment bases, which the
 * processor makes canonical, about RIP, whose errors raise #GP in the guest, nor about the host,
 * whose errors are a shutdown.
 */
#include "kernel/x86.h"
#include "svm/check.h"

#define RULE(holds, text, ...)                                                                     \
    svm_rule(c, (holds), (text), (const struct svm_value[]){ __VA_ARGS__, { NULL, 0 } })
#define CONTROL(field) { #field, vmcb->control.field }
#define SAVE(field) { #field, vmcb->save.field }

static bool physical(uint64_t address)
{
    return address >> (x86_cpuid(CPUID_ADDRESS_SIZES, 0).eax & 0xff) == 0;
}

/* The processor ignores the low bits of a map's address (APM 2, "I/O Permissions Map"). */
static bool map_physical(uint64_t address, uint64_t size)
{
    return physical(address) && physical(ALIGN_DOWN(address, PAGE_SIZE) + size - 1);
}

/* What AMD-V's first processors had. */
#define CR4_BASIC                                                                                  \
    (CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE |      \
     CR4_OSFXSR | CR4_OSXMMEXCPT)

static uint64_t cr4_defined(void)
{
    struct cpuid_regs one = x86_cpuid(CPUID_FEATURES, 0), seven = x86_cpuid(CPUID_EXT_FEATURES, 0);
    const struct {
        uint64_t bit;
        uint32_t word, feature;
    } optional[] = {
        { CR4_PCIDE, one.ecx, CPUID_1_ECX_PCID },
        { CR4_OSXSAVE, one.ecx, CPUID_1_ECX_XSAVE },
        { CR4_FSGSBASE, seven.ebx, CPUID_7_EBX_FSGSBASE },
        { CR4_SMEP, seven.ebx, CPUID_7_EBX_SMEP },
        { CR4_SMAP, seven.ebx, CPUID_7_EBX_SMAP },
        { CR4_UMIP, seven.ecx, CPUID_7_ECX_UMIP },
        { CR4_PKE, seven.ecx, CPUID_7_ECX_PKU },
        { CR4_CET, seven.ecx, CPUID_7_ECX_CET_SS },
        { CR4_LA57, seven.ecx, CPUID_7_ECX_LA57 },
    };
    uint64_t defined = CR4_BASIC;

    for (size_t i = 0; i < ARRAY_SIZE(optional); i++)
        defined |= optional[i].word & optional[i].feature ? optional[i].bit : 0;
    return defined;
}

/* Guests are offered fewer (kernel/msr.c). */
#define EFER_DEFINED                                                                               \
    (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME | EFER_LMSLE | EFER_FFXSR | EFER_TCE)
#define S_CET_DEFINED 3ull /* SH_STK_EN, WR_SHSTK_EN */

static void check_registers(struct svm_check *c, const struct vmcb *vmcb)
{
    uint64_t efer = vmcb->save.efer, cr0 = vmcb->save.cr0, cr4 = vmcb->save.cr4;

    RULE(efer & EFER_SVME, "EFER.SVME is 1", SAVE(efer));
    RULE(!(efer & ~EFER_DEFINED), "reserved bits of EFER are 0", SAVE(efer));
    RULE(!(cr0 & CR0_NW) || (cr0 & CR0_CD), "CR0.NW needs CR0.CD", SAVE(cr0));
    RULE(!(cr0 >> 32), "bits 63:32 of CR0 are 0", SAVE(cr0));
    RULE(physical(vmcb->save.cr3), "CR3 is within the physical-address width", SAVE(cr3));
    RULE(!(cr4 & ~cr4_defined()), "CR4 has no bit that CPUID does not report", SAVE(cr4));
    RULE(!(cr4 & CR4_CET) || (cr0 & CR0_WP), "CR4.CET needs CR0.WP", SAVE(cr4), SAVE(cr0));
    RULE(!(vmcb->save.s_cet & ~S_CET_DEFINED), "reserved bits of S_CET are 0", SAVE(s_cet));
    RULE(!(vmcb->save.dr6 >> 32), "bits 63:32 of DR6 are 0", SAVE(dr6));
    RULE(!(vmcb->save.dr7 >> 32), "bits 63:32 of DR7 are 0", SAVE(dr7));
}

static bool long_mode(const struct vmcb *vmcb)
{
    return (vmcb->save.efer & EFER_LME) && (vmcb->save.cr0 & CR0_PG);
}

static void check_long_mode(struct svm_check *c, const struct vmcb *vmcb)
{
    bool pae = vmcb->save.cr4 & CR4_PAE;
    unsigned both = ATTRIBUTES_L | ATTRIBUTES_DB;

    if (!long_mode(vmcb))
        return;
    RULE(pae, "EFER.LME with CR0.PG needs CR4.PAE", SAVE(efer), SAVE(cr0), SAVE(cr4));
    RULE(vmcb->save.cr0 & CR0_PE, "EFER.LME with CR0.PG needs CR0.PE", SAVE(efer), SAVE(cr0));
    RULE(!pae || (vmcb->save.cs.attributes & both) != both, "in long mode CS is not both L and D",
         SAVE(cs.attributes), SAVE(efer), SAVE(cr0));
}

static bool tlb_command_defined(uint8_t command)
{
    if (command <= TLB_FLUSH_ALL)
        return true;
    return (command == TLB_FLUSH_ASID || command == TLB_FLUSH_ASID_NON_GLOBAL) &&
           (x86_cpuid(CPUID_SVM, 0).edx & CPUID_8000000A_EDX_FLUSH_BY_ASID);
}

static void check_controls(struct svm_check *c, const struct vmcb *vmcb)
{
    const struct vmcb_control *control = &vmcb->control;

    RULE(control->intercept_2 & INTERCEPT_2_VMRUN, "VMRUN is intercepted", CONTROL(intercept_2));
    RULE(map_physical(control->iopm_base, IOPM_SIZE),
         "the I/O permissions map is within the physical-address width", CONTROL(iopm_base));
    RULE(map_physical(control->msrpm_base, MSRPM_SIZE),
         "the MSR permissions map is within the physical-address width", CONTROL(msrpm_base));
    RULE(control->asid && control->asid < x86_cpuid(CPUID_SVM, 0).ebx,
         "the ASID is not 0, and below what CPUID 8000000Ah says", CONTROL(asid));
    c->section = "TLB Flush";
    RULE(tlb_command_defined(control->tlb_control),
         "TLB_CONTROL is a command that this processor has", CONTROL(tlb_control));
    c->section = "NMI Virtualization";
    RULE(!(control->vintr & VINTR_NMI_ENABLE) || (control->intercept_1 & INTERCEPT_1_NMI),
         "virtual NMIs need the NMI intercept", CONTROL(vintr), CONTROL(intercept_1));
    c->section = "VMCB Changes for AVIC";
    RULE(!(control->vintr & VINTR_X2AVIC_ENABLE) || (control->vintr & VINTR_AVIC_ENABLE),
         "x2AVIC needs AVIC", CONTROL(vintr));
}

/* APM 2, "Vectors": not the NMI, nor what is reserved; 28 to 30 are #HV, #VC and #SX. */
#define EXCEPTIONS                                                                                 \
    (BIT(VECTOR_DE) | BIT(VECTOR_DB) | BIT(VECTOR_BP) | BIT(VECTOR_OF) | BIT(VECTOR_BR) |          \
     BIT(VECTOR_UD) | BIT(VECTOR_NM) | BIT(VECTOR_DF) | BIT(VECTOR_TS) | BIT(VECTOR_NP) |          \
     BIT(VECTOR_SS) | BIT(VECTOR_GP) | BIT(VECTOR_PF) | BIT(VECTOR_MF) | BIT(VECTOR_AC) |          \
     BIT(VECTOR_MC) | BIT(VECTOR_XM) | BIT(VECTOR_CP) | BIT(28) | BIT(29) | BIT(30))
#define EXCEPTIONS_NOT_64BIT (BIT(VECTOR_BR) | BIT(VECTOR_OF)) /* BOUND and INTO are no more */

static void check_event(struct svm_check *c, const struct vmcb *vmcb)
{
    /* QEMU has moved it by now */
    uint64_t event = vmcb->control.event_inject & EVENT_VALID ? vmcb->control.event_inject
                                                              : vmcb->control.exit_int_info;
    uint64_t type = event >> EVENT_TYPE_SHIFT & EVENT_TYPE_MASK;
    uint64_t vector = event & EVENT_VECTOR_MASK;
    uint64_t bit = vector < 32 ? BIT(vector) : 0;
    bool in_64bit = long_mode(vmcb) && (vmcb->save.cs.attributes & ATTRIBUTES_L);

    if (!(event & EVENT_VALID))
        return;
    RULE(type != 1 && type <= EVENT_TYPE_SOFTWARE, "the injected event's type is not reserved",
         { "event", event });
    if (type != EVENT_TYPE_EXCEPTION)
        return;
    RULE(bit & EXCEPTIONS, "the vector of an injected exception is one's", { "event", event });
    RULE(!in_64bit || !(bit & EXCEPTIONS_NOT_64BIT), "#OF and #BR are not injected in 64-bit mode",
         { "event", event }, SAVE(efer), SAVE(cs.attributes));
}

void svm_check_rules(struct svm_check *c, const struct vmcb *vmcb)
{
    bool nested = vmcb->control.nested_control & NESTED_PAGING;

    c->section = "Canonicalization and Consistency Checks";
    check_registers(c, vmcb);
    check_long_mode(c, vmcb);
    check_controls(c, vmcb);
    c->section = "Event Injection";
    check_event(c, vmcb);
    c->section = "Supervisor Shadow Stacks";
    RULE(nested || !(vmcb->control.nested_control & NESTED_SHADOW_STACKS),
         "supervisor shadow stacks need nested paging", CONTROL(nested_control));
    c->section = "Nested Paging and VMRUN/#VMEXIT";
    RULE(!nested || physical(vmcb->control.nested_cr3),
         "the nested CR3 is within the physical-address width", CONTROL(nested_cr3));
    RULE(!nested || x86_pat_defined(vmcb->save.g_pat), "each type in G_PAT is defined",
         SAVE(g_pat));
}
