/* SPDX-License-Identifier: MIT */
/*
 * Local APIC of a VM with APIC virtualisation (root mode). While a vCPU is in x2APIC mode the
 * processor owns the page's TPR, PPR, ISR and IRR; no other CPU may write them. So interrupts for
 * such a VM are gathered beside the page, and the vCPU's own CPU moves them into IRR before the
 * next entry: for the processor to deliver, or in xAPIC mode for the software path.
 */
#include "drivers/vlapic.h"

#include "kernel/apicv.h"
#include "kernel/vm.h"

void vlapic_post(struct vlapic *apic, uint8_t vector)
{
    unsigned w = vector / VLAPIC_WORD_BITS;
    uint32_t bit = vlapic_vector_bit(vector);

    /* as in vlapic_set_irq(): the bit, the summary, the request */
    if (__atomic_fetch_or(&apic->posted[w], bit, __ATOMIC_SEQ_CST) & bit)
        return;
    __atomic_fetch_or(&apic->posted_words, 1u << w, __ATOMIC_SEQ_CST);
    vcpu_request(apic->vcpu, VCPU_REQ_IRQ);
}

void vlapic_post_clear(struct vlapic *apic)
{
    for (unsigned w = 0; w < APICV_WORDS; w++)
        __atomic_store_n(&apic->posted[w], 0, __ATOMIC_RELAXED);
    __atomic_store_n(&apic->posted_words, 0, __ATOMIC_RELAXED);
    apic->stale = true;
    vcpu_request(apic->vcpu, VCPU_REQ_IRQ);
}

/* The highest vector of IRR or ISR, or -1. */
static int page_top(struct vlapic *apic, unsigned base)
{
    for (unsigned w = APICV_WORDS; w-- > 0;) {
        uint32_t bits = __atomic_load_n(vlapic_word(apic, base, w), __ATOMIC_RELAXED);
        if (bits)
            return (int)(w * VLAPIC_WORD_BITS + vlapic_top_bit(bits));
    }
    return -1;
}

/* What IRR holds is gathered once more, so that whoever delivers from now on is told of it. */
static void change_owner(struct vlapic *apic, bool hardware)
{
    int in_service = page_top(apic, LAPIC_ISR);

    for (unsigned w = 0; w < APICV_WORDS; w++) {
        uint32_t *irr = vlapic_word(apic, LAPIC_IRR, w);
        uint32_t bits = __atomic_exchange_n(irr, 0, __ATOMIC_RELAXED);

        __atomic_fetch_or(&apic->posted[w], bits, __ATOMIC_RELAXED);
        __atomic_fetch_or(&apic->posted_words, bits ? 1u << w : 0, __ATOMIC_SEQ_CST);
        apic->eoi_exits[w] = __atomic_load_n(vlapic_word(apic, LAPIC_TMR, w), __ATOMIC_RELAXED);
    }
    __atomic_store_n(&apic->irr_words, 0, __ATOMIC_RELAXED);
    apic->isr_depth = 0; /* who turns an x2APIC off has it reset: ISR is empty then */
    apic->isr_top = -1;
    apic->hardware = hardware;
    apic->stale = false;
    apicv_set(apic->vcpu, hardware ? apic->page : NULL, in_service < 0 ? 0 : (uint8_t)in_service);
    if (hardware)
        apicv_eoi_exits(apic->vcpu, apic->eoi_exits);
}

/* Moves one word into IRR. Its highest vector, or -1. */
static int collect_word(struct vlapic *apic, unsigned w)
{
    uint32_t bits = __atomic_exchange_n(&apic->posted[w], 0, __ATOMIC_SEQ_CST);
    uint32_t level = __atomic_load_n(vlapic_word(apic, LAPIC_TMR, w), __ATOMIC_RELAXED);

    if (!bits)
        return -1;
    __atomic_fetch_or(vlapic_word(apic, LAPIC_IRR, w), bits, __ATOMIC_RELAXED);
    if (!apic->hardware) {
        __atomic_fetch_or(&apic->irr_words, 1u << w, __ATOMIC_RELAXED);
    } else if (level != apic->eoi_exits[w]) {
        apic->eoi_exits[w] = level;
        apicv_eoi_exits(apic->vcpu, apic->eoi_exits);
    }
    return (int)(w * VLAPIC_WORD_BITS + vlapic_top_bit(bits));
}

/* Before each decision about interrupts, with the vCPU loaded. */
static void collect(struct vlapic *apic)
{
    bool hardware = vlapic_enabled(apic) && vlapic_x2apic(apic);
    uint32_t words;
    int top = -1;

    if (unlikely(hardware != apic->hardware || apic->stale))
        change_owner(apic, hardware);
    words = __atomic_exchange_n(&apic->posted_words, 0, __ATOMIC_SEQ_CST);
    while (words) {
        unsigned w = vlapic_top_bit(words);
        int vector = collect_word(apic, w);

        top = MAX(top, vector);
        words &= ~(1u << w);
    }
    if (hardware && top >= 0)
        apicv_raise(apic->vcpu, (uint8_t)top);
}

bool vlapic_apicv_has(struct vcpu *vcpu)
{
    collect(vlapic_of(vcpu));
    return vlapic_has(vcpu); /* the summary of IRR is empty while the processor delivers */
}

int vlapic_apicv_take(struct vcpu *vcpu)
{
    collect(vlapic_of(vcpu));
    return vlapic_take(vcpu);
}

bool vlapic_apicv_wakes(struct vcpu *vcpu)
{
    struct vlapic *apic = vlapic_of(vcpu);
    int requested, in_service, priority;

    if (vlapic_apicv_has(vcpu))
        return true;
    if (!apic->hardware)
        return false;
    requested = page_top(apic, LAPIC_IRR);
    in_service = page_top(apic, LAPIC_ISR);
    priority = MAX((int)vlapic_load(apic, LAPIC_TPR), in_service);
    return requested >> VLAPIC_CLASS_SHIFT > MAX(priority, 0) >> VLAPIC_CLASS_SHIFT;
}
