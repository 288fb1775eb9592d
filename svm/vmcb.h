/* SPDX-License-Identifier: MIT */
/*
 * The virtual machine control block: its layout, and the bits and exit codes that Mullion uses.
 * Source: AMD64 APM Volume 2, Appendix B "Layout of VMCB"; Appendix C "SVM Intercept Exit Codes";
 * section 15.20 "Event Injection".
 */
#ifndef SVM_VMCB_H
#define SVM_VMCB_H

#include "kernel/types.h"

/* In the order of memory. Attributes: bits 55:52 and 47:40 of the descriptor, joined. */
#define ATTRIBUTES_L BIT(9)   /* 64-bit code */
#define ATTRIBUTES_DB BIT(10) /* 32-bit operands */
struct vmcb_segment {
    uint16_t selector;
    uint16_t attributes;
    uint32_t limit;
    uint64_t base;
};

/* APM 2, Table B-1 "VMCB Layout, Control Area" */
struct vmcb_control {
    uint32_t intercept_cr;          /* reads of CR0-CR15; writes from bit 16 */
    uint32_t intercept_dr;          /* the same for debug registers */
    uint32_t intercept_exceptions;  /* BIT(vector) */
    uint32_t intercept_1;           /* INTERCEPT_1_* */
    uint32_t intercept_2;           /* INTERCEPT_2_* */
    uint32_t intercept_3;           /* INTERCEPT_3_* */
    uint8_t reserved_018[0x24];
    uint16_t pause_filter_threshold;
    uint16_t pause_filter_count;
    uint64_t iopm_base;
    uint64_t msrpm_base;
    uint64_t tsc_offset;
    uint32_t asid;
    uint8_t tlb_control;            /* enum vmcb_tlb */
    uint8_t reserved_05d[3];
    uint64_t vintr;                 /* VINTR_* */
    uint64_t interrupt_shadow;      /* SHADOW_* */
    uint64_t exit_code;
    uint64_t exit_info1;
    uint64_t exit_info2;
    uint64_t exit_int_info;         /* EVENT_*; bit 31 clear: the rest may be stale */
    uint64_t nested_control;        /* NESTED_* */
    uint8_t reserved_098[0x10];     /* AVIC, GHCB */
    uint64_t event_inject;          /* EVENT_* */
    uint64_t nested_cr3;
    uint64_t reserved_0b8;          /* virtual LBRs, VMLOAD and VMSAVE */
    uint32_t clean;                 /* 0: all of it may have changed */
    uint32_t reserved_0c4;
    uint64_t next_rip;
    uint8_t reserved_0d0[0x330];    /* bytes of the instruction, AVIC */
};

/* APM 2, Table B-2 "VMCB Layout, State Save Area" */
struct vmcb_save {
    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved_0a0[0x2b];
    uint8_t cpl;
    uint32_t reserved_0cc;
    uint64_t efer;
    uint8_t reserved_0d8[0x70];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved_180[0x58];
    uint64_t rsp, s_cet, ssp, isst_addr, rax;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t cr2;
    uint8_t reserved_248[0x20];
    uint64_t g_pat, dbgctl, br_from, br_to, last_excp_from, last_excp_to;
    uint8_t reserved_298[0x968];
};

struct vmcb {
    struct vmcb_control control;
    struct vmcb_save save;
};

