/* SPDX-License-Identifier: MIT */
/* Finding ACPI tables and the MADT's CPUs (see acpi.h). Pure. */
#include "boot/acpi.h"

#include <stdbool.h>
#include <string.h>

#define TABLE_MAX   (16u << 20)
#define APIC_ID_ALL 0xffu

/* Where a PC's firmware may keep the root pointer without a word in the memory map (5.2.5.1). */
#define BIOS_AREA     0xe0000u
#define BIOS_AREA_END 0x100000u

static bool sums_to_zero(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint8_t sum = 0;

    while (size-- > 0)
        sum = (uint8_t)(sum + *bytes++);
    return sum == 0;
}

static bool lies_in(uint64_t address, uint64_t size, uint64_t base, uint64_t length)
{
    return address >= base && size <= length && address - base <= length - size;
}

/* A pointer to size bytes of memory that the memory map knows, or NULL. */
static const void *memory_at(const struct acpi *acpi, uint64_t address, uint64_t size)
{
    bool known = lies_in(address, size, BIOS_AREA, BIOS_AREA_END - BIOS_AREA);

    for (uint32_t i = 0; i < acpi->map_count && !known; i++)
        known = acpi->map[i].type != BOOT_MEM_MMIO &&
                lies_in(address, size, acpi->map[i].base, acpi->map[i].size);
    return known ? (const void *)(uintptr_t)address : NULL;
}

static const struct acpi_header *table_at(const struct acpi *acpi, uint64_t address,
                                          const char *signature)
{
    const struct acpi_header *table = memory_at(acpi, address, sizeof(*table));

    if (table == NULL || memcmp(table->signature, signature, sizeof(table->signature)) != 0)
        return NULL;
    if (table->length < sizeof(*table) || table->length > TABLE_MAX ||
        memory_at(acpi, address, table->length) == NULL || !sums_to_zero(table, table->length))
        return NULL;
    return table;
}

void acpi_open(struct acpi *acpi, uint64_t rsdp, const struct boot_mem *map, uint32_t count)
{
    const struct acpi_rsdp *root;

    *acpi = (struct acpi){.map = map, .map_count = count};
    root = memory_at(acpi, rsdp, ACPI_RSDP_V1_SIZE);
    if (root == NULL || memcmp(root->signature, "RSD PTR ", sizeof(root->signature)) != 0 ||
        !sums_to_zero(root, ACPI_RSDP_V1_SIZE))
        return;
    if (root->revision >= 2 && memory_at(acpi, rsdp, sizeof(*root)) != NULL) {
        acpi->root = table_at(acpi, root->xsdt, "XSDT");
        acpi->width = sizeof(root->xsdt);
    }
    if (acpi->root == NULL) {
        acpi->root = table_at(acpi, root->rsdt, "RSDT");
        acpi->width = sizeof(root->rsdt);
    }
}

const struct acpi_header *acpi_find(const struct acpi *acpi, const char *signature)
{
    const uint8_t *entries;
    size_t count;

    if (acpi->root == NULL)
        return NULL;
    entries = (const uint8_t *)(acpi->root + 1);
    count = (acpi->root->length - sizeof(*acpi->root)) / acpi->width;
    for (size_t i = 0; i < count; i++) {
        const struct acpi_header *table;
        uint64_t address = 0; /* entries are not aligned */

        memcpy(&address, entries + i * acpi->width, acpi->width);
        table = table_at(acpi, address, signature);
        if (table != NULL)
            return table;
    }
    return NULL;
}

const uint8_t *acpi_madt_next(const struct acpi_header *madt, const uint8_t *entry)
{
    const uint8_t *bytes = (const uint8_t *)madt;
    size_t at = entry != NULL ? (size_t)(entry - bytes) + entry[1] : ACPI_MADT_ENTRIES;

    if (at + 2 > madt->length || bytes[at + 1] < 2 || bytes[at + 1] > madt->length - at)
        return NULL;
    return bytes + at;
}

/* The APIC id of an entry for a CPU that can be started now; false: it is something else. */
static bool entry_cpu(const uint8_t *entry, uint32_t *apic_id)
{
    uint32_t flags;

    if (entry[0] == ACPI_MADT_LOCAL_APIC && entry[1] >= 8 && entry[3] != APIC_ID_ALL) {
        *apic_id = entry[3];
        memcpy(&flags, entry + 4, sizeof(flags));
    } else if (entry[0] == ACPI_MADT_LOCAL_X2APIC && entry[1] >= 16) {
        memcpy(apic_id, entry + 4, sizeof(*apic_id));
        memcpy(&flags, entry + 8, sizeof(flags));
    } else {
        return false;
    }
    /* "Online capable" without "enabled" is a socket for a CPU that may be plugged in later. */
    return (flags & ACPI_MADT_CPU_ENABLED) != 0;
}

static bool is_listed(const struct boot_cpu *cpus, uint32_t count, uint32_t apic_id)
{
    while (count > 0) {
        if (cpus[--count].apic_id == apic_id)
            return true;
    }
    return false;
}

uint32_t acpi_madt_cpus(const struct acpi_header *madt, struct boot_cpu *cpus, uint32_t *count,
                        uint32_t room)
{
    uint32_t left_out = 0, apic_id;

    for (const uint8_t *entry = NULL; (entry = acpi_madt_next(madt, entry)) != NULL;) {
        if (!entry_cpu(entry, &apic_id) || is_listed(cpus, *count, apic_id))
            continue;
        if (*count == room)
            left_out++;
        else
            cpus[(*count)++] = (struct boot_cpu){.apic_id = apic_id, .enabled = 1};
    }
    return left_out;
}
