/* SPDX-License-Identifier: MIT */
/*
 * APIC virtualisation (AVIC): not used (root mode). It works in xAPIC mode on a page of the guest's
 * map, or needs x2AVIC, and no emulator has either to test it; the local APIC in software serves.
 */
#include <errno.h>

#include "kernel/apicv.h"
#include "kernel/log.h"
#include "kernel/x86.h"
#include "svm/svm.h"

#define SVM_AVIC BIT(13)
#define SVM_X2AVIC BIT(18)

static int avic_available(void)
{
    uint32_t features = x86_cpuid(CPUID_SVM, 0).edx;

    if (!(features & SVM_AVIC))
        log_printf("svm: AVIC missing: CPUID leaf 8000000Ah EDX bit 13\n");
    else if (!(features & SVM_X2AVIC))
        log_printf("svm: x2AVIC missing: CPUID leaf 8000000Ah EDX bit 18\n");
    else
        log_printf("svm: AVIC is there, but this version does not use it\n");
    return -ENOTSUP;
}

/* The other operations are for VMs that have it, and no VM gets it. */
const struct apicv_ops svm_avic = { .available = avic_available };
