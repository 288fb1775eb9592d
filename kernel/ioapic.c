/* SPDX-License-Identifier: MIT */
/* Host I/O APICs (root mode). Intel 82093AA data sheet, chapter 3. */
#include "kernel/ioapic.h"

#include "kernel/hostmap.h"
#include "kernel/log.h"
#include "kernel/x86.h"

#define IOAPIC_USUAL_BASE   0xfec00000ull
#define IOREGSEL            0x00
#define IOWIN               0x10
#define IOAPICVER           0x01u
#define IOREDTBL            0x10u
#define IOAPIC_INPUTS_LEAST 16u
#define IOAPIC_INPUTS_MOST  240u

#define REDIR_ACTIVE_LOW 0x2000u
#define REDIR_LEVEL      0x8000u
#define REDIR_MASKED     0x10000u

struct ioapic {
    volatile char *base;
    uint32_t gsi_base;
    uint32_t inputs;
};

static struct ioapic ioapics[BOOT_IOAPICS_MAX];
static unsigned ioapic_count;
static const struct boot_board *board;

static uint32_t ioapic_read(const struct ioapic *io, uint32_t reg)
{
    x86_mmio_write32(io->base + IOREGSEL, reg);
    return x86_mmio_read32(io->base + IOWIN);
}

static void ioapic_write(const struct ioapic *io, uint32_t reg, uint32_t value)
{
    x86_mmio_write32(io->base + IOREGSEL, reg);
    x86_mmio_write32(io->base + IOWIN, value);
}

static void ioapic_add(hpa_t hpa, uint32_t gsi_base)
{
    struct ioapic *io = &ioapics[ioapic_count];

    io->base = hostmap_mmio(hpa, PAGE_SIZE);
    io->gsi_base = gsi_base;
    if (!io->base)
        return;
    /* Where nothing answers the bus reads all ones. */
    io->inputs = (ioapic_read(io, IOAPICVER) >> 16 & 0xff) + 1;
    if (io->inputs < IOAPIC_INPUTS_LEAST || io->inputs > IOAPIC_INPUTS_MOST)
        return;
    for (uint32_t input = 0; input < io->inputs; input++)
        ioapic_write(io, IOREDTBL + 2 * input, REDIR_MASKED);
    ioapic_count++;
}

void ioapic_init(const struct boot_board *found)
{
    board = found;
    for (unsigned i = 0; i < board->ioapic_count; i++)
        ioapic_add(board->ioapics[i].hpa, board->ioapics[i].gsi_base);
    if (board->ioapic_count == 0)
        ioapic_add(IOAPIC_USUAL_BASE, 0);
    if (ioapic_count == 0)
        log_printf("no I/O APIC: devices are polled\n");
}

static const struct ioapic *ioapic_of(uint32_t gsi)
{
    for (unsigned i = 0; i < ioapic_count; i++)
        if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].inputs)
            return &ioapics[i];
    return NULL;
}

bool ioapic_has_isa(unsigned isa)
{
    return isa < BOOT_ISA_IRQS && ioapic_of(board->isa[isa].gsi);
}

void ioapic_route_isa(unsigned isa, unsigned vector, uint32_t apic_id)
{
    const struct boot_isa_irq *irq = &board->isa[isa];
    const struct ioapic *io = ioapic_of(irq->gsi);

    if (!io)
        panic("ISA interrupt %u has no I/O APIC input", isa);
    uint32_t low =
        vector | (irq->active_low ? REDIR_ACTIVE_LOW : 0) | (irq->level ? REDIR_LEVEL : 0);
    uint32_t reg = IOREDTBL + 2 * (irq->gsi - io->gsi_base);
    /* The low half unmasks, so it comes last. */
    ioapic_write(io, reg + 1, apic_id << 24);
    ioapic_write(io, reg, low);
}
