/* SPDX-License-Identifier: MIT */
/*
 * Local APIC: which interrupt comes next (root mode). SDM 3A, "Handling Interrupts", 11.8.
 * IRR has a word of summary bits, and what is in service a stack, so that the usual questions
 * cost a few instructions: is anything pending, what is the highest, what does an EOI end.
 */
#include "drivers/vlapic.h"

#include <errno.h>

#include "drivers/vioapic.h"
#include "kernel/vdev.h"

#define CLASS 0xf0u       /* of a vector or priority */

/* MSR_KVM_PV_EOI_EN (Linux, Documentation/virt/kvm/x86/msr.rst) */
#define PV_EOI_ENABLE 1ull
#define PV_EOI_ALIGN 4ull
#define PV_EOI_FLAG 1u

static inline uint32_t *vector_word(struct vlapic *apic, unsigned base, unsigned vector)
{
    return vlapic_word(apic, base, vector / VLAPIC_WORD_BITS);
}

void vlapic_set_irq(struct vlapic *apic, uint8_t vector, bool level)
{
    uint32_t bit = vlapic_vector_bit(vector);
    uint32_t summary = 1u << vector / VLAPIC_WORD_BITS;
    uint32_t *tmr = vector_word(apic, LAPIC_TMR, vector);

    if (unlikely(vector < LAPIC_VECTOR_MIN)) {
        vlapic_error(apic, LAPIC_ESR_RECEIVE_ILLEGAL);
        return;
    }
    if (unlikely(!(vlapic_load(apic, LAPIC_SVR) & LAPIC_SVR_ENABLE)))
        return; /* SDM 3A, Local APIC State After It Has Been Software Disabled, 11.4.7.2 */
    if (level)
        __atomic_fetch_or(tmr, bit, __ATOMIC_RELAXED);
    else if (__atomic_load_n(tmr, __ATOMIC_RELAXED) & bit)
        __atomic_fetch_and(tmr, ~bit, __ATOMIC_RELAXED);
    if (unlikely(apic->gathers)) {
        vlapic_post(apic, vector);
        return;
    }
    /* The order matters to irr_clear(): first the bit, then the summary, then the request. */
    if (__atomic_fetch_or(vector_word(apic, LAPIC_IRR, vector), bit, __ATOMIC_SEQ_CST) & bit)
        return;
    __atomic_fetch_or(&apic->irr_words, summary, __ATOMIC_SEQ_CST);
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

/* The highest vector in IRR, or -1. */
static inline int irr_top(struct vlapic *apic)
{
    uint32_t words = __atomic_load_n(&apic->irr_words, __ATOMIC_RELAXED);

    while (words) {
        unsigned w = vlapic_top_bit(words);
        uint32_t bits = __atomic_load_n(vlapic_word(apic, LAPIC_IRR, w), __ATOMIC_RELAXED);
        if (likely(bits))
            return (int)(w * VLAPIC_WORD_BITS + vlapic_top_bit(bits));
        words &= ~(1u << w);
    }
    return -1;
}

static inline void irr_clear(struct vlapic *apic, unsigned vector)
{
    uint32_t *word = vector_word(apic, LAPIC_IRR, vector);
    uint32_t summary = 1u << vector / VLAPIC_WORD_BITS;

    if (__atomic_and_fetch(word, ~vlapic_vector_bit(vector), __ATOMIC_SEQ_CST) != 0)
        return;
    __atomic_fetch_and(&apic->irr_words, ~summary, __ATOMIC_SEQ_CST);
    if (unlikely(__atomic_load_n(word, __ATOMIC_SEQ_CST))) /* someone came in between */
        __atomic_fetch_or(&apic->irr_words, summary, __ATOMIC_SEQ_CST);
}

static void ppr_update(struct vlapic *apic)
{
    uint32_t tpr = *vlapic_reg(apic, LAPIC_TPR);
    uint32_t isr = apic->isr_top < 0 ? 0 : (uint32_t)apic->isr_top & CLASS;

    apic->ppr = (tpr & CLASS) >= isr ? tpr : isr;
}

/* For a vector above the PPR, as every one that is taken: so what is in service forms a stack. */
static inline void isr_push(struct vlapic *apic, unsigned vector)
{
    *vector_word(apic, LAPIC_ISR, vector) |= vlapic_vector_bit(vector);
    apic->isr_stack[++apic->isr_depth] = (uint8_t)vector;
    apic->isr_top = (int)vector;
    apic->ppr = vector & CLASS;
}

static inline void isr_pop(struct vlapic *apic)
{
    unsigned vector = (unsigned)apic->isr_top;

    *vector_word(apic, LAPIC_ISR, vector) &= ~vlapic_vector_bit(vector);
    if (likely(!--apic->isr_depth)) {
        apic->isr_top = -1;
        apic->ppr = *vlapic_reg(apic, LAPIC_TPR);
    } else {
        apic->isr_top = apic->isr_stack[apic->isr_depth];
        ppr_update(apic);
    }
}

void vlapic_clear_irqs(struct vlapic *apic)
{
    for (unsigned w = 0; w < 256 / VLAPIC_WORD_BITS; w++) {
        __atomic_store_n(vlapic_word(apic, LAPIC_IRR, w), 0, __ATOMIC_RELAXED);
        __atomic_store_n(vlapic_word(apic, LAPIC_TMR, w), 0, __ATOMIC_RELAXED);
        *vlapic_word(apic, LAPIC_ISR, w) = 0;
    }
    __atomic_store_n(&apic->irr_words, 0, __ATOMIC_RELAXED);
    apic->isr_depth = 0;
    apic->isr_top = -1;
    apic->ppr = 0;
    apic->pv_eoi = 0;
    apic->pv_eoi_armed = false;
    if (apic->gathers)
        vlapic_post_clear(apic);
}

/* The highest pending vector that priorities let through, or -1. */
static inline int deliverable(struct vlapic *apic)
{
    int vector = irr_top(apic);

    return vector >= 0 && ((uint32_t)vector & CLASS) > (apic->ppr & CLASS) ? vector : -1;
}

void vlapic_set_tpr(struct vlapic *apic, uint32_t tpr)
{
    *vlapic_reg(apic, LAPIC_TPR) = tpr;
    ppr_update(apic);
    if (deliverable(apic) >= 0)
        vcpu_request(apic->vcpu, VCPU_REQ_IRQ);
}

static inline void end_of_interrupt(struct vlapic *apic)
{
    unsigned vector = (unsigned)apic->isr_top;

    if (apic->isr_top < 0)
        return;
    isr_pop(apic);
    if (unlikely(*vector_word(apic, LAPIC_TMR, vector) & vlapic_vector_bit(vector)))
        vioapic_eoi(apic->vcpu->vm, (uint8_t)vector);
    if (apic->irr_words)
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

    if (apic->isr_depth != 1 || apic->irr_words ||
        *vector_word(apic, LAPIC_TMR, vector) & vlapic_vector_bit(vector))
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
    if (!error && !apic->gathers) /* the processor takes an EOI without an exit anyway */
        apic->pv_eoi = gpa;
    return error ? -EINVAL : 0;
}

static inline bool extint_pending(struct vlapic *apic)
{
    return unlikely(__atomic_load_n(&apic->extint, __ATOMIC_ACQUIRE)) && vlapic_extint_open(apic);
}

bool vlapic_has(struct vcpu *vcpu)
{
    struct vlapic *apic = vlapic_of(vcpu);

    if (extint_pending(apic))
        return true;
    if (!__atomic_load_n(&apic->irr_words, __ATOMIC_RELAXED))
        return false; /* a skipped EOI may stay unseen until something waits for it */
    vlapic_sync(apic);
    return deliverable(apic) >= 0;
}

int vlapic_take(struct vcpu *vcpu)
{
    struct vlapic *apic = vlapic_of(vcpu);
    int vector;

    if (extint_pending(apic) && (vector = vlapic_extint_take(apic)) >= 0)
        return vector;
    vlapic_sync(apic);
    vector = deliverable(apic);
    if (vector < 0)
        return -1;
    irr_clear(apic, (unsigned)vector);
    isr_push(apic, (unsigned)vector);
    if (apic->pv_eoi)
        pv_eoi_arm(apic, (unsigned)vector);
    return vector;
}
