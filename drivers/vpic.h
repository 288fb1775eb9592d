/* SPDX-License-Identifier: MIT */
/*
 * What the other interrupt controllers need of the pair of 8259As (drivers/vpic.c). All of it is
 * protected by the VM's lock. On a machine without PIC these do nothing. Runs in root mode.
 */
#ifndef DRIVERS_VPIC_H
#define DRIVERS_VPIC_H

#include "kernel/types.h"

struct vm;

#define VPIC_LINES 16

/* Drives input `irq` (0 to 15); others are ignored. */
void vpic_line(struct vm *vm, unsigned irq, bool level);

/* The processor's two INTA cycles: the vector (a spurious one when the request has gone meanwhile),
 * or -1 on a machine without PIC. */
int vpic_acknowledge(struct vm *vm);

#endif
