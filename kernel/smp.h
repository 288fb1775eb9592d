/* SPDX-License-Identifier: MIT */
/* All physical CPUs: their records, and how they are started (root mode). */
#ifndef KERNEL_SMP_H
#define KERNEL_SMP_H

#include "boot/bootinfo.h"
#include "kernel/cpu.h"

/* Gives the boot CPU its record, so that this_cpu() works from now on; the very first call. The
 * caller uses the result, since a compiler may read this_cpu() before a call. */
struct cpu *smp_boot_cpu(void);
/* Fills the records from the loader's list. */
void smp_init(const struct bootinfo *boot);
/* Control registers as root mode wants them; on each CPU. */
void smp_setup_cpu(void);
/* Starts all other CPUs, one after the other. They run queued work until smp_release(). */
void smp_start(const struct bootinfo *boot);
/* Start-up is over: the other CPUs go into sched_loop(). */
void smp_release(void);

uint32_t smp_online(void);

#endif
