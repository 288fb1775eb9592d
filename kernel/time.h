/* SPDX-License-Identifier: MIT */
/* Time of the host: the TSC, calibrated at start-up, and this CPU's one-shot timer interrupt. */
#ifndef KERNEL_TIME_H
#define KERNEL_TIME_H

#include "boot/bootinfo.h"
#include "kernel/types.h"

#define NS_PER_SECOND 1000000000ull
#define NS_PER_MS 1000000ull

#ifdef MULLION_HOST_TEST
uint64_t time_tsc(void);
#else
static inline uint64_t time_tsc(void)
{
    uint64_t low, high; /* the upper halves are cleared */
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return high << 32 | low;
}
#endif

/* Calibrates the TSC; before hostmap_activate(). At most 20 ms. */
void time_init(const struct boot_board *board);
/* Calibrates the local APIC's timer where there is no TSC deadline; after irq_init(). */
void time_init_timer(void);
/* The timer's interrupt; called by kernel/irq.c. */
void time_interrupt(void);

uint64_t time_tsc_hz(void);              /* TSC ticks a second; 0: not calibrated yet */
uint64_t time_ticks_to_ns(uint64_t ticks);
uint64_t time_ns_to_ticks(uint64_t ns);  /* rounded up: deadlines are never early; saturates */

/* Interrupts this CPU (ends HLT or a guest) at or after this TSC value; ~0: never. */
void time_set_wakeup(uint64_t tsc_deadline);

#endif
