/* SPDX-License-Identifier: MIT */
/* See tests/unit/fake_vmx.h (build host). Link with -Wl,--wrap=log_printf. */
#include "tests/unit/fake_vmx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/desc.h"
#include "kernel/irq.h"
#include "kernel/mitigate.h"
#include "kernel/page.h"
#include "kernel/time.h"
#include "kernel/x86.h"
#include "tests/unit/host_stubs.h"

#define MSRS_MAX 40u
#define MEMORY (8ull << 20)
/* Bits that must be 1, or may be 1: of a server CPU. */
#define PIN_CAP 0x000000ff00000016ull
#define PROC_TRUE_CAP 0xfff9fffe04006172ull
#define PROC_CAP 0xfff9fffe0401e172ull
#define PROC2_CAP 0xc411ffff00000000ull
#define EXIT_CAP 0x01ffffff00036dffull
#define EXIT_TRUE_CAP 0x01ffffff00036dfbull
#define ENTRY_CAP 0x0003ffff000011ffull
#define ENTRY_TRUE_CAP 0x0003ffff000011fbull
#define VMX_BASIC (0x00da040000000000ull | 0x12)
#define VMX_MISC 0x000401e5ull
#define EPT_VPID_CAP 0xf0106734141ull
#define HOST_EFER (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
#define HOST_CR0 (CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE)
#define HOST_CR4 (CR4_PAE | CR4_VMXE | CR4_MCE)
#define LINEAR_BITS 48u
#define PHYSICAL_BITS 39u

struct fake_vmx fake_vmx;
const struct backend *backend;
static struct {
    uint32_t number;
    uint64_t value;
} msrs[MSRS_MAX];
static unsigned msr_count;
static uint32_t cpuid_1_ecx;

void fake_vmx_msr(uint32_t msr, uint64_t value)
{
    unsigned i = 0;

    while (i < msr_count && msrs[i].number != msr)
        i++;
    assert_true(i < MSRS_MAX);
    msrs[i].number = msr;
    msrs[i].value = value;
    msr_count = MAX(msr_count, i + 1);
}

uint64_t fake_vmx_get_msr(uint32_t msr)
{
    for (unsigned i = 0; i < msr_count; i++)
        if (msrs[i].number == msr)
            return msrs[i].value;
    return 0;
}

void fake_vmx_forbid(uint32_t msr, uint32_t true_msr, uint64_t bits)
{
    fake_vmx_msr(msr, fake_vmx_get_msr(msr) & ~(bits << 32));
    if (true_msr)
        fake_vmx_msr(true_msr, fake_vmx_get_msr(true_msr) & ~(bits << 32));
}

void fake_vmx_cpuid_1_ecx(uint32_t value)
{
    cpuid_1_ecx = value;
}

void irq_machine_check(void)
{
    fake_vmx.machine_checks++;
}

bool mitigate_multihit(void)
{
    return fake_vmx.multihit;
}

uint64_t x86_test_rdmsr(uint32_t msr)
{
    return fake_vmx_get_msr(msr);
}

void x86_test_wrmsr(uint32_t msr, uint64_t value)
{
    fake_vmx_msr(msr, value);
}

struct cpuid_regs x86_test_cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    if (leaf == CPUID_FEATURES)
        return (struct cpuid_regs){ .ecx = cpuid_1_ecx };
    if (leaf == CPUID_ADDRESS_SIZES)
        return (struct cpuid_regs){ .eax = LINEAR_BITS << 8 | PHYSICAL_BITS };
    return (struct cpuid_regs){ 0 };
}

