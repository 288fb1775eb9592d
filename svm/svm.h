/* SPDX-License-Identifier: MIT */
/* State of the AMD-V backend, shared by the files of svm/ only. */
#ifndef SVM_SVM_H
#define SVM_SVM_H

#include "kernel/backend.h"
#include "kernel/cpu.h"
#include "kernel/types.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86_regs.h"
#include "svm/vmcb.h"

/* What this machine can do, read once on the boot CPU (svm/probe.c). */
struct svm_caps {
    uint32_t asids;        /* 0 to asids - 1; 0 is the host's */
    bool next_rip;         /* the exit says where the next instruction is */
    bool decode_assists;   /* and which register MOV CR uses */
    bool pause_filter;     /* PAUSE exits only where it comes often */
    bool pause_threshold;
    bool pages_1g;
    uint32_t features;     /* mask of enum vfeature */
    void *iopm;            /* of all VMs: the I/O permissions map */
};
extern struct svm_caps svm_caps;

/* #DB and #AC: a guest that faults while a fault is delivered would loop in microcode for ever
 * (CVE-2015-5307, CVE-2015-8104). #MC is the machine's business. */
#define SVM_EXCEPTIONS (BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_MC))

/* Exits are counted by the numbers that VT-x has for them (SDM 3D, Appendix C), as courses know
 * them; this one stands for all that neither has. */
#define SVM_CODE_TIMER 52u /* a deadline has passed in root mode */
#define SVM_CODE_UNKNOWN 78u
#define SVM_CODES 79u

#define SVM_CPU_ORDER 2u
struct svm_cpu {
    uint8_t save_area[PAGE_SIZE]; /* VM_HSAVE_PA: the processor's own */
    struct vmcb host;     /* VMSAVE and VMLOAD of our FS, GS, TR, LDTR and syscall MSRs */
    uint32_t next_asid;
    uint64_t generation;  /* of ASIDs: each is given once in a generation */
};

struct svm_vcpu {
    struct vmcb *vmcb;
    hpa_t vmcb_hpa;
    hpa_t host_hpa;          /* of its CPU's struct svm_cpu.host */
    uint64_t generation;     /* of its ASID; 0: it needs another one */
    uint64_t cr0, cr4;       /* as the guest sees them */
    uint64_t timer_tsc;      /* host TSC of the armed deadline; VTIMER_OFF: none */
    bool timer_due;
    bool nmi_blocked;        /* since an NMI was injected, until its IRET */
    uint64_t iret_rip;       /* the IRET that will unblock is about to run; ~0: none */
    bool stepping;           /* TF is ours, to stop behind that IRET (NMI window) */
    uint64_t own_dr6;        /* the guest's before that */
    unsigned soft_length;    /* of the INT n, INT3 or INTO that this entry injects */
    unsigned windows;        /* mask of enum vwindow */
};

static inline struct svm_vcpu *svm_of(struct vcpu *v)
{
    return v->backend;
}

static inline struct vmcb *vmcb_of(struct vcpu *v)
{
    return svm_of(v)->vmcb;
}

static inline uint32_t svm_with_bit(uint32_t word, uint64_t bit, bool on)
{
    return (uint32_t)((word & ~bit) | (on ? bit : 0));
}

/* svm/enter.S: into the guest and back, with the global interrupt flag set again. */
void svm_enter(struct vcpu *vcpu, hpa_t vmcb, hpa_t host);

int svm_probe(void);
int svm_cpu_on(struct cpu *cpu);

/* Writes intercepts and other controls that never change (svm/ctls.c). */
void svm_controls_write(struct vmcb_control *control);

/* Its backend part is the MSR permissions map. */
int svm_vm_init(struct vm *vm);
void svm_vm_fini(struct vm *vm);
void svm_intercept_msr(struct vm *vm, uint32_t msr, unsigned how);

int svm_vcpu_init(struct vcpu *vcpu);
void svm_vcpu_fini(struct vcpu *vcpu);
void svm_vcpu_reset(struct vcpu *vcpu);
void svm_load(struct vcpu *vcpu);
void svm_put(struct vcpu *vcpu);

uint64_t svm_get(struct vcpu *vcpu, enum vreg reg);
void svm_set(struct vcpu *vcpu, enum vreg reg, uint64_t value);
void svm_get_segment(struct vcpu *vcpu, enum vseg seg, struct vsegment *out);
void svm_set_segment(struct vcpu *vcpu, enum vseg seg, const struct vsegment *in);
void svm_code(struct vcpu *vcpu, struct vcode *out);
/* The VMCB's RIP, RFLAGS and shadow from the neutral copies that changed. */
void svm_write_back(struct vcpu *vcpu);
/* And back: all of them are valid then. */
void svm_copies(struct vcpu *vcpu);

void svm_decode(struct vcpu *vcpu, struct vmexit *exit);
/* Of an exit by an instruction (svm/insn.c). */
void svm_fill_length(struct vcpu *vcpu, struct vmexit *exit, uint32_t opcode);
void svm_fill_cr(struct vcpu *vcpu, struct vmexit *exit);
void svm_fill_software(struct vcpu *vcpu, struct vmexit *exit);
const char *svm_exit_name(unsigned code);
bool svm_exit_enabled(unsigned code);

/* svm/event.c */
void svm_inject(struct vcpu *vcpu);
void svm_requeue_interrupted_event(struct vcpu *vcpu);
bool svm_interruptible(struct vcpu *vcpu);
bool svm_nmi_ready(struct vcpu *vcpu);
void svm_window(struct vcpu *vcpu, unsigned windows);
void svm_at_iret(struct vcpu *vcpu);
/* An exception has ended the stepping, if there was any; true: no #DB for the guest in it. */
bool svm_stepped(struct vcpu *vcpu, uint8_t vector);
void svm_block_nmis(struct vcpu *vcpu, bool on);
/* The host's timer for this vCPU's deadline, and for an NMI that waits. */
void svm_arm(struct vcpu *vcpu);

#endif
