/* SPDX-License-Identifier: MIT */
/* I/O APIC of a VM (root mode): what the other interrupt controllers call. */
#ifndef DRIVERS_VIOAPIC_H
#define DRIVERS_VIOAPIC_H

#include "kernel/types.h"

struct vm;

#define VIOAPIC_PINS 24u

/* intc_ops.line: drives a line of the VM, to the I/O APIC and to the PIC where there is one. */
void vioapic_line(struct vm *vm, unsigned gsi, bool level);

/* A local APIC got the EOI of a level-triggered vector. With or without the VM's lock. */
void vioapic_eoi(struct vm *vm, uint8_t vector);

#endif
