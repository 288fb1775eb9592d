/* SPDX-License-Identifier: MIT */
/* The local APIC of each CPU (root mode): x2APIC where the CPU has it, else memory-mapped. */
#ifndef KERNEL_LAPIC_H
#define KERNEL_LAPIC_H

#include "kernel/types.h"

/* Chooses the mode, for all CPUs; after hostmap_activate(), on the boot CPU. */
void lapic_init(void);
/* Switches on the calling CPU's; all local sources masked but the timer. */
void lapic_init_cpu(void);

uint32_t lapic_id(void); /* of the calling CPU */
bool lapic_ready(void);  /* lapic_init() has been called */
void lapic_eoi(void);

void lapic_send_ipi(uint32_t apic_id, unsigned vector);
void lapic_send_init(uint32_t apic_id);
void lapic_send_startup(uint32_t apic_id, hpa_t page); /* 4 KiB aligned, below 1 MiB */
void lapic_send_nmi_others(void);

/* One shot; lapic_timer_deadline where the CPU has TSC-deadline mode, else lapic_timer_count in
 * ticks of the bus clock. 0: off. */
bool lapic_has_deadline(void);
void lapic_timer_deadline(uint64_t tsc);
void lapic_timer_count(uint32_t count);
uint32_t lapic_timer_left(void);

#endif
