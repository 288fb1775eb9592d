/* SPDX-License-Identifier: MIT */
/*
 * Is this CPU able, and if not, what is missing and where is it switched on? And EFER.SVME (root
 * mode). Source: APM 2, "Enabling SVM", "Support for the SVM feature".
 */
#include <errno.h>

#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/x86.h"
#include "svm/svm.h"
#include "svm/svm_asm.h"

struct svm_caps svm_caps;

/* APM 3, "CPUID Fn8000_000A_EDX SVM Feature Identification" */
#define SVM_NESTED_PAGING BIT(0)
#define SVM_NEXT_RIP BIT(3)
#define SVM_DECODE_ASSISTS BIT(7)
#define SVM_PAUSE_FILTER BIT(10)
#define SVM_PAUSE_THRESHOLD BIT(12)
#define ASIDS_MIN 2u /* the host's and one more */
#define IOPM_ORDER 2u /* a page is left over */

static int probe_presence(void)
{
    if (!x86_is_amd())
        return -ENODEV;
    if (x86_cpuid(CPUID_EXT_MAX, 0).eax < CPUID_SVM ||
        !(x86_cpuid(CPUID_EXT_FEATURES_AMD, 0).ecx & CPUID_80000001_ECX_SVM)) {
        log_printf("svm: AMD-V missing: CPUID leaf 80000001h ECX bit 2; in QEMU use "
                   "-cpu max,+svm,+npt\n");
        return -ENODEV;
    }
    if (x86_rdmsr(MSR_AMD_VM_CR) & VM_CR_SVMDIS) {
        log_printf("svm: AMD-V is switched off: VM_CR (MSR C0010114h) bit 4; switch on \"SVM\" in "
                   "the firmware set-up\n");
        return -ENOTSUP;
    }
    return 0;
}

static uint32_t probe_features(uint32_t edx)
{
    return (edx & CPUID_80000001_EDX_RDTSCP ? VFEATURE_RDTSCP : 0u) |
           (x86_cpuid(CPUID_EXT_FEATURES, 0).ebx & CPUID_7_EBX_INVPCID ? VFEATURE_INVPCID : 0u) |
           (x86_cpuid(CPUID_XSTATE, 1).eax & CPUID_D1_EAX_XSAVES ? VFEATURE_XSAVES : 0u);
}

int svm_probe(void)
{
    struct cpuid_regs r;
    uint32_t edx;
    int err = probe_presence();

    if (err)
        return err;
    r = x86_cpuid(CPUID_SVM, 0);
    if (!(r.edx & SVM_NESTED_PAGING)) {
        log_printf("svm: nested paging missing: CPUID leaf 8000000Ah EDX bit 0; in QEMU use "
                   "-cpu max,+svm,+npt\n");
        return -ENOTSUP;
    }
    if (r.ebx < ASIDS_MIN) {
        log_printf("svm: address space identifiers missing: CPUID leaf 8000000Ah EBX is %u\n",
                   r.ebx);
        return -ENOTSUP;
    }
    edx = x86_cpuid(CPUID_EXT_FEATURES_AMD, 0).edx;
    svm_caps = (struct svm_caps){
        .asids = r.ebx,
        .next_rip = r.edx & SVM_NEXT_RIP,
        .decode_assists = r.edx & SVM_DECODE_ASSISTS,
        .pause_filter = r.edx & SVM_PAUSE_FILTER,
        .pause_threshold = r.edx & SVM_PAUSE_THRESHOLD,
        .pages_1g = edx & CPUID_80000001_EDX_PAGE1GB,
        .features = probe_features(edx),
        .iopm = page_alloc_ones(IOPM_ORDER),
    };
    if (!svm_caps.iopm)
        return -ENOMEM;
    log_printf("svm: AMD-V with nested paging, %u ASIDs%s%s%s\n", svm_caps.asids,
               svm_caps.next_rip ? ", next RIP" : "",
               svm_caps.decode_assists ? ", decode assists" : "",
               svm_caps.pause_filter ? ", pause filter" : "");
    return 0;
}

int svm_cpu_on(struct cpu *cpu)
{
    int err = probe_presence(); /* each CPU has its own lock */
    struct svm_cpu *own;
    hpa_t block;

    if (err)
        return err;
    block = page_alloc(SVM_CPU_ORDER);
    if (block == PAGE_NONE)
        return -ENOMEM;
    own = page_ptr(block);
    own->next_asid = svm_caps.asids; /* what others left in the TLB is flushed before the first */
    own->generation = 1;
    /* an INIT that comes in a guest waits for GIF, and would reset the CPU: it becomes #SX */
    x86_wrmsr(MSR_AMD_VM_CR, x86_rdmsr(MSR_AMD_VM_CR) | VM_CR_R_INIT);
    x86_wrmsr(MSR_IA32_EFER, x86_rdmsr(MSR_IA32_EFER) | EFER_SVME);
    x86_wrmsr(MSR_AMD_VM_HSAVE_PA, block + offsetof(struct svm_cpu, save_area));
    svm_vmsave(block + offsetof(struct svm_cpu, host));
    cpu->backend = own;
    return 0;
}
