/* SPDX-License-Identifier: MIT */
/*
 * A processor with AMD-V for the files of svm/ (build host): CPUID and MSRs of a good CPU that a
 * test may change, two pages of guest code, and an "entry" that writes the exit fields it is told.
 */
#ifndef TESTS_UNIT_FAKE_SVM_H
#define TESTS_UNIT_FAKE_SVM_H

#include "kernel/exit_loop.h"
#include "kernel/page.h"
#include "kernel/x86.h"
#include "svm/svm.h"
#include "svm/svm_asm.h"

#define FAKE_LOG_SIZE 8192u
#define FAKE_MSRS 8u
#define FAKE_ASIDS 16u

/* CPUID leaf 8000000Ah EDX (APM 3, "CPUID Fn8000_000A_EDX SVM Feature Identification") */
#define FAKE_NP BIT(0)
#define FAKE_NEXT_RIP BIT(3)
#define FAKE_FLUSH_BY_ASID BIT(6)
#define FAKE_DECODE_ASSISTS BIT(7)
#define FAKE_PAUSE_FILTER BIT(10)
#define FAKE_PAUSE_THRESHOLD BIT(12)

struct fake_svm {
    struct vm vm;
    struct vcpu vcpu;
    struct cpuid_regs svm, ext, leaf7, xstate; /* CPUID leaves 8000000Ah, 80000001h, 7, Dh */
    uint32_t ext_max, vendor_ebx;
    uint64_t tsc, wakeup;
    hpa_t saved;               /* operand of the last VMSAVE */
    struct vmcb entered;       /* as the last VMRUN found it */
    unsigned entries;
    void (*entry)(void);       /* what the guest does: fills exit fields */
    struct vmexit last;        /* what the last handler was called with */
    uint8_t code[2 * PAGE_SIZE];
    gva_t code_gva;            /* where the guest has it */
    unsigned code_pages;       /* that are mapped: the first, both, none */
    unsigned access;           /* of the last fetch: mask of enum pt_rights */
    char log[FAKE_LOG_SIZE];   /* what log_printf said */
};
extern struct fake_svm fake_svm;

/* Forgets all; a good CPU. */
void fake_svm_reset(void);
/* svm_probe, this CPU with SVM on, a VM and a vCPU after INIT. */
void fake_svm_create(void);
uint64_t *fake_svm_msr(uint32_t msr);
/* One turn of the loop: enters, decodes, calls a handler, which keeps the exit in `last`. */
void fake_svm_run(void);
/* Puts bytes at the guest's RIP. */
void fake_svm_code(const uint8_t *bytes, size_t count);

#endif
