/* SPDX-License-Identifier: MIT */
/* ACPI tables for a guest, from its machine (root mode, and host tests). */
#ifndef KERNEL_ACPI_BUILD_H
#define KERNEL_ACPI_BUILD_H

#include "kernel/types.h"

struct vm;

/*
 * Writes the tables that will lie at guest address `base` into buffer, the root pointer (RSDP)
 * first: it needs 16 bytes of alignment and an address in 0xe0000..0xfffff (ACPI 6.5, 5.2.5.1).
 * Linux machines get hardware-reduced ACPI with a DSDT; PCs the MADT only, since their power
 * management is not ours to describe. Bytes used; 0: does not fit.
 */
size_t acpi_build(const struct vm *vm, gpa_t base, void *buffer, size_t size);

#endif
