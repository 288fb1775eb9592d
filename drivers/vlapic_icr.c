/* SPDX-License-Identifier: MIT */
/*
 * Local APIC: interrupt messages and who receives them (root mode). SDM 3A, "Issuing
 * Interprocessor Interrupts", 11.6. A destination that is no vCPU of this VM is simply absent.
 */
#include "drivers/vlapic.h"

#include "kernel/vm.h"

#define ICR_LOGICAL (1u << 11)
#define ICR_ASSERT (1u << 14)
#define ICR_LEVEL (1u << 15)
#define ICR_SHORTHAND_SHIFT 18u
#define ICR_SHORTHAND_MASK 3u

enum icr_shorthand { ICR_NONE = 0, ICR_SELF, ICR_ALL, ICR_OTHERS };

#define XAPIC_BROADCAST 0xffu
#define X2APIC_BROADCAST 0xffffffffu
#define DFR_FLAT 0xfu /* bits 31:28 */
#define DFR_CLUSTER 0x0u

static bool matches_logical(struct vlapic *apic, uint32_t destination)
{
    uint32_t ldr = vlapic_load(apic, LAPIC_LDR);

    if (vlapic_x2apic(apic)) /* cluster in the upper half, one bit a CPU in the lower */
        return ldr >> 16 == destination >> 16 && (ldr & destination & 0xffff);
    if (destination > XAPIC_BROADCAST)
        return false;
    ldr >>= 24;
    switch (vlapic_load(apic, LAPIC_DFR) >> 28) {
    case DFR_FLAT:
        return ldr & destination;
    case DFR_CLUSTER:
        return ldr >> 4 == destination >> 4 && (ldr & destination & 0xf);
    default:
        return false;
    }
}

static bool matches(struct vlapic *apic, const struct lapic_message *message)
{
    if (!vlapic_enabled(apic))
        return false;
    if (message->destination == (message->x2apic ? X2APIC_BROADCAST : XAPIC_BROADCAST))
        return true;
    if (message->logical)
        return matches_logical(apic, message->destination);
    return apic->vcpu->apic_id == message->destination;
}

static void receive(struct vlapic *apic, const struct lapic_message *message)
{
    switch (message->delivery) {
    case LAPIC_FIXED:
    case LAPIC_LOWEST:
        vlapic_set_irq(apic, message->vector, message->level);
        break;
    case LAPIC_NMI:
        vcpu_request(apic->vcpu, VCPU_REQ_NMI);
        break;
    case LAPIC_INIT: /* what came before it and has not been seen yet is void */
        __atomic_fetch_and(&apic->vcpu->requests, ~(uint32_t)(VCPU_REQ_NMI | VCPU_REQ_SIPI),
                           __ATOMIC_SEQ_CST);
        vcpu_request(apic->vcpu, VCPU_REQ_INIT);
        break;
    case LAPIC_SIPI:
        __atomic_store_n(&apic->vcpu->sipi_vector, message->vector, __ATOMIC_RELEASE);
        vcpu_request(apic->vcpu, VCPU_REQ_SIPI);
        break;
    default: /* SMI: there is no SMM; ExtINT comes by LINT0 only */
        break;
    }
}

void lapic_deliver(struct vm *vm, const struct lapic_message *message)
{
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        struct vlapic *apic = vlapic_of(vm->vcpus[i]);

        if (!matches(apic, message))
            continue;
        receive(apic, message);
        if (message->delivery == LAPIC_LOWEST)
            return; /* one receiver; arbitration is ours to choose */
    }
}

static void send_all(struct vlapic *apic, const struct lapic_message *message, bool self)
{
    struct vm *vm = apic->vcpu->vm;

    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        struct vlapic *target = vlapic_of(vm->vcpus[i]);

        if ((self || target != apic) && vlapic_enabled(target))
            receive(target, message);
    }
}

void vlapic_send(struct vlapic *apic, uint32_t command, uint32_t destination)
{
    struct lapic_message message = {
        .destination = destination,
        .vector = (uint8_t)command,
        .delivery = (uint8_t)((command & LAPIC_DELIVERY_MASK) >> LAPIC_DELIVERY_SHIFT),
        .logical = command & ICR_LOGICAL,
        .x2apic = vlapic_x2apic(apic),
    };
    unsigned shorthand = command >> ICR_SHORTHAND_SHIFT & ICR_SHORTHAND_MASK;
    bool fixed = message.delivery == LAPIC_FIXED;

    if ((fixed || message.delivery == LAPIC_LOWEST) && message.vector < LAPIC_VECTOR_MIN) {
        vlapic_error(apic, LAPIC_ESR_SEND_ILLEGAL);
        return;
    }
    if (message.delivery == LAPIC_INIT && (command & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL)
        return; /* INIT level de-assert only sets arbitration IDs, which nobody has any more */
    if (shorthand == ICR_NONE)
        lapic_deliver(apic->vcpu->vm, &message);
    else if (shorthand == ICR_OTHERS)
        send_all(apic, &message, false);
    else if (!fixed)
        return; /* SDM 3A, table 11-3: invalid with these shorthands */
    else if (shorthand == ICR_SELF)
        vlapic_set_irq(apic, message.vector, false);
    else
        send_all(apic, &message, true);
}
