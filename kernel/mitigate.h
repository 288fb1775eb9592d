/* SPDX-License-Identifier: MIT */
/* Barriers that keep one guest's secrets from the next on the same CPU, and an erratum from all. */
#ifndef KERNEL_MITIGATE_H
#define KERNEL_MITIGATE_H

#include "kernel/types.h"

/* CPUID leaf 7 EDX and IA32_ARCH_CAPABILITIES; 0 where there is none. */
uint32_t mitigate_leaf7_edx(void);
uint64_t mitigate_capabilities(void);

/* Chooses what this machine needs (boot option mitigations=off: nothing) and logs it. */
void mitigate_init(void);

/* Must large nested pages not be executed? A guest could stop the machine by changing the size of a
 * page that it executes (iTLB multihit). Boot options multihit=on and multihit=off decide it, else
 * the processor. Logs a yes. */
bool mitigate_multihit(void);

/* This CPU goes from one VM to another, by their serial numbers (from 0: to its first). */
void mitigate_switch(uint64_t from, uint64_t to);

/* Names other VMs that may run on another thread of a core that this one uses. On CPU 0. */
struct vm;
void mitigate_warn(const struct vm *vm);

#endif
