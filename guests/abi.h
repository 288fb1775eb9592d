/* SPDX-License-Identifier: MIT */
/*
 * What a guest may ask of Mullion: the one header that hypervisor and guests share.
 *
 * A hypercall is VMCALL (Intel) or VMMCALL (AMD) at CPL 0: RAX = number, RBX, RCX, RDX, RSI =
 * arguments; RAX = result (0 or positive), or one of the negative numbers below. Above CPL 0 it
 * raises #UD.
 * The numbers stay clear of KVM's (Linux, Documentation/virt/kvm/x86/hypercalls.rst).
 */
#ifndef GUESTS_ABI_H
#define GUESTS_ABI_H

#define MULLION_CPUID_BASE 0x40000100u      /* EBX, ECX, EDX: "MullionMulli" */
#define MULLION_CPUID_FEATURES 0x40000101u  /* EAX: ABI version; EBX: feature bits */
#define MULLION_ABI_VERSION 1u
#define MULLION_FEATURE_EXIT_COUNTS (1u << 0)  /* MULLION_HC_EXITS */
#define MULLION_FEATURE_HOST_FIGURES (1u << 1) /* MULLION_HC_COST, MULLION_HC_FIGURE: a VM with
                                                  `host_figures` in its manifest */

#define MULLION_ERROR_DENIED (-1)   /* the manifest does not give this VM the right */
#define MULLION_ERROR_INVALID (-22) /* an argument has no meaning */
#define MULLION_ERROR_UNKNOWN (-38) /* there is no such hypercall */

#define MULLION_HC_BASE 0x4d550000u
#define MULLION_HC_NOP (MULLION_HC_BASE + 0)      /* returns 0: the cheapest round trip */
#define MULLION_HC_EXIT (MULLION_HC_BASE + 1)     /* RBX = status: ends this VM */
#define MULLION_HC_EXITS (MULLION_HC_BASE + 2)    /* exits of this vCPU so far */
#define MULLION_HC_COST (MULLION_HC_BASE + 3)     /* RBX = enum mullion_cost: that counter */
#define MULLION_HC_MARK (MULLION_HC_BASE + 4)     /* RBX = number: a time stamp in the log */
#define MULLION_HC_PUTC (MULLION_HC_BASE + 5)     /* RBX = byte for this VM's console */
#define MULLION_HC_FIGURE (MULLION_HC_BASE + 6)   /* RBX = host figure, enum mullion_figure */

#ifndef __ASSEMBLER__
enum mullion_cost {
    MULLION_COST_CONTROL_ACCESSES, /* reads and writes of the control structure (VMCS, VMCB) */
    MULLION_COST_HOST_MSRS,        /* RDMSR and WRMSR executed by the hypervisor in exits */
};

enum mullion_figure {
    MULLION_FIGURE_START_TICKS,  /* VM creation to its first instruction, TSC ticks */
    MULLION_FIGURE_FREE_PAGES,   /* 4 KiB pages that the hypervisor has free */
};
#endif

/* I/O ports of every VM. */
#define MULLION_PORT_DEBUG_EXIT 0xf4 /* OUT value: ends the VM with this exit status */
#define MULLION_PORT_MARK 0xf5       /* OUT byte: like MULLION_HC_MARK, from user space */

/*
 * A `flat` guest starts like a Multiboot kernel: 32-bit protected mode, flat segments, paging
 * off, interrupts off, EAX = MULLION_FLAT_MAGIC, EBX = guest-physical address of this structure.
 */
#define MULLION_FLAT_MAGIC 0x464c4154
#define MULLION_FLAT_LOAD_ADDRESS 0x100000u
#define MULLION_FLAT_INFO_ADDRESS 0x7000u

#ifndef __ASSEMBLER__
struct mullion_flat_info {
    unsigned int version;       /* MULLION_ABI_VERSION */
    unsigned int vcpus;
    unsigned long long memory;  /* RAM in bytes */
    unsigned long long cmdline; /* guest-physical address of a NUL-terminated string */
    unsigned long long tsc_hz;
};
#endif

#endif
