/* SPDX-License-Identifier: MIT */
/*
 * As much of ACPI as finding the CPUs takes: root pointer, root table, MADT (ACPI 6.5, 5.2). Runs
 * in the UEFI loader; acpi_madt_cpus is pure and runs on the build host too.
 */
#ifndef BOOT_ACPI_H
#define BOOT_ACPI_H

#include <stddef.h>
#include <stdint.h>

#include "boot/bootinfo.h"

struct acpi_header {
    char signature[4];
    uint32_t length; /* with this header */
    uint8_t revision, checksum;
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision, creator_id, creator_revision;
} __attribute__((packed));

/* A table by signature, checked; NULL: there is none. */
const struct acpi_header *acpi_find(uint64_t rsdp, const char *signature);

/*
 * Adds a checked MADT's usable CPUs behind the *count that are in cpus[] already (each APIC id
 * once). Returns how many did not fit.
 */
uint32_t acpi_madt_cpus(const struct acpi_header *madt, struct boot_cpu *cpus, uint32_t *count,
                        uint32_t room);

#endif
