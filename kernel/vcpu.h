/* SPDX-License-Identifier: MIT */
/* One virtual CPU: its registers, what is pending for it, where it runs. */
#ifndef KERNEL_VCPU_H
#define KERNEL_VCPU_H

#include "kernel/backend.h"
#include "kernel/cpu.h"
#include "kernel/exit.h"
#include "kernel/insn.h"
#include "kernel/types.h"
#include "kernel/x86_regs.h"

struct vm;

/* Order of the instruction encoding (SDM 2A, Table 2-2). */
enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, GPRS };

enum vcpu_mode {
    VCPU_OUT = 0,  /* not on a CPU */
    VCPU_IN_GUEST, /* executing guest code: a change for it needs a kick */
    VCPU_EXITING,  /* in root mode: looks at its requests before the next entry */
};

enum vcpu_state {
    VCPU_WAIT_SIPI = 0, /* after INIT */
    VCPU_RUNNABLE,
    VCPU_HALTED,        /* HLT: until an interrupt */
    VCPU_STOPPED,       /* its VM has ended */
};

/* Requests: what other CPUs, devices and timers want of a vCPU before its next entry. */
enum vcpu_request {
    VCPU_REQ_IRQ = 1u << 0,   /* look at the interrupt controller */
    VCPU_REQ_NMI = 1u << 1,
    VCPU_REQ_INIT = 1u << 2,
    VCPU_REQ_SIPI = 1u << 3,  /* start at sipi_vector */
    VCPU_REQ_STOP = 1u << 4,  /* the VM ends */
    VCPU_REQ_YIELD = 1u << 5, /* leave the run loop: time slice over or work waits */
    VCPU_REQ_FLUSH = 1u << 6, /* nested translations changed */
    VCPU_REQ_TIMER = 1u << 7, /* the list of timers changed */
    VCPU_REQ_PAUSE = 1u << 8, /* stays out until it is taken away, on its own CPU (debugger) */
};

/* Neutral copies in struct vcpu. */
enum vcpu_copy { VCPU_RIP = 1, VCPU_RFLAGS = 2, VCPU_SHADOW = 4, VCPU_COPIES = 7 };

/* vcpu->stepped: a debugger has it execute one instruction, with TF. */
enum vcpu_stepped { VCPU_STEPPED = 1, VCPU_STEPPED_OWN_TF = 2, VCPU_STEPPED_PUSHF = 4 };

/* Bits of vcpu->shadow (the encoding of SDM 3C, "Guest Non-Register State"). */
#define VCPU_SHADOW_MASK 3u

/* An event for the guest: SDM 3C, "VM-Entry Controls for Event Injection". */
enum vevent_type {
    VEVENT_NONE = 0,
    VEVENT_INTERRUPT,
    VEVENT_NMI,
    VEVENT_EXCEPTION,
    VEVENT_SOFT_INTERRUPT, /* INT n: RIP is the instruction's, length counts */
    VEVENT_SOFT_EXCEPTION, /* INT3, INTO */
    VEVENT_ICEBP,
};
struct vevent {
    uint8_t type; /* enum vevent_type */
    uint8_t vector;
    bool has_error_code;
    uint8_t length;
    uint32_t error_code;
};

/* A one-shot timer of a vCPU: fn runs on the vCPU's CPU in root mode, never early. */
struct vtimer {
    uint64_t deadline; /* host TSC; VTIMER_OFF: not armed */
    void (*fn)(struct vtimer *timer);
    void *owner;
    struct vcpu *vcpu;
    struct vtimer *next;
    bool unlocked; /* fn touches nothing but what the vCPU owns: it runs without the VM's lock */
};
#define VTIMER_OFF (~0ull)

#define VCPU_EXIT_CODES 256 /* compact hardware codes that are counted */
#define VCPU_HISTORY 16     /* last exits that are kept for a report; a power of two */

struct vcpu_counter {
    uint64_t exits;
    uint64_t cycles; /* TSC ticks spent between exit and entry */
};

struct vcpu_stats {
    struct vcpu_counter all;
    struct vcpu_counter by_code[VCPU_EXIT_CODES];
};

