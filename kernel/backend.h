/* SPDX-License-Identifier: MIT */
/*
 * The whole contract with a processor vendor. The first backend of the set whose probe()
 * succeeds is used. Unless a comment says otherwise an operation runs on the vCPU's own CPU
 * with interrupts off, and cannot fail: a refused write is our bug and panics with its name.
 */
#ifndef KERNEL_BACKEND_H
#define KERNEL_BACKEND_H

#include "kernel/apicv.h"
#include "kernel/pt.h"
#include "kernel/set.h"
#include "kernel/types.h"

struct cpu;
struct vcpu;
struct vevent;
struct vm;
struct vmexit;

enum vreg {
    VREG_RIP, VREG_RFLAGS, VREG_RSP,
    VREG_CR0, VREG_CR2, VREG_CR3, VREG_CR4, VREG_EFER, VREG_DR6, VREG_DR7, VREG_PAT,
    VREG_SYSENTER_CS, VREG_SYSENTER_ESP, VREG_SYSENTER_EIP,
    VREG_FS_BASE, VREG_GS_BASE,
    VREG_PENDING_DEBUG, /* pending debug exceptions */
    VREG_PDPTE0, VREG_PDPTE1, VREG_PDPTE2, VREG_PDPTE3, /* PAE paging; elsewhere without effect */
    VREG_SHADOW, /* interruptibility; reading it makes vcpu->shadow valid */
    VREG_CS_ACCESS, /* access rights of CS; read only */
    VREG_CPL, /* current privilege level; read only */
    VREG_COUNT
};

enum vseg { VSEG_ES, VSEG_CS, VSEG_SS, VSEG_DS, VSEG_FS, VSEG_GS, VSEG_LDTR, VSEG_TR,
            VSEG_GDTR, VSEG_IDTR, VSEG_COUNT };

/* What tells where a vCPU's next instruction is and how to read it. */
struct vcode {
    uint64_t cr3;
    uint32_t cs_access;
};

struct vsegment {
    uint16_t selector;
    uint32_t limit;
    uint32_t access; /* SDM 3C, "Guest Register State": access rights */
    uint64_t base;
};
#define SEGMENT_ACCESS_TYPE 0xfu
#define SEGMENT_ACCESS_S BIT(4)
#define SEGMENT_ACCESS_DPL_SHIFT 5
#define SEGMENT_ACCESS_P BIT(7)
#define SEGMENT_ACCESS_L BIT(13)  /* 64-bit code */
#define SEGMENT_ACCESS_DB BIT(14) /* 32-bit operands */
#define SEGMENT_ACCESS_G BIT(15)
#define SEGMENT_ACCESS_UNUSABLE BIT(16)

enum vwindow { VWINDOW_IRQ = 1, VWINDOW_NMI = 2 };
/* Instructions that a guest can have only with the hardware's help. */
enum vfeature { VFEATURE_RDTSCP = 1, VFEATURE_INVPCID = 2, VFEATURE_XSAVES = 4 };
enum vintercept { VINTERCEPT_READ = 1, VINTERCEPT_WRITE = 2 };

/* APIC virtualisation; see kernel/apicv.h, which calls the last three. */
struct apicv_ops {
    /* 0; -ENOTSUP: logs each missing feature by its MSR and bit. Any CPU. */
    int (*available)(void);
    void (*set)(struct vcpu *vcpu, void *page, uint8_t in_service);
    void (*raise)(struct vcpu *vcpu, uint8_t vector);
    void (*eoi_exits)(struct vcpu *vcpu, const uint64_t vectors[APICV_WORDS]);
};

struct backend {
    const char *name;     /* "VT-x" */
    unsigned exit_codes;  /* compact exit codes are below this */
    bool pdpte_registers; /* PAE paging: VREG_PDPTE0 to 3 count, not what is in memory later */

    /* Is this CPU able? 0; -ENODEV: another vendor's; -ENOTSUP: logs each missing feature by
     * its MSR and bit and what to switch on. On the boot CPU, before anything else. */
    int (*probe)(void);
    /* Switches virtualisation on on the calling CPU. 0, -ENOMEM; -ENOTSUP, -ENODEV: this CPU is not
     * as able as the boot CPU; what it lacks has been logged as by probe(). */
    int (*cpu_on)(struct cpu *cpu);

