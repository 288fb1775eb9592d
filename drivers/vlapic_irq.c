/* SPDX-License-Identifier: MIT */
/*
 * Local APIC: which interrupt comes next (root mode). SDM 3A, "Handling Interrupts", 11.8.
 * IRR is a set of four words and what is in service a stack, so that the usual questions cost a
 * few instructions: is anything pending, what is the highest, what does an EOI end.
 */
#include "drivers/vlapic.h"

#include <errno.h>

#include "drivers/vioapic.h"
#include "kernel/vdev.h"

#define CLASS 0xf0u /* of a vector or priority */
#define SUBCLASS 0xfu

/* MSR_KVM_PV_EOI_EN (Linux, Documentation/virt/kvm/x86/msr.rst) */
#define PV_EOI_ENABLE 1ull
#define PV_EOI_ALIGN 4ull
#define PV_EOI_FLAG 1u

static inline bool level_triggered(const struct vlapic *apic, unsigned vector)
{
    return __atomic_load_n(&apic->level[vector / 64], __ATOMIC_RELAXED) & BIT(vector % 64);
}

static __attribute__((noinline)) void set_level(struct vlapic *apic, unsigned vector, bool level)
{
    if (level)
        __atomic_fetch_or(&apic->level[vector / 64], BIT(vector % 64), __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&apic->level[vector / 64], ~BIT(vector % 64), __ATOMIC_RELAXED);
}

void vlapic_set_irq(struct vlapic *apic, unsigned vector, bool level)
{
    uint64_t *word = &apic->irr[vector / 64], bit = BIT(vector % 64);

    if (unlikely(vector < LAPIC_VECTOR_MIN)) {
        vlapic_error(apic, LAPIC_ESR_RECEIVE_ILLEGAL);
        return;
    }
    if (unlikely(!(vlapic_load(apic, LAPIC_SVR) & LAPIC_SVR_ENABLE)))
        return; /* SDM 3A, Local APIC State After It Has Been Software Disabled, 11.4.7.2 */
    if (unlikely(level) || unlikely(level_triggered(apic, vector)))
        set_level(apic, vector, level);
    /* First the bit, then the request: who has cleared the request sees the bit. Who finds the bit
     * set leaves the request to the one that has set it. */
    if (likely(!(__atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST) & bit)))
        vcpu_request(apic->vcpu, VCPU_REQ_IRQ);
}

void vlapic_error(struct vlapic *apic, uint32_t errors)
{
    uint32_t lvt = vlapic_load(apic, LAPIC_LVT_ERROR);

    __atomic_fetch_or(&apic->esr_new, errors, __ATOMIC_RELAXED);
    /* An error interrupt with an illegal vector is not told by another one. */
    if (!(lvt & LAPIC_LVT_MASKED) && (lvt & LAPIC_VECTOR_MASK) >= LAPIC_VECTOR_MIN)
        vlapic_set_irq(apic, (uint8_t)lvt, false);
}

uint32_t vlapic_ppr(struct vlapic *apic)
{
    uint32_t tpr = vlapic_load(apic, LAPIC_TPR), isr = vlapic_served(apic) & CLASS;

    return (tpr & CLASS) >= isr ? tpr : isr;
}

void vlapic_isr(const struct vlapic *apic, uint64_t words[APICV_WORDS])
{
    for (unsigned w = 0; w < APICV_WORDS; w++)
        words[w] = 0;
    for (unsigned i = 1; i <= apic->in_service; i++)
        words[apic->stack[i] / 64] |= BIT(apic->stack[i] % 64);
}

void vlapic_clear_irqs(struct vlapic *apic)
{
    for (unsigned w = 0; w < APICV_WORDS; w++) {
        __atomic_store_n(&apic->irr[w], 0, __ATOMIC_RELAXED);
        __atomic_store_n(&apic->level[w], 0, __ATOMIC_RELAXED);
    }
    apic->in_service = 0;
    apic->pv_eoi = 0;
    apic->pv_eoi_armed = false;
    if (!apic->vcpu->vm->apicv)
        return;
    apic->stale = true;
    vcpu_request(apic->vcpu, VCPU_REQ_IRQ);
}

/* The word of IRR that holds the highest vector, or the lowest word. */
static inline uint64_t *irr_top(struct vlapic *apic)
{
    volatile uint64_t *irr = apic->irr; /* bits may come, but only this CPU takes any away */

    if (irr[3])
        return &apic->irr[3];
    if (irr[2])
        return &apic->irr[2];
    return likely(irr[1]) ? &apic->irr[1] : apic->irr;
}

/* The highest vector in a word of IRR, if priorities let it through, or 0. Its class is above all
 * that are in service: so these form a stack. */
