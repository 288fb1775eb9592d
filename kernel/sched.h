/* SPDX-License-Identifier: MIT */
/*
 * Which vCPU a physical CPU runs: its only one (exclusive), or each of those that share it in
 * turn, for a time slice. Everything here runs on the CPU itself unless stated.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include "kernel/types.h"

struct cpu;
struct vcpu;

/* What a CPU does for the rest of its life, after start-up. */
void sched_loop(void) __attribute__((noreturn));

/* This CPU has something to do outside of guests, or sooner than it knew when it let `v` run. */
bool sched_house_waits(const struct vcpu *v);

/* Adds a vCPU to its CPU's queue; removes it. Called through work_call on that CPU. */
void sched_add(struct vcpu *vcpu);
void sched_remove(struct vcpu *vcpu);

/* Makes this vCPU the one whose state is in the CPU; puts the former one away. */
void sched_load(struct vcpu *vcpu);
/* This CPU has handled data of that VM, whichever vCPU is loaded: the next entry of another VM has
 * barriers before it. */
struct vm;
void sched_touched(const struct vm *vm);
/* Puts away whatever is loaded. */
void sched_release_cpu(void);

/* The CPU for the next shared vCPU: the one with the fewest among those that are not reserved; so
 * there is always CPU 0. On CPU 0. */
struct cpu *sched_place(void);
/* Takes a CPU, never CPU 0, out of sharing for good. Before any vCPU is created. */
void sched_reserve(struct cpu *cpu);

#endif
