/* SPDX-License-Identifier: MIT */
/* Finds ACPI tables and checks them before anyone looks inside (root mode, at start-up). */
#include "kernel/acpi.h"

#include <string.h>

#include "kernel/acpi_tables.h"
#include "kernel/log.h"
#include "kernel/page.h"

#define ACPI_TABLE_MAX (4u << 20)
#define RSDP_V1_SIZE   20u

struct acpi_rsdp {
    char signature[8];
    uint8_t checksum;
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t extended_checksum, reserved[3];
} __attribute__((packed));

static const struct bootinfo *acpi_boot;
static const struct acpi_header *acpi_root;
static size_t acpi_entry_size; /* 8 in the XSDT, 4 in the RSDT */

/* A pointer to size bytes of memory that the memory map knows, or NULL. */
static const void *acpi_memory(hpa_t hpa, uint64_t size)
{
    const struct boot_mem *map = page_ptr(acpi_boot->mem_map);

    for (uint32_t i = 0; i < acpi_boot->mem_count; i++) {
        uint64_t offset = hpa - map[i].base;
        if (hpa >= map[i].base && map[i].type != BOOT_MEM_MMIO && size <= map[i].size &&
            offset <= map[i].size - size)
            return page_ptr(hpa);
    }
    return NULL;
}

static bool acpi_sum_is_zero(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint8_t sum = 0;

    while (size--)
        sum = (uint8_t)(sum + *bytes++);
    return sum == 0;
}

static const struct acpi_header *acpi_table_at(hpa_t hpa, const char *signature)
{
    const struct acpi_header *table = acpi_memory(hpa, sizeof *table);

    if (!table || memcmp(table->signature, signature, sizeof table->signature) != 0)
        return NULL;
    if (table->length < sizeof *table || table->length > ACPI_TABLE_MAX ||
        !acpi_memory(hpa, table->length) || !acpi_sum_is_zero(table, table->length)) {
        log_printf("ACPI table %s at %#lx is damaged: ignored\n", signature, hpa);
        return NULL;
    }
    return table;
}

static void acpi_find_root(hpa_t hpa)
{
    const struct acpi_rsdp *rsdp = acpi_memory(hpa, RSDP_V1_SIZE);

    acpi_root = NULL;
    if (!rsdp || memcmp(rsdp->signature, "RSD PTR ", sizeof rsdp->signature) != 0 ||
        !acpi_sum_is_zero(rsdp, RSDP_V1_SIZE))
        return;
    if (rsdp->revision >= 2 && acpi_memory(hpa, sizeof *rsdp)) {
        acpi_root = acpi_table_at(rsdp->xsdt, "XSDT");
        acpi_entry_size = sizeof rsdp->xsdt;
    }
    if (!acpi_root) {
        acpi_root = acpi_table_at(rsdp->rsdt, "RSDT");
        acpi_entry_size = sizeof rsdp->rsdt;
    }
}

const struct acpi_header *acpi_find(const char *signature)
{
    if (!acpi_root)
        return NULL;
    const uint8_t *entry = (const uint8_t *)(acpi_root + 1);
    size_t count = (acpi_root->length - sizeof *acpi_root) / acpi_entry_size;

    for (size_t i = 0; i < count; i++, entry += acpi_entry_size) {
        uint64_t hpa = 0; /* entries are not aligned */
        memcpy(&hpa, entry, acpi_entry_size);
        const struct acpi_header *table = acpi_table_at(hpa, signature);
        if (table)
            return table;
    }
    return NULL;
}

void acpi_init(const struct bootinfo *boot)
{
    acpi_boot = boot;
    acpi_root = NULL;
    if (boot->rsdp)
        acpi_find_root(boot->rsdp);
    acpi_read_tables();
}
