/* SPDX-License-Identifier: MIT */
/*
 * VMCS fields, control bits and exit reasons that Mullion uses.
 * Source: SDM 3D, Appendix B "Field Encoding in VMCS"; SDM 3C, "VM-Execution Control Fields",
 * "VM-Exit Control Fields", "VM-Entry Control Fields"; Appendix C "VMX Basic Exit Reasons".
 */
#ifndef VMX_VMCS_H
#define VMX_VMCS_H

#include "kernel/types.h"

/* X(name, encoding): also the source of the names that a refused VMWRITE is reported with. */
#define VMCS_FIELDS(X)                                                                             \
    X(VPID, 0x0000) X(POSTED_INT_VECTOR, 0x0002)                                                   \
    X(GUEST_ES, 0x0800) X(GUEST_CS, 0x0802) X(GUEST_SS, 0x0804) X(GUEST_DS, 0x0806)                \
    X(GUEST_FS, 0x0808) X(GUEST_GS, 0x080a) X(GUEST_LDTR, 0x080c) X(GUEST_TR, 0x080e)              \
    X(GUEST_INTERRUPT_STATUS, 0x0810)                                                              \
    X(HOST_ES, 0x0c00) X(HOST_CS, 0x0c02) X(HOST_SS, 0x0c04) X(HOST_DS, 0x0c06)                    \
    X(HOST_FS, 0x0c08) X(HOST_GS, 0x0c0a) X(HOST_TR, 0x0c0c)                                       \
    X(IO_BITMAP_A, 0x2000) X(IO_BITMAP_B, 0x2002) X(MSR_BITMAP, 0x2004)                            \
    X(EXIT_MSR_STORE, 0x2006) X(EXIT_MSR_LOAD, 0x2008) X(ENTRY_MSR_LOAD, 0x200a)                   \
    X(TSC_OFFSET, 0x2010) X(VIRTUAL_APIC, 0x2012) X(APIC_ACCESS, 0x2014)                           \
    X(POSTED_INT_DESC, 0x2016) X(EPTP, 0x201a)                                                     \
    X(EOI_EXIT0, 0x201c) X(EOI_EXIT1, 0x201e) X(EOI_EXIT2, 0x2020) X(EOI_EXIT3, 0x2022)            \
    X(XSS_EXITING, 0x202c) X(GUEST_PHYSICAL_ADDRESS, 0x2400)                                       \
    X(LINK_POINTER, 0x2800) X(GUEST_DEBUGCTL, 0x2802) X(GUEST_PAT, 0x2804)                         \
    X(GUEST_EFER, 0x2806)                                                                          \
    X(GUEST_PDPTE0, 0x280a) X(GUEST_PDPTE1, 0x280c) X(GUEST_PDPTE2, 0x280e)                        \
    X(GUEST_PDPTE3, 0x2810)                                                                        \
    X(HOST_PAT, 0x2c00) X(HOST_EFER, 0x2c02)                                                       \
    X(PIN_CONTROLS, 0x4000) X(PROC_CONTROLS, 0x4002) X(EXCEPTION_BITMAP, 0x4004)                   \
    X(PF_ERROR_MASK, 0x4006) X(PF_ERROR_MATCH, 0x4008) X(CR3_TARGET_COUNT, 0x400a)                 \
    X(EXIT_CONTROLS, 0x400c) X(EXIT_MSR_STORE_COUNT, 0x400e) X(EXIT_MSR_LOAD_COUNT, 0x4010)        \
    X(ENTRY_CONTROLS, 0x4012) X(ENTRY_MSR_LOAD_COUNT, 0x4014) X(ENTRY_INTR_INFO, 0x4016)           \
    X(ENTRY_ERROR_CODE, 0x4018) X(ENTRY_INSN_LENGTH, 0x401a) X(TPR_THRESHOLD, 0x401c)              \
    X(PROC_CONTROLS2, 0x401e) X(PLE_GAP, 0x4020) X(PLE_WINDOW, 0x4022) X(NOTIFY_WINDOW, 0x4024)    \
    X(INSN_ERROR, 0x4400) X(EXIT_REASON, 0x4402) X(EXIT_INTR_INFO, 0x4404)                         \
    X(EXIT_INTR_ERROR, 0x4406) X(IDT_VECTORING_INFO, 0x4408) X(IDT_VECTORING_ERROR, 0x440a)        \
    X(EXIT_INSN_LENGTH, 0x440c) X(EXIT_INSN_INFO, 0x440e)                                          \
    X(GUEST_ES_LIMIT, 0x4800) X(GUEST_CS_LIMIT, 0x4802) X(GUEST_SS_LIMIT, 0x4804)                  \
    X(GUEST_DS_LIMIT, 0x4806) X(GUEST_FS_LIMIT, 0x4808) X(GUEST_GS_LIMIT, 0x480a)                  \
    X(GUEST_LDTR_LIMIT, 0x480c) X(GUEST_TR_LIMIT, 0x480e) X(GUEST_GDTR_LIMIT, 0x4810)              \
    X(GUEST_IDTR_LIMIT, 0x4812)                                                                    \
    X(GUEST_ES_ACCESS, 0x4814) X(GUEST_CS_ACCESS, 0x4816) X(GUEST_SS_ACCESS, 0x4818)               \
    X(GUEST_DS_ACCESS, 0x481a) X(GUEST_FS_ACCESS, 0x481c) X(GUEST_GS_ACCESS, 0x481e)               \
    X(GUEST_LDTR_ACCESS, 0x4820) X(GUEST_TR_ACCESS, 0x4822)                                        \
    X(GUEST_INTERRUPTIBILITY, 0x4824) X(GUEST_ACTIVITY, 0x4826)                                    \
    X(GUEST_SYSENTER_CS, 0x482a) X(PREEMPTION_TIMER, 0x482e) X(HOST_SYSENTER_CS, 0x4c00)           \
    X(CR0_MASK, 0x6000) X(CR4_MASK, 0x6002) X(CR0_SHADOW, 0x6004) X(CR4_SHADOW, 0x6006)            \
    X(EXIT_QUALIFICATION, 0x6400) X(GUEST_LINEAR_ADDRESS, 0x640a)                                  \
    X(GUEST_CR0, 0x6800) X(GUEST_CR3, 0x6802) X(GUEST_CR4, 0x6804)                                 \
    X(GUEST_ES_BASE, 0x6806) X(GUEST_CS_BASE, 0x6808) X(GUEST_SS_BASE, 0x680a)                     \
    X(GUEST_DS_BASE, 0x680c) X(GUEST_FS_BASE, 0x680e) X(GUEST_GS_BASE, 0x6810)                     \
    X(GUEST_LDTR_BASE, 0x6812) X(GUEST_TR_BASE, 0x6814) X(GUEST_GDTR_BASE, 0x6816)                 \
    X(GUEST_IDTR_BASE, 0x6818) X(GUEST_DR7, 0x681a) X(GUEST_RSP, 0x681c)                           \
    X(GUEST_RIP, 0x681e) X(GUEST_RFLAGS, 0x6820) X(GUEST_PENDING_DEBUG, 0x6822)                    \
    X(GUEST_SYSENTER_ESP, 0x6824) X(GUEST_SYSENTER_EIP, 0x6826)                                    \
    X(HOST_CR0, 0x6c00) X(HOST_CR3, 0x6c02) X(HOST_CR4, 0x6c04) X(HOST_FS_BASE, 0x6c06)            \
    X(HOST_GS_BASE, 0x6c08) X(HOST_TR_BASE, 0x6c0a) X(HOST_GDTR_BASE, 0x6c0c)                      \
    X(HOST_IDTR_BASE, 0x6c0e) X(HOST_SYSENTER_ESP, 0x6c10) X(HOST_SYSENTER_EIP, 0x6c12)            \
    X(HOST_RSP, 0x6c14) X(HOST_RIP, 0x6c16)

