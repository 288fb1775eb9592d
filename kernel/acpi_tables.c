/* SPDX-License-Identifier: MIT */
/* What root mode takes from MADT, FADT and HPET (root mode, at start-up). ACPI 6.5, 5.2. */
#include "kernel/acpi_tables.h"

#include <string.h>

#include "kernel/acpi.h"

#define MADT_ENTRIES      44u /* after the header: address of the local APICs, flags */
#define MADT_IOAPIC       1u
#define MADT_OVERRIDE     2u
#define MPS_ACTIVE_LOW    0x3u /* MPS INTI flags: polarity in bits 0-1, trigger in bits 2-3 */
#define MPS_LEVEL         0xcu
#define FADT_PM_TMR_BLK   76u
#define FADT_PM_TMR_LEN   91u
#define HPET_BASE_ADDRESS 44u /* after the address structure's four bytes */
#define PIT_USUAL_GSI     2u

struct madt_ioapic {
    uint8_t type, length, id, reserved;
    uint32_t address, gsi_base;
} __attribute__((packed));

struct madt_override {
    uint8_t type, length, bus, source;
    uint32_t gsi;
    uint16_t flags;
} __attribute__((packed));

static struct acpi_irqs irqs;
static struct acpi_clocks clocks;

static void add_ioapic(const struct madt_ioapic *entry)
{
    if (irqs.ioapic_count < ACPI_IOAPICS_MAX)
        irqs.ioapics[irqs.ioapic_count++] =
            (struct acpi_ioapic){.hpa = entry->address, .gsi_base = entry->gsi_base};
}

static void add_override(const struct madt_override *entry)
{
    if (entry->source < ACPI_ISA_IRQS)
        irqs.isa[entry->source] = (struct acpi_isa_irq){
            .gsi = entry->gsi,
            .active_low = (entry->flags & MPS_ACTIVE_LOW) == MPS_ACTIVE_LOW,
            .level = (entry->flags & MPS_LEVEL) == MPS_LEVEL,
        };
}

/* An entry that is shorter than its type or longer than the table ends the walk. */
static void read_madt(const struct acpi_header *madt)
{
    const uint8_t *entry = (const uint8_t *)madt + MADT_ENTRIES;
    const uint8_t *end = (const uint8_t *)madt + madt->length;

    while (end - entry >= 2 && entry[1] >= 2 && entry[1] <= end - entry) {
        if (entry[0] == MADT_IOAPIC && entry[1] >= sizeof(struct madt_ioapic))
            add_ioapic((const void *)entry);
        if (entry[0] == MADT_OVERRIDE && entry[1] >= sizeof(struct madt_override))
            add_override((const void *)entry);
        entry += entry[1];
    }
}

static void read_fadt(const struct acpi_header *fadt)
{
    const uint8_t *bytes = (const uint8_t *)fadt;
    uint32_t port;

    if (fadt->length <= FADT_PM_TMR_LEN || bytes[FADT_PM_TMR_LEN] != sizeof port)
        return;
    memcpy(&port, bytes + FADT_PM_TMR_BLK, sizeof port);
    if (port <= UINT16_MAX)
        clocks.pm_timer = (uint16_t)port;
}

static void read_hpet(const struct acpi_header *hpet)
{
    if (hpet->length >= HPET_BASE_ADDRESS + sizeof clocks.hpet)
        memcpy(&clocks.hpet, (const uint8_t *)hpet + HPET_BASE_ADDRESS, sizeof clocks.hpet);
}

void acpi_read_tables(void)
{
    const struct acpi_header *table;

    irqs = (struct acpi_irqs){.ioapic_count = 0};
    clocks = (struct acpi_clocks){.pm_timer = 0};
    for (unsigned i = 0; i < ACPI_ISA_IRQS; i++)
        irqs.isa[i].gsi = i;
    irqs.isa[0].gsi = PIT_USUAL_GSI;
    if ((table = acpi_find("APIC")) && table->length >= MADT_ENTRIES)
        read_madt(table);
    if ((table = acpi_find("FACP")))
        read_fadt(table);
    if ((table = acpi_find("HPET")))
        read_hpet(table);
}

const struct acpi_irqs *acpi_irqs(void)
{
    return &irqs;
}

const struct acpi_clocks *acpi_clocks(void)
{
    return &clocks;
}
