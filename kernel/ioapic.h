/* SPDX-License-Identifier: MIT */
/* Host I/O APICs (root mode): from the MADT, else one probed at its usual place. */
#ifndef KERNEL_IOAPIC_H
#define KERNEL_IOAPIC_H

#include "boot/bootinfo.h"
#include "kernel/types.h"

/* Finds them and masks all their inputs. After hostmap_activate(). */
void ioapic_init(const struct boot_board *board);
/* Does an input exist for this ISA interrupt (0-15)? */
bool ioapic_has_isa(unsigned isa);
/* Unmasks it, with the polarity and trigger that firmware gives; physical destination. */
void ioapic_route_isa(unsigned isa, unsigned vector, uint32_t apic_id);

#endif
