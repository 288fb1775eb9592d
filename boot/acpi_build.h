/* SPDX-License-Identifier: MIT */
/* ACPI tables for a guest, from its description. Pure. */
#ifndef BOOT_ACPI_BUILD_H
#define BOOT_ACPI_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "boot/bootinfo.h"

/*
 * Writes the tables that will lie at guest address `base` into buffer, the root pointer (RSDP)
 * first: it needs 16 bytes of alignment and an address in 0xe0000..0xfffff (ACPI 6.5, 5.2.5.1).
 * Linux machines get hardware-reduced ACPI with a DSDT; PCs the MADT only, since their power
 * management is not ours to describe. Bytes used; 0: does not fit.
 */
size_t acpi_build(const struct boot_vm *vm, uint64_t base, void *buffer, size_t size);

#endif
