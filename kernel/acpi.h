/* SPDX-License-Identifier: MIT */
/*
 * The few ACPI tables that root mode needs, read once at start-up. No AML. Firmware may be wrong
 * or have no tables at all (ACPI 6.5, 5.2): every length and checksum is checked, and what is
 * missing reads as the PC's usual value.
 */
#ifndef KERNEL_ACPI_H
#define KERNEL_ACPI_H

#include "boot/bootinfo.h"
#include "kernel/types.h"

#define ACPI_IOAPICS_MAX 8u
#define ACPI_ISA_IRQS 16u

struct acpi_header {
    char signature[4];
    uint32_t length; /* with this header */
    uint8_t revision, checksum;
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision, creator_id, creator_revision;
} __attribute__((packed));

struct acpi_ioapic {
    hpa_t hpa;
    uint32_t gsi_base;
};

struct acpi_isa_irq {
    uint32_t gsi;
    bool active_low, level;
};

struct acpi_irqs {
    unsigned ioapic_count; /* 0: no MADT */
    struct acpi_ioapic ioapics[ACPI_IOAPICS_MAX];
    struct acpi_isa_irq isa[ACPI_ISA_IRQS];
};

struct acpi_clocks {
    uint16_t pm_timer; /* I/O port of the 3.579545 MHz counter; 0: none */
    hpa_t hpet;        /* registers; 0: none */
};

/* Before hostmap_activate(): tables may lie anywhere that the loader's identity map reaches. */
void acpi_init(const struct bootinfo *boot);
const struct acpi_irqs *acpi_irqs(void);
const struct acpi_clocks *acpi_clocks(void);

/* A table by signature, checked; NULL: none. Only until hostmap_activate(). */
const struct acpi_header *acpi_find(const char *signature);

#endif
