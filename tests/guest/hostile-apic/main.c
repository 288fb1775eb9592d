/* SPDX-License-Identifier: MIT */
/* Attack: interprocessor interrupts of all kinds to APIC ids that are other VMs' or nobody's. */
#include "guests/lib/guest.h"

#define VECTOR 0x60u
#define DELIVERY_SHIFT 8
#define DELIVERIES 8u

static volatile unsigned received, nmis;
static uint64_t sent, refused;

static void on_vector(struct guest_frame *frame)
{
    (void)frame;
    received++;
    wrmsr(X2APIC_EOI, 0);
}

static void on_nmi(struct guest_frame *frame)
{
    (void)frame;
    nmis++;
}

static void attack(uint32_t destination, uint32_t flags)
{
    for (uint32_t delivery = 0; delivery < DELIVERIES; delivery++) {
        uint32_t command = flags | delivery << DELIVERY_SHIFT | ICR_ASSERT | VECTOR;
        int vector = guest_wrmsr(X2APIC_ICR, (uint64_t)destination << 32 | command);

        guest_check(vector == GUEST_NO_FAULT || vector == VECTOR_GP);
        refused += vector == VECTOR_GP;
        sent++;
    }
}

int guest_main(const struct mullion_flat_info *info)
{
    guest_on_vector(VECTOR, on_vector);
    guest_on_vector(VECTOR_NMI, on_nmi);
    guest_x2apic_on();
    for (uint32_t id = 1; id < 255; id++)
        attack(id, 0);
    for (unsigned bit = 8; bit < 32; bit++) {
        attack(1u << bit, 0);
        attack(~(1u << bit), 0);
    }
    for (uint32_t cluster = 1; cluster < 0x100; cluster++)
        attack(cluster << 16 | 0xffff, ICR_LOGICAL);
    attack(0xfffe, ICR_LOGICAL); /* the own cluster without this CPU */
    attack(0, ICR_OTHERS);
    sti_nop_cli();
    guest_check_equal(received + nmis, 0);
    guest_printf("%lu messages, %lu refused, none came back\n", sent, refused);
    guest_check(sent > 4000 && refused < sent / 2);
    wrmsr(X2APIC_SELF_IPI, VECTOR);
    sti_nop_cli();
    guest_check_equal(received, 1);
    guest_sleep(info->tsc_hz / 1000);
    return 0;
}
