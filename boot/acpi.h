/* SPDX-License-Identifier: MIT */
/*
 * Firmware's ACPI tables (ACPI 6.5, 5.2), no AML. Firmware may be wrong or have no tables at all:
 * every pointer, length and checksum is checked before anyone looks inside. All but where the root
 * pointer comes from is pure: runs in the UEFI loader and on the build host.
 */
#ifndef BOOT_ACPI_H
#define BOOT_ACPI_H

#include <stddef.h>
#include <stdint.h>

#include "boot/bootinfo.h"

#define ACPI_PACKED __attribute__((packed))

/* 5.2.5.3 */
struct ACPI_PACKED acpi_rsdp {
    char signature[8];
    uint8_t checksum; /* of the first ACPI_RSDP_V1_SIZE bytes */
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length; /* from here on: revision 2 */
    uint64_t xsdt;
    uint8_t extended_checksum, reserved[3];
};
#define ACPI_RSDP_V1_SIZE 20u

struct ACPI_PACKED acpi_header {
    char signature[4];
    uint32_t length; /* with this header */
    uint8_t revision, checksum;
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision, creator_id, creator_revision;
};

/* Entries of the MADT (5.2.12). */
enum {
    ACPI_MADT_LOCAL_APIC = 0,
    ACPI_MADT_IOAPIC = 1,
    ACPI_MADT_OVERRIDE = 2,
    ACPI_MADT_LOCAL_X2APIC = 9,
};
#define ACPI_MADT_ENTRIES 44u /* where they start: header, local APIC address, flags */
#define ACPI_MADT_CPU_ENABLED 1u

struct ACPI_PACKED acpi_madt_ioapic {
    uint8_t type, length, id, reserved;
    uint32_t address, gsi_base;
};

struct ACPI_PACKED acpi_madt_override {
    uint8_t type, length, bus, source;
    uint32_t gsi;
    uint16_t flags; /* MPS INTI flags */
};

/* Firmware's tables: what may be read, and the root table. */
struct acpi {
    const struct boot_mem *map;
    uint32_t map_count;
    const struct acpi_header *root; /* NULL: no ACPI */
    size_t width;                   /* of its entries: 8 in the XSDT, 4 in the RSDT */
};

/* rsdp 0: firmware has none. The map stays the caller's. */
void acpi_open(struct acpi *acpi, uint64_t rsdp, const struct boot_mem *map, uint32_t count);

/* A table by signature, checked; NULL: there is none. */
const struct acpi_header *acpi_find(const struct acpi *acpi, const char *signature);

/* The MADT's next entry after `entry`, or the first (NULL); NULL: no more. An entry that is
 * shorter than its head or longer than the table ends the walk. */
const uint8_t *acpi_madt_next(const struct acpi_header *madt, const uint8_t *entry);

/*
 * Adds a checked MADT's usable CPUs behind the *count that are in cpus[] already (each APIC id
 * once). Returns how many did not fit.
 */
uint32_t acpi_madt_cpus(const struct acpi_header *madt, struct boot_cpu *cpus, uint32_t *count,
                        uint32_t room);

/* acpi_board.c: interrupt controllers and clocks, from MADT, FADT and HPET. */
void acpi_read_board(const struct acpi *acpi, struct boot_board *board);

#endif
