/* SPDX-License-Identifier: MIT */
/* Inside of ACPI: reads MADT, FADT and HPET once the root table is known (kernel/acpi.c). */
#ifndef KERNEL_ACPI_TABLES_H
#define KERNEL_ACPI_TABLES_H

void acpi_read_tables(void);

#endif
