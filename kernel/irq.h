/* SPDX-License-Identifier: MIT */
/*
 * Vectors of physical interrupts. Handlers run with interrupts off, from the idle halt's IDT
 * stubs or from the exit path, which acknowledges the interrupt that ended a guest's run.
 */
#ifndef KERNEL_IRQ_H
#define KERNEL_IRQ_H

#include "boot/bootinfo.h"
#include "kernel/types.h"

enum irq_vector {
    IRQ_VECTOR_FIRST = 0x20,
    IRQ_VECTOR_DEVICE = 0x30, /* devices from here on, handed out upwards */
    IRQ_VECTOR_DEVICE_END = 0xf0,
    IRQ_VECTOR_TIMER = 0xf0,
    IRQ_VECTOR_KICK = 0xf1,
    IRQ_VECTOR_ERROR = 0xfe,
    IRQ_VECTOR_SPURIOUS = 0xff, /* low four bits set: older local APICs force them */
};

typedef void irq_fn(void *arg);

/* Host interrupt controllers: masks the 8259s, sets up the boot CPU's local APIC and finds I/O
 * APICs. After hostmap_activate(). */
void irq_init(const struct boot_board *board);

/* Takes a vector for a device. The vector, or -ENOSPC. On the boot CPU, at start-up. */
int irq_alloc(const char *name, irq_fn *fn, void *arg);
/* Takes a vector and routes an ISA interrupt to it, on the boot CPU. The vector, -ENODEV: no
 * I/O APIC has that input; -ENOSPC. */
int irq_connect_isa(unsigned isa, const char *name, irq_fn *fn, void *arg);

/* Calls the vector's handler and signals the end of interrupt. */
void irq_dispatch(unsigned vector);

/* An NMI or a machine check has ended a guest's run. */
void irq_nmi(void);
void irq_machine_check(void);

/* Interrupts that no handler wanted (for the monitor). */
uint64_t irq_unexpected(void);

#endif
