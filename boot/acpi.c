/* SPDX-License-Identifier: MIT */
/* Finding ACPI tables and the MADT's CPUs (see acpi.h). Runs in the UEFI loader. */
#include "boot/acpi.h"

#include <stdbool.h>
#include <string.h>

#define TABLE_MAX         (16u << 20)
#define MADT_ENTRIES      44u /* header, local APIC address, flags */
#define MADT_LOCAL_APIC   0u
#define MADT_LOCAL_X2APIC 9u
#define MADT_CPU_ENABLED  (1u << 0)
#define APIC_ID_ALL       0xffu

struct acpi_rsdp {
    char signature[8];
    uint8_t checksum;
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length; /* from here on: revision 2 */
    uint64_t xsdt;
    uint8_t extended_checksum, reserved[3];
} __attribute__((packed));

static bool sums_to_zero(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint8_t sum = 0;

    while (size-- > 0)
        sum = (uint8_t)(sum + *bytes++);
    return sum == 0;
}

static const struct acpi_header *table_at(uint64_t address, const char *signature)
{
    const struct acpi_header *table = (const struct acpi_header *)(uintptr_t)address;

    if (address == 0 || memcmp(table->signature, signature, 4) != 0)
        return NULL;
    if (table->length < sizeof(*table) || table->length > TABLE_MAX ||
        !sums_to_zero(table, table->length))
        return NULL;
    return table;
}

/* The entries of RSDT and XSDT are 4 and 8 bytes wide, and not aligned. */
static const struct acpi_header *find_in(const struct acpi_header *root, size_t width,
                                         const char *signature)
{
    const uint8_t *entries = (const uint8_t *)(root + 1);
    size_t count = (root->length - sizeof(*root)) / width;

    for (size_t i = 0; i < count; i++) {
        const struct acpi_header *table;
        uint64_t address = 0;

        memcpy(&address, entries + i * width, width);
        table = table_at(address, signature);
        if (table != NULL)
            return table;
    }
    return NULL;
}

const struct acpi_header *acpi_find(uint64_t rsdp, const char *signature)
{
    const struct acpi_rsdp *root = (const struct acpi_rsdp *)(uintptr_t)rsdp;
    const struct acpi_header *table;

    if (rsdp == 0 || memcmp(root->signature, "RSD PTR ", sizeof(root->signature)) != 0)
        return NULL;
    table = root->revision >= 2 ? table_at(root->xsdt, "XSDT") : NULL;
    if (table != NULL)
        return find_in(table, sizeof(uint64_t), signature);
    table = table_at(root->rsdt, "RSDT");
    return table != NULL ? find_in(table, sizeof(uint32_t), signature) : NULL;
}

/* The APIC id of an entry for a CPU that can be started now; false: it is something else. */
static bool entry_cpu(const uint8_t *entry, uint32_t *apic_id)
{
    uint32_t flags;

    if (entry[0] == MADT_LOCAL_APIC && entry[1] >= 8 && entry[3] != APIC_ID_ALL) {
        *apic_id = entry[3];
        memcpy(&flags, entry + 4, sizeof(flags));
    } else if (entry[0] == MADT_LOCAL_X2APIC && entry[1] >= 16) {
        memcpy(apic_id, entry + 4, sizeof(*apic_id));
        memcpy(&flags, entry + 8, sizeof(flags));
    } else {
        return false;
    }
    /* "Online capable" without "enabled" is a socket for a CPU that may be plugged in later. */
    return (flags & MADT_CPU_ENABLED) != 0;
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
    const uint8_t *bytes = (const uint8_t *)madt;
    uint32_t left_out = 0;

    for (uint32_t at = MADT_ENTRIES; at + 2 <= madt->length; at += bytes[at + 1]) {
        uint32_t apic_id;

        if (bytes[at + 1] < 2 || bytes[at + 1] > madt->length - at)
            break;
        if (!entry_cpu(bytes + at, &apic_id) || is_listed(cpus, *count, apic_id))
            continue;
        if (*count == room)
            left_out++;
        else
            cpus[(*count)++] = (struct boot_cpu){.apic_id = apic_id, .enabled = 1};
    }
    return left_out;
}
