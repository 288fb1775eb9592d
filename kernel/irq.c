/* SPDX-License-Identifier: MIT */
/* Vector allocation and dispatch of physical interrupts (root mode). */
#include "kernel/irq.h"

#include <errno.h>

#include "kernel/ioapic.h"
#include "kernel/lapic.h"
#include "kernel/log.h"
#include "kernel/mce.h"
#include "kernel/time.h"
#include "kernel/x86.h"

#define PIC1_DATA    0x21
#define PIC2_DATA    0xa1
#define PIC_MASK_ALL 0xff
#define IRQ_VECTORS  256u

struct irq_slot {
    irq_fn *fn;
    void *arg;
    const char *name;
};

/* Written at start-up only, by the boot CPU. */
static struct irq_slot irq_slots[IRQ_VECTORS];
static unsigned irq_next = IRQ_VECTOR_DEVICE;
static volatile uint64_t irq_unexpected_count;

/* A kick has done its work by interrupting. */
static void irq_kick(void *arg)
{
    (void)arg;
}

static void irq_error(void *arg)
{
    (void)arg;
    log_printf("local APIC error interrupt\n");
}

static void irq_timer(void *arg)
{
    (void)arg;
    time_interrupt();
}

void irq_init(const struct boot_board *board)
{
    x86_out8(PIC1_DATA, PIC_MASK_ALL);
    x86_out8(PIC2_DATA, PIC_MASK_ALL);
    irq_slots[IRQ_VECTOR_KICK] = (struct irq_slot){irq_kick, NULL, "kick"};
    irq_slots[IRQ_VECTOR_ERROR] = (struct irq_slot){irq_error, NULL, "error"};
    irq_slots[IRQ_VECTOR_TIMER] = (struct irq_slot){irq_timer, NULL, "timer"};
    lapic_init();
    lapic_init_cpu();
    ioapic_init(board);
}

int irq_alloc(const char *name, irq_fn *fn, void *arg)
{
    if (irq_next >= IRQ_VECTOR_DEVICE_END)
        return -ENOSPC;
    irq_slots[irq_next] = (struct irq_slot){fn, arg, name};
    return (int)irq_next++;
}

int irq_connect_isa(unsigned isa, const char *name, irq_fn *fn, void *arg)
{
    if (!ioapic_has_isa(isa))
        return -ENODEV;
    int vector = irq_alloc(name, fn, arg);
    if (vector >= 0)
        ioapic_route_isa(isa, (unsigned)vector, lapic_id());
    return vector;
}

void irq_dispatch(unsigned vector)
{
    const struct irq_slot *slot = &irq_slots[vector % IRQ_VECTORS];

    if (vector == IRQ_VECTOR_SPURIOUS)
        return; /* not in service: an EOI would end another interrupt */
    if (slot->fn)
        slot->fn(slot->arg);
    else if (__atomic_fetch_add(&irq_unexpected_count, 1, __ATOMIC_RELAXED) == 0)
        log_printf("unexpected interrupt, vector %#x (reported once)\n", vector);
    lapic_eoi();
}

/* The NMI that caused the exit keeps further ones blocked until an IRET: take it by the IDT. */
void irq_nmi(void)
{
    x86_raise_nmi();
}

void irq_machine_check(void)
{
    mce_handle(NULL);
    mce_report();
}

uint64_t irq_unexpected(void)
{
    return irq_unexpected_count;
}