#define VMCB_SAVE_OFFSET 0x400
#define VMCB_AT(member, offset)                                                                    \
    _Static_assert(offsetof(struct vmcb, member) == (offset), "APM 2, Appendix B: " #member)
VMCB_AT(control.intercept_exceptions, 0x008);
VMCB_AT(control.pause_filter_threshold, 0x03c);
VMCB_AT(control.iopm_base, 0x040);
VMCB_AT(control.asid, 0x058);
VMCB_AT(control.tlb_control, 0x05c);
VMCB_AT(control.vintr, 0x060);
VMCB_AT(control.exit_code, 0x070);
VMCB_AT(control.exit_int_info, 0x088);
VMCB_AT(control.event_inject, 0x0a8);
VMCB_AT(control.nested_cr3, 0x0b0);
VMCB_AT(control.clean, 0x0c0);
VMCB_AT(control.next_rip, 0x0c8);
VMCB_AT(save, VMCB_SAVE_OFFSET);
VMCB_AT(save.tr, VMCB_SAVE_OFFSET + 0x090);
VMCB_AT(save.cpl, VMCB_SAVE_OFFSET + 0x0cb);
VMCB_AT(save.efer, VMCB_SAVE_OFFSET + 0x0d0);
VMCB_AT(save.cr4, VMCB_SAVE_OFFSET + 0x148);
VMCB_AT(save.rip, VMCB_SAVE_OFFSET + 0x178);
VMCB_AT(save.rsp, VMCB_SAVE_OFFSET + 0x1d8);
VMCB_AT(save.rax, VMCB_SAVE_OFFSET + 0x1f8);
VMCB_AT(save.cr2, VMCB_SAVE_OFFSET + 0x240);
VMCB_AT(save.g_pat, VMCB_SAVE_OFFSET + 0x268);
VMCB_AT(save.last_excp_to, VMCB_SAVE_OFFSET + 0x290);
_Static_assert(sizeof(struct vmcb) == 4096, "a VMCB is a page");

/* intercept_cr and intercept_dr */
#define INTERCEPT_READ(n) BIT(n)
#define INTERCEPT_WRITE(n) BIT((n) + 16)

#define INTERCEPT_1_INTR BIT(0)
#define INTERCEPT_1_NMI BIT(1)
#define INTERCEPT_1_SMI BIT(2)
#define INTERCEPT_1_INIT BIT(3)
#define INTERCEPT_1_VINTR BIT(4)
#define INTERCEPT_1_RDPMC BIT(15)
#define INTERCEPT_1_CPUID BIT(18)
#define INTERCEPT_1_RSM BIT(19)
#define INTERCEPT_1_IRET BIT(20)
#define INTERCEPT_1_SWINT BIT(21)
#define INTERCEPT_1_INVD BIT(22)
#define INTERCEPT_1_PAUSE BIT(23)
#define INTERCEPT_1_HLT BIT(24)
#define INTERCEPT_1_INVLPGA BIT(26)
#define INTERCEPT_1_IOIO_PROT BIT(27)
#define INTERCEPT_1_MSR_PROT BIT(28)
#define INTERCEPT_1_TASK_SWITCH BIT(29)
#define INTERCEPT_1_FERR_FREEZE BIT(30)
#define INTERCEPT_1_SHUTDOWN BIT(31)

#define INTERCEPT_2_VMRUN BIT(0)
#define INTERCEPT_2_VMMCALL BIT(1)
#define INTERCEPT_2_VMLOAD BIT(2)
#define INTERCEPT_2_VMSAVE BIT(3)
#define INTERCEPT_2_STGI BIT(4)
#define INTERCEPT_2_CLGI BIT(5)
#define INTERCEPT_2_SKINIT BIT(6)
#define INTERCEPT_2_WBINVD BIT(9)
#define INTERCEPT_2_MONITOR BIT(10)
#define INTERCEPT_2_MWAIT BIT(11)
#define INTERCEPT_2_XSETBV BIT(13)
#define INTERCEPT_2_RDPRU BIT(14)

#define INTERCEPT_3_INVLPGB BIT(0)
#define INTERCEPT_3_INVLPGB_ILLEGAL BIT(1)
#define INTERCEPT_3_MCOMMIT BIT(3)
#define INTERCEPT_3_TLBSYNC BIT(4)

enum vmcb_tlb {
    TLB_NOTHING = 0,
    TLB_FLUSH_ALL = 1,       /* every ASID on this CPU */
    TLB_FLUSH_ASID = 3,      /* with the flush-by-ASID feature */
    TLB_FLUSH_ASID_NON_GLOBAL = 7,
};

#define VINTR_IRQ BIT(8)
#define VINTR_PRIORITY_SHIFT 16
#define VINTR_IGNORE_TPR BIT(20)
#define VINTR_MASKING BIT(24)     /* the guest's IF and TPR do not mask physical interrupts */
#define VINTR_NMI_ENABLE BIT(26)
#define VINTR_X2AVIC_ENABLE BIT(30)
#define VINTR_AVIC_ENABLE BIT(31)

#define SHADOW_INTERRUPT BIT(0)
#define SHADOW_GUEST_IF BIT(1) /* read only, for SEV */

#define NESTED_PAGING BIT(0)
#define NESTED_SHADOW_STACKS BIT(4)

/* Sizes of the permissions maps (APM 2, 15.10.1 and 15.11) */
#define IOPM_SIZE (3 * PAGE_SIZE)
#define MSRPM_SIZE (2 * PAGE_SIZE)

/* event_inject, exit_int_info (APM 2, 15.20 "Event Injection") */
#define EVENT_VECTOR_MASK 0xffu
#define EVENT_TYPE_SHIFT 8
#define EVENT_TYPE_MASK 7u
#define EVENT_ERROR_CODE BIT(11)
#define EVENT_VALID BIT(31)
#define EVENT_ERROR_CODE_SHIFT 32
enum event_type {
    EVENT_TYPE_INTR = 0,
    EVENT_TYPE_NMI = 2,
    EVENT_TYPE_EXCEPTION = 3,
    EVENT_TYPE_SOFTWARE = 4, /* INT n */
};

/* Exit codes (APM 2, Appendix C) */
#define VMEXIT_CR_READ(n) (0x000u + (n))
#define VMEXIT_CR_WRITE(n) (0x010u + (n))
#define VMEXIT_EXCP(vector) (0x040u + (vector))
enum vmexit_code {
    VMEXIT_INTR = 0x60, VMEXIT_NMI, VMEXIT_SMI, VMEXIT_INIT, VMEXIT_VINTR, VMEXIT_CR0_SEL_WRITE,
    VMEXIT_IDTR_READ, VMEXIT_GDTR_READ, VMEXIT_LDTR_READ, VMEXIT_TR_READ,
    VMEXIT_IDTR_WRITE, VMEXIT_GDTR_WRITE, VMEXIT_LDTR_WRITE, VMEXIT_TR_WRITE,
    VMEXIT_RDTSC, VMEXIT_RDPMC, VMEXIT_PUSHF, VMEXIT_POPF, VMEXIT_CPUID, VMEXIT_RSM,
    VMEXIT_IRET, VMEXIT_SWINT, VMEXIT_INVD, VMEXIT_PAUSE, VMEXIT_HLT, VMEXIT_INVLPG,
    VMEXIT_INVLPGA, VMEXIT_IOIO, VMEXIT_MSR, VMEXIT_TASK_SWITCH, VMEXIT_FERR_FREEZE,
    VMEXIT_SHUTDOWN, VMEXIT_VMRUN, VMEXIT_VMMCALL, VMEXIT_VMLOAD, VMEXIT_VMSAVE, VMEXIT_STGI,
    VMEXIT_CLGI, VMEXIT_SKINIT, VMEXIT_RDTSCP, VMEXIT_ICEBP, VMEXIT_WBINVD, VMEXIT_MONITOR,
    VMEXIT_MWAIT, VMEXIT_MWAIT_CONDITIONAL, VMEXIT_XSETBV, VMEXIT_RDPRU, VMEXIT_EFER_WRITE_TRAP,
    VMEXIT_CR0_WRITE_TRAP, /* to CR15: 9fh */
    VMEXIT_INVLPGB = 0xa0, VMEXIT_INVLPGB_ILLEGAL, VMEXIT_INVPCID, VMEXIT_MCOMMIT,
    VMEXIT_TLBSYNC, VMEXIT_BUSLOCK, VMEXIT_IDLE_HLT,
    VMEXIT_NPF = 0x400, VMEXIT_AVIC_INCOMPLETE_IPI, VMEXIT_AVIC_NOACCEL, VMEXIT_VMGEXIT,
};
_Static_assert(VMEXIT_CPUID == 0x72 && VMEXIT_SHUTDOWN == 0x7f && VMEXIT_XSETBV == 0x8d &&
               VMEXIT_CR0_WRITE_TRAP == 0x90, "APM 2, Appendix C");
/* QEMU before 8 fills the low half only. */
#define VMEXIT_INVALID 0xffffffffu

/* EXITINFO1 of VMEXIT_IOIO (APM 2, 15.10.2 "IN and OUT Behavior"); the port is from bit 16 */
#define IOIO_IN BIT(0)
#define IOIO_STRING BIT(2)
#define IOIO_SIZE_SHIFT 4 /* a bit each for 1, 2, 4 bytes */
#define IOIO_SIZE_MASK 7u
#define IOIO_PORT_SHIFT 16

/* EXITINFO1 of VMEXIT_CR_* and _DR_* with decode assists (APM 2, 15.10.5) */
#define CR_INFO_GPR_MASK 0xfu
#define CR_INFO_MOV BIT(63)

/* EXITINFO1 of VMEXIT_NPF (APM 2, 15.25.6 "Nested versus Guest Page Faults") */
#define NPF_WRITE BIT(1)
#define NPF_FETCH BIT(4)
#define NPF_PAGE_WALK BIT(33) /* while reading the guest's page tables */

#endif