static inline unsigned deliverable(struct vlapic *apic, const uint64_t *word)
{
    uint64_t bits = __atomic_load_n(word, __ATOMIC_RELAXED);
    unsigned vector;

    if (unlikely(!bits))
        return 0;
    vector = vlapic_top(bits, (unsigned)(word - apic->irr));
    if (vector <= (vlapic_load(apic, LAPIC_TPR) | SUBCLASS))
        return 0;
    return vector > (vlapic_served(apic) | SUBCLASS) ? vector : 0;
}

void vlapic_set_tpr(struct vlapic *apic, uint32_t tpr)
{
    *vlapic_reg(apic, LAPIC_TPR) = tpr;
    if (deliverable(apic, irr_top(apic)))
        vcpu_request(apic->vcpu, VCPU_REQ_IRQ);
}

static inline void end_of_interrupt(struct vlapic *apic)
{
    unsigned vector = vlapic_served(apic);

    if (unlikely(!vector))
        return;
    apic->in_service--;
    if (unlikely(level_triggered(apic, vector)))
        vioapic_eoi(apic->vcpu->vm, (uint8_t)vector);
    if (vlapic_requested(apic))
        vcpu_request(apic->vcpu, VCPU_REQ_IRQ);
}

/* Takes the permission to skip the EOI back; true: the guest had used it. */
static bool pv_eoi_disarm(struct vlapic *apic)
{
    uint8_t flag = PV_EOI_FLAG;
    uint8_t none = 0;

    apic->pv_eoi_armed = false;
    if (gmem_read(apic->vcpu->vm, apic->pv_eoi, &flag, sizeof(flag)) ||
        gmem_write(apic->vcpu->vm, apic->pv_eoi, &none, sizeof(none))) {
        apic->pv_eoi = 0;
        return false;
    }
    return !(flag & PV_EOI_FLAG);
}

/* Lets the guest skip one EOI, only when nothing waits for it: else it must exit. */
static __attribute__((noinline)) void pv_eoi_arm(struct vlapic *apic, unsigned vector)
{
    uint8_t flag = PV_EOI_FLAG;

    if (apic->in_service != 1 || vlapic_requested(apic) || level_triggered(apic, vector))
        return;
    apic->pv_eoi_armed = !gmem_write(apic->vcpu->vm, apic->pv_eoi, &flag, sizeof(flag));
}

/* Apart, so that the usual path through take() and has() saves no registers for it. */
static __attribute__((noinline)) void sync_armed(struct vlapic *apic)
{
    if (pv_eoi_disarm(apic))
        end_of_interrupt(apic);
}

void vlapic_sync(struct vlapic *apic)
{
    if (unlikely(apic->pv_eoi_armed))
        sync_armed(apic);
}

void vlapic_eoi(struct vlapic *apic)
{
    if (unlikely(apic->pv_eoi_armed))
        pv_eoi_disarm(apic);
    end_of_interrupt(apic);
}

int vlapic_pv_eoi_msr(struct vcpu *vcpu, uint64_t value)
{
    struct vlapic *apic = vlapic_of(vcpu);
    gpa_t gpa = value & ~PV_EOI_ENABLE;
    uint32_t word;
    int error;

    vlapic_sync(apic);
    apic->pv_eoi = 0;
    if (!(value & PV_EOI_ENABLE))
        return 0;
    if (gpa % PV_EOI_ALIGN || !gpa)
        return -EINVAL;
    lock_acquire(&vcpu->vm->lock); /* a demand-backed page is given here, not at an interrupt */
    error = gmem_read(vcpu->vm, gpa, &word, sizeof(word));
    lock_release(&vcpu->vm->lock);
    if (!error && !vcpu->vm->apicv) /* the processor takes an EOI without an exit anyway */
        apic->pv_eoi = gpa;
    return error ? -EINVAL : 0;
}

bool vlapic_has(struct vcpu *vcpu)
{
    struct vlapic *apic = vlapic_of(vcpu);

    if (vlapic_extint_pending(apic))
        return true;
    if (!vlapic_requested(apic))
        return false; /* a skipped EOI may stay unseen until something waits for it */
    vlapic_sync(apic);
    return deliverable(apic, irr_top(apic));
}

int vlapic_take(struct vcpu *vcpu)
{
    struct vlapic *apic = vlapic_of(vcpu);
    unsigned vector;
    uint64_t *word;
    int external;

    if (vlapic_extint_pending(apic) && (external = vlapic_extint_take(apic)) >= 0)
        return external;
    vlapic_sync(apic);
    word = irr_top(apic);
    vector = deliverable(apic, word);
    if (!vector)
        return -1;
    __atomic_fetch_and(word, ~BIT(vector % 64), __ATOMIC_SEQ_CST);
    apic->stack[++apic->in_service] = (uint8_t)vector;
    if (apic->pv_eoi)
        pv_eoi_arm(apic, vector);
    return (int)vector;
}