enum vmcs_field {
#define VMCS_ENUM(name, encoding) VMCS_##name = (encoding),
    VMCS_FIELDS(VMCS_ENUM)
#undef VMCS_ENUM
};

/* Segment fields of one kind stand in the order of enum vseg, two apart. */
#define VMCS_SEG_SELECTOR(seg) (VMCS_GUEST_ES + 2u * (unsigned)(seg))
#define VMCS_SEG_LIMIT(seg) (VMCS_GUEST_ES_LIMIT + 2u * (unsigned)(seg))
#define VMCS_SEG_ACCESS(seg) (VMCS_GUEST_ES_ACCESS + 2u * (unsigned)(seg))
#define VMCS_SEG_BASE(seg) (VMCS_GUEST_ES_BASE + 2u * (unsigned)(seg))

/* Pin-based VM-execution controls */
#define PIN_EXTERNAL_INTERRUPT BIT(0)
#define PIN_NMI BIT(3)
#define PIN_VIRTUAL_NMI BIT(5)
#define PIN_PREEMPTION_TIMER BIT(6)
#define PIN_POSTED_INTERRUPTS BIT(7)

/* Primary processor-based VM-execution controls */
#define PROC_IRQ_WINDOW BIT(2)
#define PROC_TSC_OFFSETTING BIT(3)
#define PROC_HLT BIT(7)
#define PROC_MWAIT BIT(10)
#define PROC_RDPMC BIT(11)
#define PROC_CR8_LOAD BIT(19)
#define PROC_CR8_STORE BIT(20)
#define PROC_TPR_SHADOW BIT(21)
#define PROC_NMI_WINDOW BIT(22)
#define PROC_IO_BITMAPS BIT(25)
#define PROC_MTF BIT(27)
#define PROC_MSR_BITMAPS BIT(28)
#define PROC_MONITOR BIT(29)
#define PROC_SECONDARY BIT(31)