/* 32 bytes, since one is written at each exit. */
struct vcpu_trace {
    uint64_t tsc;
    uint64_t rip;          /* where head.length is not 0 */
    struct vmexit_head head;
    uint64_t reserved;
};

/*
 * An instruction that was fetched before (kernel/fetch.c). It is used again only if the entries of
 * the guest's page tables and the bytes are what they were, so no change by a sibling is missed.
 * The pointers hold because RAM that is given to a VM stays where it is while it has vCPUs.
 */
#define VCPU_FETCHED 8u
#define VCPU_FETCHED_SIZE 16u /* the longest instruction has 15 bytes */
struct vcpu_fetched {
    uint64_t rip, cr3;
    const uint64_t *slots[4]; /* entries on the way, the last one repeated; NULL: nothing here */
    uint64_t entries[4];
    const uint8_t *code;
    uint64_t bytes[2];
    struct insn insn;
};

struct vcpu {
    uint64_t gpr[GPRS]; /* first: the entry code walks over it; RSP is kept by the backend */
    uint64_t host_rsp;  /* second: of the entry code */

    /* Neutral copies, valid after an exit caused by an instruction */
    uint64_t rip;
    uint64_t rflags;
    uint64_t shadow; /* VCPU_SHADOW_MASK: STI or MOV SS blocks interrupts for one instruction */
    uint32_t valid;  /* enum vcpu_copy: which are; the backend's own business */
    uint32_t dirty;  /* enum vcpu_copy: to be written by the backend before the next entry */

    /* these two are looked at as one word before each entry */
    _Alignas(8) volatile uint32_t requests; /* enum vcpu_request, atomic */
    struct vevent event;        /* to be injected at the next entry; all zero: none */

    volatile uint32_t mode;     /* enum vcpu_mode */
    volatile uint32_t state;    /* enum vcpu_state; changed on its own CPU only, or when OUT */
    uint32_t sipi_vector;

    bool nmi_pending;        /* an NMI waits until the guest can take it */
    uint8_t stepped;         /* mask of enum vcpu_stepped; kernel/gdbstub_vm.c */
    uint8_t misfits;         /* exits in a row that their instruction can't have caused */
    unsigned windows;        /* mask of enum vwindow that the backend watches */
    uint64_t timer_limit;    /* stats.all.cycles at which the backend sees to its timer */
    uint64_t slice_end;      /* host TSC; VTIMER_OFF: nobody else wants this CPU */
    struct vtimer *timers;

    struct vm *vm;
    uint32_t id; /* within its VM */
    uint32_t apic_id;
    struct cpu *cpu;         /* where it runs */
    bool exclusive;          /* nobody else runs there */
    struct vcpu *sched_next; /* kernel/sched.c */
    void *backend;           /* the backend's own */
    void *lapic;             /* drivers/vlapic.c */
    void *fpu;               /* XSAVE area of the guest; kernel/guest_state.c */
    struct vcpu_msrs *msrs;    /* kernel/msr.c: MSRs that are kept in software */
    void *switched;    /* struct guest_state; kernel/guest_state.c */
    uint64_t xcr0;
    uint64_t spec_ctrl;        /* kernel/speculation.c */
    struct cpuid_table *cpuid; /* kernel/cpuid.c */
    struct vcpu_fetched fetched[VCPU_FETCHED]; /* kernel/fetch.c */

    struct vcpu_stats stats;
    struct vcpu_trace trace[VCPU_HISTORY]; /* exit number n is in n % VCPU_HISTORY */
};

/* Does anybody want anything before the next entry? Behind cpu_store_ordered() of `mode`. */
static inline bool vcpu_attention(const struct vcpu *vcpu)
{
    return *(const uint64_t *)(uintptr_t)&vcpu->requests;
}
_Static_assert(offsetof(struct vcpu, event) == offsetof(struct vcpu, requests) + sizeof(uint32_t),
               "vcpu_attention");