/* SDM 3D, Appendix B: fields that exist only where a control may be 1. */
static const struct {
    uint32_t field;
    uint32_t msr;
    uint64_t bit;
} optional[] = {
    { VMCS_VPID, MSR_IA32_VMX_PROCBASED_CTLS2, PROC2_VPID },
    { VMCS_XSS_EXITING, MSR_IA32_VMX_PROCBASED_CTLS2, PROC2_XSAVES },
    { VMCS_NOTIFY_WINDOW, MSR_IA32_VMX_PROCBASED_CTLS2, PROC2_NOTIFY },
    { VMCS_EPTP, MSR_IA32_VMX_PROCBASED_CTLS2, PROC2_EPT },
    { VMCS_GUEST_PDPTE0, MSR_IA32_VMX_PROCBASED_CTLS2, PROC2_EPT },
    { VMCS_APIC_ACCESS, MSR_IA32_VMX_PROCBASED_CTLS2, PROC2_APIC_ACCESSES },
    { VMCS_PROC_CONTROLS2, MSR_IA32_VMX_PROCBASED_CTLS, PROC_SECONDARY },
    { VMCS_VIRTUAL_APIC, MSR_IA32_VMX_PROCBASED_CTLS, PROC_TPR_SHADOW },
    { VMCS_TPR_THRESHOLD, MSR_IA32_VMX_PROCBASED_CTLS, PROC_TPR_SHADOW },
    { VMCS_POSTED_INT_DESC, MSR_IA32_VMX_PINBASED_CTLS, PIN_POSTED_INTERRUPTS },
    { VMCS_POSTED_INT_VECTOR, MSR_IA32_VMX_PINBASED_CTLS, PIN_POSTED_INTERRUPTS },
    { VMCS_PREEMPTION_TIMER, MSR_IA32_VMX_PINBASED_CTLS, PIN_PREEMPTION_TIMER },
};

static void assert_field(enum vmcs_field field)
{
    if (!vmx_field_name(field))
        fail_msg("VMCS field 0x%x is not in vmx/vmcs.h", field);
    for (size_t i = 0; i < ARRAY_SIZE(optional); i++)
        if (optional[i].field == field && !(fake_vmx_get_msr(optional[i].msr) >> 32 &
                                            optional[i].bit))
            fail_msg("VMCS field %s does not exist on this CPU", vmx_field_name(field));
}

uint64_t vmx_test_read(enum vmcs_field field)
{
    assert_field(field);
    return fake_vmx.vmcs[field];
}

/* Bits 14:13 of an encoding are the width, bits 11:10 the kind; exit information is read-only. */
void vmx_test_write(enum vmcs_field field, uint64_t value)
{
    static const uint64_t widths[] = { UINT16_MAX, UINT64_MAX, UINT32_MAX, UINT64_MAX };

    assert_field(field);
    if ((field >> 10 & 3) == 1)
        fail_msg("VMCS field %s is read-only", vmx_field_name(field));
    fake_vmx.vmcs[field] = value & widths[field >> 13 & 3];
}

bool vmx_test_region(const char *name, hpa_t region)
{
    if (strcmp(name, "vmclear") == 0)
        fake_vmx.launched = false;
    assert_int_equal(region % PAGE_SIZE, 0);
    assert_int_equal(*(uint32_t *)page_ptr(region), 0x12); /* the revision identifier */
    return true;
}

bool vmx_test_invept(enum invept_type type, uint64_t eptp)
{
    (void)type;
    (void)eptp;
    fake_vmx.invepts++;
    return true;
}

bool vmx_test_invvpid(enum invvpid_type type, uint16_t vpid)
{
    if (type == INVVPID_SINGLE)
        fake_vmx.invvpid_vpid = vpid;
    fake_vmx.invvpids++;
    return true;
}

static bool enter(struct vcpu *vcpu, bool launch)
{
    assert_ptr_equal(vcpu, &fake_vmx.vcpu);
    if (launch == fake_vmx.launched) {
        fake_vmx.vmcs[VMCS_INSN_ERROR] = launch ? 4 : 5; /* SDM 3C, 31.4 */
        return false;
    }
    if (fake_vmx.refuse_entry) {
        fake_vmx.vmcs[VMCS_INSN_ERROR] = fake_vmx.refuse_entry;
        return false;
    }
    fake_vmx.entries++;
    fake_vmx.launches += launch;
    fake_vmx.launched = true;
    fake_vmx.vmcs[VMCS_ENTRY_INTR_INFO] &= ~INTR_VALID; /* SDM 3C, "VM Exits": cleared */
    if (fake_vmx.entry)
        fake_vmx.entry();
    return true;
}

bool vmx_resume(struct vcpu *vcpu)
{
    return enter(vcpu, false);
}

bool vmx_launch(struct vcpu *vcpu)
{
    return enter(vcpu, true);
}