/* Secondary processor-based VM-execution controls */
#define PROC2_APIC_ACCESSES BIT(0)
#define PROC2_EPT BIT(1)
#define PROC2_RDTSCP BIT(3)
#define PROC2_X2APIC_MODE BIT(4)
#define PROC2_VPID BIT(5)
#define PROC2_WBINVD BIT(6)
#define PROC2_UNRESTRICTED_GUEST BIT(7)
#define PROC2_APIC_REGISTERS BIT(8)
#define PROC2_INTERRUPT_DELIVERY BIT(9)
#define PROC2_PAUSE_LOOP BIT(10)
#define PROC2_INVPCID BIT(12)
#define PROC2_XSAVES BIT(20)
#define PROC2_BUS_LOCK BIT(30)
#define PROC2_NOTIFY BIT(31)

/* Primary VM-exit controls */
#define EXITC_SAVE_DEBUG BIT(2)
#define EXITC_HOST_64 BIT(9)
#define EXITC_ACK_INTERRUPT BIT(15)
#define EXITC_SAVE_PAT BIT(18)
#define EXITC_LOAD_PAT BIT(19)
#define EXITC_SAVE_EFER BIT(20)
#define EXITC_LOAD_EFER BIT(21)
#define EXITC_SAVE_PREEMPTION_TIMER BIT(22)

/* VM-entry controls */
#define ENTRYC_LOAD_DEBUG BIT(2)
#define ENTRYC_GUEST_64 BIT(9)
#define ENTRYC_LOAD_PAT BIT(14)
#define ENTRYC_LOAD_EFER BIT(15)
#define ENTRYC_SMM BIT(10)
#define ENTRYC_DEACTIVATE_DUAL_MONITOR BIT(11)

/* VM-entry interruption-information and its counterparts at exit */
#define INTR_VECTOR_MASK 0xffu
#define INTR_TYPE_SHIFT 8
#define INTR_TYPE_MASK 0x7u
#define INTR_ERROR_CODE BIT(11)
#define INTR_NMI_UNBLOCKING BIT(12) /* exit: IRET had removed NMI blocking */
#define INTR_VALID BIT(31)
enum intr_type {
    INTR_TYPE_EXTERNAL = 0,
    INTR_TYPE_NMI = 2,
    INTR_TYPE_EXCEPTION = 3,
    INTR_TYPE_SOFT_INTERRUPT = 4,
    INTR_TYPE_PRIVILEGED_EXCEPTION = 5,
    INTR_TYPE_SOFT_EXCEPTION = 6,
};

/* Guest interruptibility state */
#define BLOCKING_STI BIT(0)
#define BLOCKING_MOV_SS BIT(1)
#define BLOCKING_SMI BIT(2)
#define BLOCKING_NMI BIT(3)

/* Guest activity state */
enum activity {
    ACTIVITY_ACTIVE = 0,
    ACTIVITY_HLT = 1,
    ACTIVITY_SHUTDOWN = 2,
    ACTIVITY_WAIT_SIPI = 3,
};

/* Pending debug exceptions */
#define PENDING_DEBUG_BS BIT(14)

/* Exit qualification for EPT violations (SDM 3C, "Exit Qualification for EPT Violations") */
#define EPTQ_READ BIT(0)
#define EPTQ_WRITE BIT(1)
#define EPTQ_FETCH BIT(2)
#define EPTQ_LINEAR_VALID BIT(7)
#define EPTQ_NOT_PAGE_WALK BIT(8)
#define EPTQ_NMI_UNBLOCKING BIT(12) /* notify exits have it, too */

/* Exit qualification for notify exits (SDM 3C, "Basic VM-Exit Information") */
#define NOTIFYQ_CONTEXT_INVALID BIT(0)

/* Extended-page-table pointer */
#define EPTP_WB 6u
#define EPTP_WALK_4 (3u << 3)
#define EPTP_ACCESSED_DIRTY BIT(6)

