/* SPDX-License-Identifier: MIT */
/*
 * What ends a guest's turn, and the other controls that never change (root mode): a row for each
 * intercept with its reason. Source: APM 2, "Instruction Intercepts", "Interrupt Intercepts".
 */
#include "svm/npt.h"
#include "svm/svm.h"

struct intercept {
    unsigned word; /* 1 to 3 */
    uint64_t bit;
};

static const struct intercept intercepts[] = {
    /* physical interrupts are ours; what else may come in a guest is handled once GIF is set */
    { 1, INTERCEPT_1_INTR },
    { 1, INTERCEPT_1_NMI },
    { 1, INTERCEPT_1_SMI },
    { 1, INTERCEPT_1_INIT },
    /* no virtual PMU: RDPMC raises #GP */
    { 1, INTERCEPT_1_RDPMC },
    { 1, INTERCEPT_1_CPUID },
    /* caches are shared: a no-operation */
    { 1, INTERCEPT_1_INVD },
    { 2, INTERCEPT_2_WBINVD },
    /* always: a halted guest does not stay halted over a physical interrupt */
    { 1, INTERCEPT_1_HLT },
    /* SVM for guests: #UD, as CPUID says; INVLPGA and SKINIT work without EFER.SVME */
    { 1, INTERCEPT_1_INVLPGA },
    { 2, INTERCEPT_2_VMRUN },
    { 2, INTERCEPT_2_VMMCALL },
    { 2, INTERCEPT_2_VMLOAD },
    { 2, INTERCEPT_2_VMSAVE },
    { 2, INTERCEPT_2_STGI },
    { 2, INTERCEPT_2_CLGI },
    { 2, INTERCEPT_2_SKINIT },
    { 1, INTERCEPT_1_IOIO_PROT },
    { 1, INTERCEPT_1_MSR_PROT },
    { 1, INTERCEPT_1_TASK_SWITCH },
    /* would reset the machine */
    { 1, INTERCEPT_1_SHUTDOWN },
    { 1, INTERCEPT_1_FERR_FREEZE },
    { 1, INTERCEPT_1_RSM },
    /* a guest may neither watch our memory nor sleep where we would not notice */
    { 2, INTERCEPT_2_MONITOR },
    { 2, INTERCEPT_2_MWAIT },
    { 2, INTERCEPT_2_XSETBV },
    /* counters of the physical processor; not in CPUID */
    { 2, INTERCEPT_2_RDPRU },
    { 3, INTERCEPT_3_INVLPGB },
    { 3, INTERCEPT_3_INVLPGB_ILLEGAL },
    { 3, INTERCEPT_3_MCOMMIT },
    { 3, INTERCEPT_3_TLBSYNC },
};

/* A spin loop: that many PAUSEs, at most this many cycles apart (APM 2, "PAUSE Instruction
 * Filtering"; the values are Linux's). */
#define PAUSE_COUNT 3000
#define PAUSE_THRESHOLD 128

void svm_controls_write(struct vmcb_control *c)
{
    uint32_t *words[] = { &c->intercept_1, &c->intercept_2, &c->intercept_3 };

    for (size_t i = 0; i < ARRAY_SIZE(intercepts); i++)
        *words[intercepts[i].word - 1] |= (uint32_t)intercepts[i].bit;
    c->intercept_exceptions = SVM_EXCEPTIONS;
    /* CR8 is the task priority of an interrupt controller in software. Paging modes and caching are
     * decided here, and CR4 holds bits of ours. The selective intercept of CR0 would do, had QEMU
     * not forgotten the #GP for bits 63:32 that stands before it. */
    c->intercept_cr = INTERCEPT_READ(8) | INTERCEPT_WRITE(8) | INTERCEPT_WRITE(4) |
                      INTERCEPT_WRITE(0);
    c->vintr = VINTR_MASKING;
    c->nested_control = NESTED_PAGING;
    if (svm_caps.pause_filter)
        c->pause_filter_count = PAUSE_COUNT;
    if (svm_caps.pause_threshold)
        c->pause_filter_threshold = PAUSE_THRESHOLD;
}
