/* SPDX-License-Identifier: MIT */
/*
 * The neutral exit: a backend turns the words of its hardware into struct vmexit; a handler in
 * kernel/ or drivers/ decides and returns a verdict. The handler never moves RIP.
 */
#ifndef KERNEL_EXIT_H
#define KERNEL_EXIT_H

#include "kernel/set.h"
#include "kernel/types.h"

struct insn;
struct vcpu;

enum exit_kind {
    EXIT_UNKNOWN = 0,   /* no rule for this code: stops the VM */
    EXIT_NONE,          /* nothing to decide: the backend or an interrupt handler has done it */
    EXIT_INTERRUPT,     /* physical interrupt; `vector` was acknowledged, 0: taken by the IDT */
    EXIT_NMI,           /* physical NMI */
    EXIT_EXCEPTION,     /* intercepted exception of the guest: vector, error_code */
    EXIT_IRQ_WINDOW,    /* the guest can take an interrupt now */
    EXIT_NMI_WINDOW,
    EXIT_TIMER,         /* the deadline of backend->set_timer has passed */
    EXIT_CPUID,
    EXIT_HLT,
    EXIT_PAUSE,
    EXIT_HYPERCALL,
    EXIT_IO,            /* io */
    EXIT_MSR_READ,      /* number in guest RCX */
    EXIT_MSR_WRITE,
    EXIT_CR,            /* cr */
    EXIT_XSETBV,
    EXIT_MEMORY,        /* memory: nested page fault */
    EXIT_CACHE,         /* WBINVD, INVD */
    EXIT_UNDEFINED,     /* an instruction that this machine does not have: #UD */
    EXIT_FORBIDDEN,     /* an instruction that raises #GP here */
    EXIT_RDPMC,         /* number in guest RCX */
    EXIT_TRIPLE_FAULT,
    EXIT_TASK_SWITCH,
    EXIT_APIC_WRITE,    /* APIC virtualisation: register at `apic_offset` was written */
    EXIT_APIC_EOI,      /* APIC virtualisation: EOI of a level-triggered `vector` */
    EXIT_BUS_LOCK,
    EXIT_STUCK,         /* for too long nothing could interrupt the guest; state_lost */
    EXIT_ENTRY_FAILED,  /* the guest state was refused; the backend has logged the broken rule */
    EXIT_KINDS
};

struct exit_io {
    uint16_t port;
    uint8_t size;   /* 1, 2, 4 */
    bool in;
    bool string;    /* INS or OUTS, with or without REP */
};

struct exit_cr {
    uint8_t number; /* 0, 3, 4, 8 */
    bool write;
    bool clts, lmsw;
    uint8_t gpr;    /* index into vcpu->gpr */
    uint16_t lmsw_value;
    const struct insn *operand; /* of SMSW and LMSW, in the place of gpr and lmsw_value; or NULL */
};

struct exit_memory {
    gpa_t gpa;
    bool write, fetch; /* neither: read */
    bool page_walk; /* the access was to a guest page table */
};

/* What every exit has; copied into the trace in one piece. */
struct vmexit_head {
    uint8_t kind;        /* enum exit_kind */
    uint8_t vector;      /* INTERRUPT, EXCEPTION, APIC_EOI */
    bool has_error_code; /* EXCEPTION */
    uint8_t length;      /* of the instruction, where the exit was caused by one; 0: unknown */
    uint32_t code;       /* the hardware's own exit code, compact: < backend->exit_codes */
};

#define VMEXIT_LENGTH_SHIFT 24 /* in vmexit.word */
#define VMEXIT_CODE_SHIFT 32

struct vmexit {
    union {
        struct vmexit_head head;
        uint64_t word; /* all of it */
        struct {
            uint8_t kind, vector;
            bool has_error_code;
            uint8_t length;
            uint32_t code;
        };
    };
    uint32_t error_code; /* EXCEPTION */
    uint32_t apic_offset;
    uint8_t event;         /* EXCEPTION: enum vevent_type */
    bool state_lost;       /* STUCK: the guest can't go on */
    uint64_t debug_status; /* EXCEPTION #DB: what DR6 would say */
    union {
        struct exit_io io;
        struct exit_cr cr;
        struct exit_memory memory;
    };
};

enum verdict {
    VERDICT_RETRY, /* resume at the same instruction (or wherever the handler's event leads) */
    VERDICT_NEXT,  /* the instruction is done: go to the next one */
    VERDICT_LEAVE, /* like NEXT, and the CPU is free for another vCPU (HLT, PAUSE) */
    VERDICT_STOP,  /* this VM ends here; the handler has called vm_stop or vm_fail */
};

/* A handler for one kind of exit; exactly one for each kind (checked at start). */
struct exit_handler {
    enum exit_kind kind;
    const char *name;
    enum verdict (*handle)(struct vcpu *vcpu, struct vmexit *exit);
};
SET_DECLARE(exit_handler, struct exit_handler);

#define EXIT_HANDLER(kind_, fn)                                                                    \
    static const struct exit_handler handler_##kind_ = {                                           \
        .kind = kind_, .name = #kind_, .handle = (fn)};                                            \
    SET_ADD(exit_handler, handler_##kind_)

/* Fills the dispatch table from the set; panics on a kind that has none or two. */
void exit_init(void);

#endif
