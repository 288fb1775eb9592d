/* SPDX-License-Identifier: MIT */
/*
 * I/O APIC of a VM: 24 pins (root mode). 82093AA data sheet, with the EOI register of version
 * 0x20 (Intel 500 Series PCH data sheet, APIC indirect and direct registers). A line's level is
 * logical (true: asserted), so the polarity bit is kept but means nothing.
 *
 * Its lock (rank LOCK_RANK_IRQCHIP) protects all but `select`: lines come with the VM's lock held,
 * as accesses to registers do, an EOI may come without.
 */
#include "drivers/vioapic.h"

#include <errno.h>
#include <stdio.h>

#include "boot/machine.h"
#include "drivers/vlapic.h"
#include "drivers/vpic.h"
#include "kernel/vdev.h"

/* Direct registers */
#define IOREGSEL 0x00u
#define IOWIN 0x10u
#define IOEOI 0x40u
/* Indirect registers */
#define IOAPICID 0x00u
#define IOAPICVER 0x01u
#define IOAPICARB 0x02u
#define IOREDTBL 0x10u

#define VERSION_VALUE (0x20u | (VIOAPIC_PINS - 1) << 16)
#define ID_SHIFT 24u
#define ID_MASK 0x0f000000u

/* Redirection entry */
#define REDIR_VECTOR 0xffull
#define REDIR_DELIVERY_SHIFT 8u
#define REDIR_DELIVERY_MASK 7u
#define REDIR_LOGICAL BIT(11)
#define REDIR_REMOTE_IRR BIT(14)
#define REDIR_LEVEL BIT(15)
#define REDIR_MASKED BIT(16)
#define REDIR_DESTINATION_SHIFT 56u
#define REDIR_WRITABLE 0xff0000000001afffull

#define ISA_PIT 0u

struct vioapic {
    struct lock lock;
    uint32_t id;
    uint32_t select;
    uint32_t lines; /* bit n: line n is asserted */
    uint64_t redir[VIOAPIC_PINS];
};

static struct vioapic *vioapic_of(struct vm *vm)
{
    return ((struct intc_state *)vm->intc_state)->ioapic;
}

static void pin_deliver(struct vm *vm, uint64_t *redir)
{
    struct lapic_message message = {
        .destination = (uint32_t)(*redir >> REDIR_DESTINATION_SHIFT),
        .vector = *redir & REDIR_VECTOR,
        .delivery = *redir >> REDIR_DELIVERY_SHIFT & REDIR_DELIVERY_MASK,
        .logical = *redir & REDIR_LOGICAL,
        .level = *redir & REDIR_LEVEL,
    };

    if (message.level && message.delivery <= LAPIC_LOWEST)
        *redir |= REDIR_REMOTE_IRR;
    lapic_deliver(vm, &message);
}

/* Delivers a level-triggered pin whose line is asserted and that waits for no EOI. */
static void pin_service(struct vm *vm, struct vioapic *ioapic, unsigned pin)
{
    uint64_t *redir = &ioapic->redir[pin];

    if ((*redir & (REDIR_LEVEL | REDIR_MASKED | REDIR_REMOTE_IRR)) == REDIR_LEVEL &&
        ioapic->lines & 1u << pin)
        pin_deliver(vm, redir);
}

static void pin_set(struct vm *vm, struct vioapic *ioapic, unsigned pin, bool level)
{
    uint32_t before = ioapic->lines;
    uint64_t *redir = &ioapic->redir[pin];

    ioapic->lines = level ? before | 1u << pin : before & ~(1u << pin);
    if (!level)
        return;
    if (*redir & REDIR_LEVEL)
        pin_service(vm, ioapic, pin);
    else if (!(before & 1u << pin) && !(*redir & REDIR_MASKED))
        pin_deliver(vm, redir);
}

void vioapic_line(struct vm *vm, unsigned gsi, bool level)
{
    struct intc_state *state = vm->intc_state;
    struct vioapic *ioapic = state->ioapic;
    unsigned pin = gsi == ISA_PIT ? MACHINE_GSI_PIT : gsi;

    if (gsi < VPIC_LINES)
        vpic_line(vm, gsi, level);
    if (!ioapic || pin >= VIOAPIC_PINS)
        return;
    lock_acquire(&ioapic->lock);
    pin_set(vm, ioapic, pin, level);
    lock_release(&ioapic->lock);
}