/* IA32_VMX_BASIC and IA32_VMX_MISC (SDM 3D, Appendix A "VMX Capability Reporting Facility") */
#define VMX_BASIC_TRUE_CONTROLS BIT(55)
#define VMX_BASIC_ANY_ERROR_CODE BIT(56) /* no rule which exceptions have an error code */
#define VMX_MISC_ACTIVITY_SHIFT 6 /* HLT, shutdown, wait-for-SIPI */
#define VMX_MISC_CR3_TARGETS_SHIFT 16
#define VMX_MISC_CR3_TARGETS_MASK 0x1ffu
#define VMX_MISC_ZERO_LENGTH BIT(30) /* of an injected software event's instruction */

#define EXIT_REASON_BASIC 0xffffu
#define EXIT_REASON_ENTRY_FAILURE BIT(31)

enum vmx_exit_reason {
    VMX_EXIT_EXCEPTION_NMI = 0, VMX_EXIT_EXTERNAL_INTERRUPT = 1, VMX_EXIT_TRIPLE_FAULT = 2,
    VMX_EXIT_INIT = 3, VMX_EXIT_SIPI = 4, VMX_EXIT_IO_SMI = 5, VMX_EXIT_OTHER_SMI = 6,
    VMX_EXIT_IRQ_WINDOW = 7, VMX_EXIT_NMI_WINDOW = 8, VMX_EXIT_TASK_SWITCH = 9,
    VMX_EXIT_CPUID = 10, VMX_EXIT_GETSEC = 11, VMX_EXIT_HLT = 12, VMX_EXIT_INVD = 13,
    VMX_EXIT_INVLPG = 14, VMX_EXIT_RDPMC = 15, VMX_EXIT_RDTSC = 16, VMX_EXIT_RSM = 17,
    VMX_EXIT_VMCALL = 18, VMX_EXIT_VMCLEAR = 19, VMX_EXIT_VMLAUNCH = 20, VMX_EXIT_VMPTRLD = 21,
    VMX_EXIT_VMPTRST = 22, VMX_EXIT_VMREAD = 23, VMX_EXIT_VMRESUME = 24, VMX_EXIT_VMWRITE = 25,
    VMX_EXIT_VMXOFF = 26, VMX_EXIT_VMXON = 27, VMX_EXIT_CR = 28, VMX_EXIT_DR = 29,
    VMX_EXIT_IO = 30, VMX_EXIT_RDMSR = 31, VMX_EXIT_WRMSR = 32, VMX_EXIT_ENTRY_GUEST_STATE = 33,
    VMX_EXIT_ENTRY_MSR_LOAD = 34, VMX_EXIT_MWAIT = 36, VMX_EXIT_MTF = 37, VMX_EXIT_MONITOR = 39,
    VMX_EXIT_PAUSE = 40, VMX_EXIT_ENTRY_MACHINE_CHECK = 41, VMX_EXIT_TPR = 43,
    VMX_EXIT_APIC_ACCESS = 44, VMX_EXIT_VIRTUAL_EOI = 45, VMX_EXIT_GDTR_IDTR = 46,
    VMX_EXIT_LDTR_TR = 47, VMX_EXIT_EPT_VIOLATION = 48, VMX_EXIT_EPT_MISCONFIG = 49,
    VMX_EXIT_INVEPT = 50, VMX_EXIT_RDTSCP = 51, VMX_EXIT_PREEMPTION_TIMER = 52,
    VMX_EXIT_INVVPID = 53, VMX_EXIT_WBINVD = 54, VMX_EXIT_XSETBV = 55, VMX_EXIT_APIC_WRITE = 56,
    VMX_EXIT_RDRAND = 57, VMX_EXIT_INVPCID = 58, VMX_EXIT_VMFUNC = 59, VMX_EXIT_ENCLS = 60,
    VMX_EXIT_RDSEED = 61, VMX_EXIT_PML_FULL = 62, VMX_EXIT_XSAVES = 63, VMX_EXIT_XRSTORS = 64,
    VMX_EXIT_PCONFIG = 65, VMX_EXIT_SPP = 66, VMX_EXIT_UMWAIT = 67, VMX_EXIT_TPAUSE = 68,
    VMX_EXIT_LOADIWKEY = 69, VMX_EXIT_ENCLV = 70, VMX_EXIT_ENQCMD = 72, VMX_EXIT_ENQCMDS = 73,
    VMX_EXIT_BUS_LOCK = 74, VMX_EXIT_NOTIFY = 75, VMX_EXIT_SEAMCALL = 76, VMX_EXIT_TDCALL = 77,
    VMX_EXIT_REASONS = 78
};

#endif
