/* SPDX-License-Identifier: MIT */
/* State of the VT-x backend, shared by the files of vmx/ only. */
#ifndef VMX_VMX_H
#define VMX_VMX_H

#include "kernel/backend.h"
#include "kernel/cpu.h"
#include "kernel/types.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86_regs.h"
#include "vmx/vmcs.h"

/* What this machine can do, read once on the boot CPU (vmx/probe.c). */
struct vmx_caps {
    uint32_t revision;       /* VMCS revision identifier */
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    uint64_t ept_vpid;       /* IA32_VMX_EPT_VPID_CAP */
    unsigned timer_shift;    /* the preemption timer counts TSC >> timer_shift */
    bool timer_saved;        /* its value survives exits by itself */
    uint32_t pin, proc, proc2, exit, entry; /* controls as they will be written */
    uint32_t proc2_optional; /* secondary controls that may be set beyond these */
    void *io_bitmap;         /* of all VMs: two pages, ports 0-0x7fff and 0x8000-0xffff */
};
extern struct vmx_caps vmx_caps;

/* One row for each control that Mullion wants or must not have; vmx/ctls.c. */
int vmx_controls_init(struct vmx_caps *caps);

/* For APIC virtualisation: 0; -ENOTSUP: logs each control that is missing. */
int vmx_controls_apicv(void);

/* #DB and #AC: a guest that faults while a fault is delivered would loop in microcode for ever
 * (CVE-2015-5307, CVE-2015-8104). #MC is the machine's business. */
#define VMX_EXCEPTIONS (BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_MC))

struct vmx_cpu {
    void *region; /* VMXON region */
};

struct vmx_vm {
    void *msr_bitmap; /* one page */
    void *apicv_msr_bitmap; /* while APIC virtualisation is on; NULL: never */
    uint64_t eptp;
};

/* The timer stands still in root mode; it is written anew when it is this many ticks late. */
#define VMX_TIMER_SLACK 2000u

/* CR0 bits that the guest does not own: caching stays on, NE is fixed by VMX. */
#define VMX_CR0_OURS (CR0_NE | CR0_NW | CR0_CD)
/* CR4 bits that the guest may change without us; all others cause an exit. */
#define VMX_CR4_GUESTS                                                                             \
    (CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCE | CR4_OSFXSR |   \
     CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE | CR4_PCIDE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP)
static inline uint64_t vmx_cr4_ours(void)
{
    return ~(VMX_CR4_GUESTS & vmx_caps.cr4_fixed1);
}

#define VMX_SWITCHED_COUNT 5u /* MSRs: vmx/setup.c */

struct vmx_vcpu {
    uint64_t msrs[VMX_SWITCHED_COUNT], cr2, dr6; /* while it is not loaded */
    void *vmcs;
    uint16_t vpid;
    uint32_t proc, proc2;  /* controls as in the VMCS */
    uint64_t cr0_shadow, cr4_shadow; /* as in the VMCS */
    uint64_t timer_tsc;    /* host TSC of the armed deadline; VTIMER_OFF: none */
    uint64_t timer_slack;  /* how late it may be: then it is written again */
    hpa_t vmcs_hpa;
};

static inline struct vmx_vcpu *vmx_of(struct vcpu *v)
{
    return v->backend;
}

static inline struct vmx_vm *vmx_vm_of(struct vm *vm)
{
    return vm->backend;
}

/* vmx/enter.S; to be called by vmx_resume() and vmx_launch() of vmx/vmx_asm.h only. */
void vmx_enter_resume(void);
void vmx_enter_launch(void);
void vmx_exit_point(void);

int vmx_probe(void);
int vmx_cpu_on(struct cpu *cpu);

int vmx_vm_init(struct vm *vm);
void vmx_vm_fini(struct vm *vm);
void vmx_intercept_msr(struct vm *vm, uint32_t msr, unsigned how);
/* The same in one bitmap. */
void vmx_bitmap_msr(void *bitmap, uint32_t msr, unsigned how);
/* vmx/apicv.c: lets pass what APIC virtualisation answers. */
void vmx_apicv_open_msrs(void *bitmap);
extern const struct apicv_ops vmx_apicv;
void vmx_flush_linear(struct vcpu *vcpu);

int vmx_vcpu_init(struct vcpu *vcpu);
void vmx_vcpu_fini(struct vcpu *vcpu);
void vmx_vcpu_reset(struct vcpu *vcpu);
void vmx_load(struct vcpu *vcpu);
void vmx_put(struct vcpu *vcpu);
void vmx_run(struct vcpu *vcpu, struct vmexit *exit);

/* Blocking of interrupts by STI, MOV SS and NMI; ends a shadow that HLT has passed. */
uint64_t vmx_shadow(struct vcpu *vcpu);

/* Writes the neutral copies that changed to the VMCS. */
void vmx_write_back(struct vcpu *vcpu);

uint64_t vmx_get(struct vcpu *vcpu, enum vreg reg);
void vmx_set(struct vcpu *vcpu, enum vreg reg, uint64_t value);
void vmx_code(struct vcpu *vcpu, struct vcode *out);
/* The manual's name of a VMCS field; NULL: not one of vmx/vmcs.h. */
const char *vmx_field_name(uint64_t field);
void vmx_get_segment(struct vcpu *vcpu, enum vseg seg, struct vsegment *out);
void vmx_set_segment(struct vcpu *vcpu, enum vseg seg, const struct vsegment *in);

const char *vmx_exit_name(unsigned code);
bool vmx_exit_enabled(unsigned code);

/* Finds the rule of SDM 3C, "Checks on VMX Controls, Host State, Guest State", that the current
 * VMCS breaks, and logs it (vmx/check.c). */
void vmx_explain_entry_failure(struct vcpu *vcpu, uint32_t reason);

#endif