    /* Mask of enum vfeature: what CPUID may offer. */
    uint32_t (*features)(void);
    /* Format of nested page tables on this machine. */
    const struct pt_format *(*nested_format)(void);

    /* Per-VM state (intercept maps: all ports and MSRs intercepted). Any CPU. 0, -ENOMEM. */
    int (*vm_init)(struct vm *vm);
    void (*vm_fini)(struct vm *vm);
    /* Per-vCPU state, with the registers of a CPU after INIT. 0, -ENOMEM. */
    int (*vcpu_init)(struct vcpu *vcpu);
    void (*vcpu_fini)(struct vcpu *vcpu);
    /* Registers as after INIT (SDM 3A, "Processor State After Reset, INIT"). */
    void (*vcpu_reset)(struct vcpu *vcpu);

    /* Makes this vCPU the one that this CPU runs, and the reverse (all of it in memory then): with
     * CR2, DR6 and the MSRs of SYSCALL and SWAPGS, which one vendor's hardware switches. */
    void (*load)(struct vcpu *vcpu);
    void (*put)(struct vcpu *vcpu);
    /* exit_loop() of kernel/exit_loop.h around the backend's own entry and decoder. */
    void (*loop)(struct vcpu *vcpu);

    uint64_t (*get)(struct vcpu *vcpu, enum vreg reg);
    void (*set)(struct vcpu *vcpu, enum vreg reg, uint64_t value);
    void (*get_segment)(struct vcpu *vcpu, enum vseg seg, struct vsegment *out);
    void (*set_segment)(struct vcpu *vcpu, enum vseg seg, const struct vsegment *in);

    /* All of *out at once, and the neutral copies of RIP, RFLAGS and the shadow are valid then. */
    void (*code)(struct vcpu *vcpu, struct vcode *out);

    /* Injects vcpu->event at the next entry. */
    void (*inject)(struct vcpu *vcpu);
    /* Can an interrupt, an NMI be taken right now (IF, shadow, blocking)? */
    bool (*interruptible)(struct vcpu *vcpu);
    bool (*nmi_ready)(struct vcpu *vcpu);
    /* Which windows shall cause an exit: a mask of enum vwindow. */
    void (*window)(struct vcpu *vcpu, unsigned windows);
    /* HLT and long PAUSE loops cause exits (others want the CPU) or not (it may sleep inside). */
    void (*intercept_idle)(struct vcpu *vcpu, bool on);
    /* An exit at or after this host TSC value; VTIMER_OFF: none. */
    void (*set_timer)(struct vcpu *vcpu, uint64_t tsc);

    /* For a debugger: an exception causes an exit too, or only where the backend wants it. */
    void (*intercept_exception)(struct vcpu *vcpu, uint8_t vector, bool on);
    /* For a debugger: ends a HLT that the vCPU sleeps in, before RIP or TF is changed. */
    void (*wake)(struct vcpu *vcpu);

    /* Changes the map of a VM that is not running. `how`: mask of enum vintercept. */
    void (*intercept_msr)(struct vm *vm, uint32_t msr, unsigned how);

    /* Forgets translations of this VM on this CPU. */
    void (*flush)(struct vm *vm);

    /* Forgets this vCPU's translations of linear addresses. */
    void (*flush_linear)(struct vcpu *vcpu);

    const struct apicv_ops *apicv; /* NULL: it has none */

    /* For reports: the hardware's name of a compact exit code; NULL: not defined. */
    const char *(*exit_name)(unsigned code);
    /* False: this exit is defined by the vendor but can't happen here (its control is off). */
    bool (*exit_enabled)(unsigned code);
};

SET_DECLARE(backend, struct backend);
#define BACKEND(b) SET_ADD(backend, b)

/* The one in use; NULL before backend_select. */
extern const struct backend *backend;

/* 0, or the last refusal when no backend accepts this CPU. */
int backend_select(void);
/* Switches it on on all CPUs that are online. On CPU 0. 0, or what cpu_on says: then there is no
 * backend any more, and no VM can be created. */
int backend_start(void);

#endif
