/* SPDX-License-Identifier: MIT */
/*
 * Local APIC of a VM with APIC virtualisation (root mode). While a vCPU is in x2APIC mode the
 * processor owns the page's TPR, PPR, ISR and IRR; no other CPU may write them. So interrupts are
 * requested beside the page, as for any vCPU, and the vCPU's own CPU moves them into the page
 * before the next entry, for the processor to deliver. In xAPIC mode all is in software.
 */
#include "drivers/vlapic.h"

#include "kernel/apicv.h"
#include "kernel/vm.h"

#define HALF_STRIDE 0x10u /* 32 bits of IRR, ISR or TMR every 16 bytes */

static uint32_t *page_half(struct vlapic *apic, unsigned base, unsigned half)
{
    return vlapic_reg(apic, base + half * HALF_STRIDE);
}

static uint64_t page_word(struct vlapic *apic, unsigned base, unsigned w)
{
    return *page_half(apic, base, 2 * w) | (uint64_t)*page_half(apic, base, 2 * w + 1) << 32;
}

static void page_set_word(struct vlapic *apic, unsigned base, unsigned w, uint64_t value)
{
    *page_half(apic, base, 2 * w) = (uint32_t)value;
    *page_half(apic, base, 2 * w + 1) = (uint32_t)(value >> 32);
}

/* The highest vector of IRR or ISR in the page; 0: none. */
static unsigned page_top(struct vlapic *apic, unsigned base)
{
    for (unsigned w = APICV_WORDS; w-- > 0;) {
        if (page_word(apic, base, w))
            return vlapic_top(page_word(apic, base, w), w);
    }
    return 0;
}

/* Who leaves the processor's care has been reset: nothing is in service or requested then. */
static void change_owner(struct vlapic *apic, bool hardware)
{
    uint8_t in_service = (uint8_t)vlapic_served(apic);
    uint64_t isr[APICV_WORDS];

    vlapic_isr(apic, isr);
    for (unsigned w = 0; w < APICV_WORDS; w++) {
        apic->eoi_exits[w] = __atomic_load_n(&apic->level[w], __ATOMIC_RELAXED);
        page_set_word(apic, LAPIC_ISR, w, isr[w]);
        page_set_word(apic, LAPIC_TMR, w, apic->eoi_exits[w]);
    }
    apic->in_service = 0;
    apic->hardware = hardware;
    apic->stale = false;
    apicv_set(apic->vcpu, hardware ? apic->page : NULL, in_service);
    if (hardware)
        apicv_eoi_exits(apic->vcpu, apic->eoi_exits);
}

static void collect_word(struct vlapic *apic, unsigned w, uint64_t bits)
{
    uint64_t level = __atomic_load_n(&apic->level[w], __ATOMIC_RELAXED);

    page_set_word(apic, LAPIC_IRR, w, page_word(apic, LAPIC_IRR, w) | bits);
    if (level == apic->eoi_exits[w])
        return;
    apic->eoi_exits[w] = level;
    page_set_word(apic, LAPIC_TMR, w, level);
    apicv_eoi_exits(apic->vcpu, apic->eoi_exits);
}

/* Before each decision about interrupts, with the vCPU loaded. */
static void collect(struct vlapic *apic)
{
    bool hardware = vlapic_enabled(apic) && vlapic_x2apic(apic);
    unsigned top = 0;

    if (unlikely(hardware != apic->hardware || apic->stale))
        change_owner(apic, hardware);
    for (unsigned w = 0; hardware && w < APICV_WORDS; w++) {
        uint64_t bits = __atomic_exchange_n(&apic->irr[w], 0, __ATOMIC_SEQ_CST);

        if (bits) {
            collect_word(apic, w, bits);
            top = vlapic_top(bits, w);
        }
    }
    if (top)
        apicv_raise(apic->vcpu, (uint8_t)top);
}

/* What is requested after collect() is the processor's, too: the next request sees to it. */
bool vlapic_apicv_has(struct vcpu *vcpu)
{
    struct vlapic *apic = vlapic_of(vcpu);

    collect(apic);
    return apic->hardware ? vlapic_extint_pending(apic) : vlapic_has(vcpu);
}

int vlapic_apicv_take(struct vcpu *vcpu)
{
    struct vlapic *apic = vlapic_of(vcpu);

    collect(apic);
    if (!apic->hardware)
        return vlapic_take(vcpu);
    return vlapic_extint_pending(apic) ? vlapic_extint_take(apic) : -1;
}

bool vlapic_apicv_wakes(struct vcpu *vcpu)
{
    struct vlapic *apic = vlapic_of(vcpu);
    unsigned priority;

    if (vlapic_apicv_has(vcpu))
        return true;
    if (!apic->hardware)
        return false;
    priority = MAX(vlapic_load(apic, LAPIC_TPR), page_top(apic, LAPIC_ISR));
    return page_top(apic, LAPIC_IRR) >> VLAPIC_CLASS_SHIFT > priority >> VLAPIC_CLASS_SHIFT;
}
