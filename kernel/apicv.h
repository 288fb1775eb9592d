/* SPDX-License-Identifier: MIT */
/*
 * APIC virtualisation: whether a VM gets it, and what the local APIC of such a VM tells the
 * processor. Only vCPUs in x2APIC mode use it; all else stays in software.
 */
#ifndef KERNEL_APICV_H
#define KERNEL_APICV_H

#include "kernel/types.h"

struct vcpu;
struct vm;

#define APICV_WORDS 4u /* 256 vectors, 64 a word */

/* Decides vm->apicv by the manifest, the boot option `apicv=on` and the processor, before vCPUs
 * are made. 0, or -ENOTSUP: the manifest wants what is missing; what that is has been logged. */
int apicv_decide(struct vm *vm);

/* On the vCPU's own CPU, with the vCPU loaded; only where vm->apicv. */

/* Virtualisation starts over with this page of registers, `in_service` being the highest vector
 * in its ISR (0: none) and none requested; or ends (NULL). */
void apicv_set(struct vcpu *vcpu, void *page, uint8_t in_service);
/* This vector was set in the page's IRR. */
void apicv_raise(struct vcpu *vcpu, uint8_t vector);
/* The vectors whose EOI shall cause EXIT_APIC_EOI. */
void apicv_eoi_exits(struct vcpu *vcpu, const uint64_t vectors[APICV_WORDS]);

#endif