static void eoi_locked(struct vm *vm, struct vioapic *ioapic, uint8_t vector)
{
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++) {
        uint64_t *redir = &ioapic->redir[pin];

        if (!(*redir & REDIR_REMOTE_IRR) || (*redir & REDIR_VECTOR) != vector)
            continue;
        *redir &= ~REDIR_REMOTE_IRR;
        pin_service(vm, ioapic, pin);
    }
}

void vioapic_eoi(struct vm *vm, uint8_t vector)
{
    struct vioapic *ioapic = vioapic_of(vm);

    if (!ioapic)
        return;
    lock_acquire(&ioapic->lock);
    eoi_locked(vm, ioapic, vector);
    lock_release(&ioapic->lock);
}

static uint32_t indirect_read(const struct vioapic *ioapic)
{
    uint32_t index = ioapic->select - IOREDTBL;

    switch (ioapic->select) {
    case IOAPICID:
    case IOAPICARB:
        return ioapic->id;
    case IOAPICVER:
        return VERSION_VALUE;
    default:
        if (index >= 2 * VIOAPIC_PINS)
            return ~0u;
        return (uint32_t)(ioapic->redir[index / 2] >> (index & 1 ? 32 : 0));
    }
}

static void redir_write(struct vm *vm, struct vioapic *ioapic, uint32_t index, uint32_t value)
{
    unsigned pin = index / 2;
    unsigned shift = index & 1 ? 32 : 0;
    uint64_t writable = REDIR_WRITABLE & 0xffffffffull << shift;
    uint64_t *redir = &ioapic->redir[pin];

    *redir = (*redir & ~writable) | ((uint64_t)value << shift & writable);
    if (!(*redir & REDIR_LEVEL))
        *redir &= ~REDIR_REMOTE_IRR; /* how drivers forget a level without an EOI register */
    pin_service(vm, ioapic, pin);
}

static void indirect_write(struct vm *vm, struct vioapic *ioapic, uint32_t value)
{
    uint32_t index = ioapic->select - IOREDTBL;

    if (ioapic->select == IOAPICID)
        ioapic->id = value & ID_MASK;
    else if (ioapic->select >= IOREDTBL && index < 2 * VIOAPIC_PINS)
        redir_write(vm, ioapic, index, value);
}

static uint64_t vioapic_read(struct vdev *dev, uint64_t offset, unsigned size)
{
    struct vioapic *ioapic = dev->state;
    uint64_t value;

    if (offset == IOREGSEL && size <= 4)
        return ioapic->select;
    if (offset != IOWIN || size > 4)
        return ~0ull;
    lock_acquire(&ioapic->lock);
    value = indirect_read(ioapic);
    lock_release(&ioapic->lock);
    return value;
}

static void vioapic_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct vioapic *ioapic = dev->state;

    if (offset == IOREGSEL) {
        ioapic->select = value & 0xff;
        return;
    }
    lock_acquire(&ioapic->lock);
    if (offset == IOWIN && size == 4)
        indirect_write(dev->vm, ioapic, (uint32_t)value);
    else if (offset == IOEOI)
        eoi_locked(dev->vm, ioapic, (uint8_t)value);
    lock_release(&ioapic->lock);
}

static int vioapic_init(struct vdev *dev)
{
    struct vioapic *ioapic = dev->state;
    struct intc_state *state = intc_state_get(dev->vm);

    if (!state)
        return -ENOMEM;
    lock_init(&ioapic->lock, LOCK_RANK_IRQCHIP, "vioapic");
    ioapic->id = machine_ioapic_id(dev->vm->vcpu_count) << ID_SHIFT;
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++)
        ioapic->redir[pin] = REDIR_MASKED;
    state->ioapic = ioapic;
    return vdev_mmio(dev, MACHINE_IOAPIC_BASE, MACHINE_APIC_SIZE, vioapic_read, vioapic_write);
}

static void vioapic_describe(struct vdev *dev, char *buffer, size_t size)
{
    const struct vioapic *ioapic = dev->state;
    unsigned open = 0;
    unsigned waiting = 0;

    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++) {
        open += !(ioapic->redir[pin] & REDIR_MASKED);
        waiting += !!(ioapic->redir[pin] & REDIR_REMOTE_IRR);
    }
    snprintf(buffer, size, "lines=%06x open=%u in service=%u", (unsigned)ioapic->lines, open,
             waiting);
}

static const struct vdev_type vioapic_type = {
    .name = "ioapic",
    .machines = MACHINE_ANY,
    .order = 0,
    .state_size = sizeof(struct vioapic),
    .init = vioapic_init,
    .describe = vioapic_describe,
};
VDEV(vioapic_type);