void vmx_exit_point(void)
{
}

uint64_t desc_tss_base(const struct cpu *cpu)
{
    (void)cpu;
    return 0x10000;
}

void *vm_alloc(struct vm *vm, size_t size)
{
    assert_ptr_equal(vm, &fake_vmx.vm);
    assert_true(size <= PAGE_SIZE);
    return page_zalloc();
}

uint64_t time_tsc(void)
{
    return fake_vmx.tsc;
}

void __wrap_log_printf(const char *format, ...);
void __wrap_log_printf(const char *format, ...)
{
    size_t used = strlen(fake_vmx.log);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(fake_vmx.log + used, FAKE_LOG_SIZE - used, format, arguments);
    va_end(arguments);
}

void fake_vmx_reset(void)
{
    memset(&fake_vmx, 0, sizeof(fake_vmx));
    memset(&vmx_caps, 0, sizeof(vmx_caps));
    host_pages_init(MEMORY, MEMORY);
    msr_count = 0;
    cpuid_1_ecx = CPUID_1_ECX_VMX;
    fake_vmx_msr(MSR_IA32_FEATURE_CONTROL,
                 FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
    fake_vmx_msr(MSR_IA32_VMX_BASIC, VMX_BASIC);
    fake_vmx_msr(MSR_IA32_VMX_MISC, VMX_MISC);
    fake_vmx_msr(MSR_IA32_VMX_PINBASED_CTLS, PIN_CAP);
    fake_vmx_msr(MSR_IA32_VMX_TRUE_PINBASED_CTLS, PIN_CAP);
    fake_vmx_msr(MSR_IA32_VMX_PROCBASED_CTLS, PROC_CAP);
    fake_vmx_msr(MSR_IA32_VMX_TRUE_PROCBASED_CTLS, PROC_TRUE_CAP);
    fake_vmx_msr(MSR_IA32_VMX_PROCBASED_CTLS2, PROC2_CAP);
    fake_vmx_msr(MSR_IA32_VMX_EXIT_CTLS, EXIT_CAP);
    fake_vmx_msr(MSR_IA32_VMX_TRUE_EXIT_CTLS, EXIT_TRUE_CAP);
    fake_vmx_msr(MSR_IA32_VMX_ENTRY_CTLS, ENTRY_CAP);
    fake_vmx_msr(MSR_IA32_VMX_TRUE_ENTRY_CTLS, ENTRY_TRUE_CAP);
    fake_vmx_msr(MSR_IA32_VMX_CR0_FIXED0, CR0_PE | CR0_NE | CR0_PG);
    fake_vmx_msr(MSR_IA32_VMX_CR0_FIXED1, UINT32_MAX);
    fake_vmx_msr(MSR_IA32_VMX_CR4_FIXED0, CR4_VMXE);
    fake_vmx_msr(MSR_IA32_VMX_CR4_FIXED1, 0x3767ff);
    fake_vmx_msr(MSR_IA32_VMX_EPT_VPID_CAP, EPT_VPID_CAP);
    fake_vmx_msr(MSR_IA32_PAT, PAT_RESET);
    fake_vmx_msr(MSR_IA32_EFER, HOST_EFER);
}

void fake_vmx_create(void)
{
    assert_int_equal(vmx_probe(), 0);
    SET_FOREACH(p, backend)
        backend = *p;
    fake_vmx.vm.config = &fake_vmx.config;
    strcpy(fake_vmx.vm.name, "test");
    fake_vmx.vcpu.vm = &fake_vmx.vm;
    fake_vmx.vm.nested.root = PAGE_SIZE;
    assert_int_equal(vmx_vm_init(&fake_vmx.vm), 0);
    assert_int_equal(vmx_vcpu_init(&fake_vmx.vcpu), 0);
    /* what the build host's registers read as is not what a host's are */
    fake_vmx.vmcs[VMCS_HOST_CR0] = HOST_CR0;
    fake_vmx.vmcs[VMCS_HOST_CR3] = PAGE_SIZE;
    fake_vmx.vmcs[VMCS_HOST_CR4] = HOST_CR4;
    fake_vmx.log[0] = '\0';
}
