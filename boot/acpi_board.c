/* SPDX-License-Identifier: MIT */
/* What the hypervisor needs of MADT, FADT and HPET (ACPI 6.5, 5.2). Pure. */
#include <string.h>

#include "boot/acpi.h"

#define MPS_ACTIVE_LOW    0x3u /* MPS INTI flags: polarity in bits 0-1, trigger in bits 2-3 */
#define MPS_LEVEL         0xcu
#define FADT_PM_TMR_BLK   76u
#define FADT_PM_TMR_LEN   91u
#define HPET_BASE_ADDRESS 44u /* after the address structure's four bytes */
#define PIT_USUAL_GSI     2u

static void add_ioapic(struct boot_board *board, const uint8_t *bytes)
{
    struct acpi_madt_ioapic entry;

    if (bytes[1] < sizeof(entry) || board->ioapic_count == BOOT_IOAPICS_MAX)
        return;
    memcpy(&entry, bytes, sizeof(entry));
    board->ioapics[board->ioapic_count++] =
        (struct boot_ioapic){.hpa = entry.address, .gsi_base = entry.gsi_base};
}

static void add_override(struct boot_board *board, const uint8_t *bytes)
{
    struct acpi_madt_override entry;

    if (bytes[1] < sizeof(entry))
        return;
    memcpy(&entry, bytes, sizeof(entry));
    if (entry.source < BOOT_ISA_IRQS)
        board->isa[entry.source] = (struct boot_isa_irq){
            .gsi = entry.gsi,
            .active_low = (entry.flags & MPS_ACTIVE_LOW) == MPS_ACTIVE_LOW,
            .level = (entry.flags & MPS_LEVEL) == MPS_LEVEL,
        };
}

static void read_madt(struct boot_board *board, const struct acpi_header *madt)
{
    for (const uint8_t *entry = NULL; (entry = acpi_madt_next(madt, entry)) != NULL;) {
        if (entry[0] == ACPI_MADT_IOAPIC)
            add_ioapic(board, entry);
        if (entry[0] == ACPI_MADT_OVERRIDE)
            add_override(board, entry);
    }
}

static void read_fadt(struct boot_board *board, const struct acpi_header *fadt)
{
    const uint8_t *bytes = (const uint8_t *)fadt;
    uint32_t port;

    if (fadt->length <= FADT_PM_TMR_LEN || bytes[FADT_PM_TMR_LEN] != sizeof(port))
        return;
    memcpy(&port, bytes + FADT_PM_TMR_BLK, sizeof(port));
    if (port <= UINT16_MAX)
        board->pm_timer = port;
}

void acpi_read_board(const struct acpi *acpi, struct boot_board *board)
{
    const struct acpi_header *table;

    *board = (struct boot_board){.ioapic_count = 0};
    for (uint32_t i = 0; i < BOOT_ISA_IRQS; i++)
        board->isa[i].gsi = i;
    board->isa[0].gsi = PIT_USUAL_GSI;
    if ((table = acpi_find(acpi, "APIC")) != NULL)
        read_madt(board, table);
    if ((table = acpi_find(acpi, "FACP")) != NULL)
        read_fadt(board, table);
    table = acpi_find(acpi, "HPET");
    if (table != NULL && table->length >= HPET_BASE_ADDRESS + sizeof(board->hpet))
        memcpy(&board->hpet, (const uint8_t *)table + HPET_BASE_ADDRESS, sizeof(board->hpet));
}