/* Creates vCPU `id` of a VM on a CPU, in the state after INIT. 0, -ENOMEM. On CPU 0. */
int vcpu_create(struct vm *vm, uint32_t id, struct cpu *cpu, bool exclusive);
/* It must be OUT for good. On CPU 0. */
void vcpu_destroy(struct vcpu *vcpu);
/* Runs fn on the vCPU's CPU with the vCPU loaded, and waits. The vCPU must not be running. */
void vcpu_call(struct vcpu *vcpu, void (*fn)(struct vcpu *vcpu, void *arg), void *arg);

/* Runs the vCPU on this CPU until it halts, stops or has to yield (kernel/exit.c). */
void vcpu_run(struct vcpu *vcpu);
/* Carries out what others asked for, before an entry. False: leave the loop. */
bool vcpu_serve_requests(struct vcpu *vcpu);

/* Sets request bits and makes sure that the vCPU sees them soon. From any CPU. */
void vcpu_request(struct vcpu *vcpu, uint32_t requests);

/* Runs timers that are due. On the vCPU's CPU. */
void vcpu_run_timers(struct vcpu *vcpu);
/* The earliest deadline of the vCPU's timers; VTIMER_OFF: none. */
uint64_t vcpu_next_deadline(const struct vcpu *vcpu);
/* Is there something for it to do: runnable, or a request that ends its halt? */
bool vcpu_runnable(const struct vcpu *vcpu);

/* A register operand of an instruction, RSP included. */
uint64_t vcpu_gpr(struct vcpu *vcpu, unsigned number);
void vcpu_set_gpr(struct vcpu *vcpu, unsigned number, uint64_t value);

/* Current privilege level; true in 64-bit mode (not compatibility mode). */
static inline unsigned vcpu_cpl(struct vcpu *vcpu)
{
    return (unsigned)backend->get(vcpu, VREG_CPL);
}
bool vcpu_64bit(struct vcpu *vcpu);
/* The linear address of an offset in a segment whose base counts: CS, SS, DS or ES. */
static inline gva_t vcpu_linear(struct vcpu *v, enum vseg seg, uint64_t offset)
{
    struct vsegment s;

    if (vcpu_64bit(v))
        return offset;
    backend->get_segment(v, seg, &s);
    return (uint32_t)(s.base + offset);
}

/* Registers beyond the GPRs. Only on the vCPU's CPU, or while it is OUT and loaded. */
static inline uint64_t vcpu_get(struct vcpu *vcpu, enum vreg reg)
{
    return backend->get(vcpu, reg);
}
static inline void vcpu_set(struct vcpu *vcpu, enum vreg reg, uint64_t value)
{
    backend->set(vcpu, reg, value);
}

/* For backend->set: RIP and RFLAGS are copies, written back before the next entry. */
static inline void vcpu_set_copy(struct vcpu *vcpu, enum vreg reg, uint64_t value)
{
    uint32_t copy = reg == VREG_RIP ? VCPU_RIP : VCPU_RFLAGS;

    *(reg == VREG_RIP ? &vcpu->rip : &vcpu->rflags) = value;
    vcpu->valid |= copy;
    vcpu->dirty |= copy;
}

/* STI or MOV SS holds nothing back any more. */
static inline void vcpu_end_shadow(struct vcpu *vcpu)
{
    if (!(vcpu_get(vcpu, VREG_SHADOW) & VCPU_SHADOW_MASK))
        return;
    vcpu->shadow &= ~(uint64_t)VCPU_SHADOW_MASK;
    vcpu->dirty |= VCPU_SHADOW;
}

/* Queues an exception of the guest's own doing; merges into #DF or a triple fault by the rules
 * of SDM 3A, "Interrupt 8--Double Fault Exception". */
void vcpu_inject_exception(struct vcpu *vcpu, uint8_t vector);
void vcpu_inject_error(struct vcpu *vcpu, uint8_t vector, uint32_t error_code);
/* #DB with these bits in DR6. */
void vcpu_inject_debug(struct vcpu *vcpu, uint64_t dr6);

/* Arms or disarms (VTIMER_OFF) a timer. On the vCPU's CPU or with the VM's lock held. */
void vtimer_init(struct vtimer *timer, struct vcpu *vcpu, void (*fn)(struct vtimer *), void *owner);
void vtimer_set(struct vtimer *timer, uint64_t deadline);

#endif
