/* SPDX-License-Identifier: MIT */
/* The SVM instructions, besides those of svm/enter.S (root mode). */
#ifndef SVM_SVM_ASM_H
#define SVM_SVM_ASM_H

#include "kernel/types.h"

#ifdef MULLION_HOST_TEST
#include "tests/unit/svm_host.h"
#else

/* FS, GS, TR, LDTR, KERNEL_GS_BASE, STAR, LSTAR, CSTAR, SFMASK, SYSENTER_* of this CPU. */
static inline void svm_vmsave(hpa_t vmcb)
{
    __asm__ volatile("vmsave %%rax" : : "a"(vmcb) : "memory");
}

#endif

#endif
