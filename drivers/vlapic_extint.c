/* SPDX-License-Identifier: MIT */
/*
 * Local APIC: interrupts of the PIC, which come by LINT0 of vCPU 0 and get their vector from the
 * PIC only when they are taken (root mode). SDM 3A, "LINT0", 11.5.1, delivery mode ExtINT.
 */
#include "drivers/vlapic.h"
#include "drivers/vpic.h"
#include "kernel/vm.h"

/* Does the PIC's INTR reach the processor? Directly while the APIC is off, else by LINT0. */
bool vlapic_extint_open(struct vlapic *apic)
{
    uint32_t lvt = *vlapic_reg(apic, LAPIC_LVT_LINT0);

    return !vlapic_enabled(apic) || (lvt & (LAPIC_LVT_MASKED | LAPIC_DELIVERY_MASK)) ==
                                        (uint32_t)LAPIC_EXTINT << LAPIC_DELIVERY_SHIFT;
}

void vlapic_extint(struct vm *vm, bool asserted)
{
    struct vlapic *apic = vlapic_of(vm->vcpus[0]);

    __atomic_store_n(&apic->extint, asserted, __ATOMIC_RELEASE);
    if (asserted)
        vcpu_request(vm->vcpus[0], VCPU_REQ_IRQ);
}

int vlapic_extint_take(struct vlapic *apic)
{
    struct vm *vm = apic->vcpu->vm;
    int vector;

    lock_acquire(&vm->lock); /* protects the PIC */
    vector = vpic_acknowledge(vm);
    lock_release(&vm->lock);
    /* The local APIC's priorities know nothing of this one: more may follow at once. */
    vcpu_request(apic->vcpu, VCPU_REQ_IRQ);
    return vector;
}
