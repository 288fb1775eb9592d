/* SPDX-License-Identifier: MIT */
/* Segment descriptors and the task state segment of each CPU (root mode). */
#ifndef KERNEL_DESC_H
#define KERNEL_DESC_H

#define SEL_CODE 0x08
#define SEL_DATA 0x10
#define SEL_TSS 0x18

/* Interrupt stack table slots: events that may come at any instruction have their own stacks.
 * IST_FAULT serves the exceptions that are always fatal, so that they are reported even when RSP
 * was no stack (the backend's entry code pops registers by it). */
#define IST_NMI 1
#define IST_DF 2
#define IST_MC 3
#define IST_FAULT 4
#define IST_USED 4

#ifndef __ASSEMBLER__
#include "kernel/cpu.h"

/* Fills and loads GDT and TSS on the calling CPU, whose struct cpu this is; GS stays as it was.
 * `stacks` is false before hostmap_activate(): all slots then share one static stack. */
void desc_load(struct cpu *cpu, bool stacks);

/* Linear addresses, for the host state that a VM exit loads. */
uint64_t desc_gdt_base(const struct cpu *cpu);
uint64_t desc_tss_base(const struct cpu *cpu);
#endif

#endif
