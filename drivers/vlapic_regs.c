/* SPDX-License-Identifier: MIT */
/*
 * Local APIC: the table of its registers, by MMIO and by MSR (root mode). SDM 3A, tables 11-1
 * and 11-6.
 */
#include "drivers/vlapic.h"

#include <errno.h>

#define VERSION_VALUE (0x14u | 5u << 16) /* integrated APIC with LVT entries 0..5 */
#define SVR_RESET 0xffu
#define DFR_RESET 0xffffffffu
#define DFR_MODEL 0xf0000000u
#define ICR_RESERVED 0xfff33000u /* in x2APIC mode, low half */
#define ICR_STATUS (1u << 12)
#define X2APIC_ICR_HIGH (LAPIC_ICR + 4) /* the MSR's upper half, as in a virtual-APIC page */
#define REGISTERS 0x40u
#define REGISTER_SHIFT 4u

/* How a register may be used: in xAPIC mode (X) and in x2APIC mode (2), to read and to write. */
enum access { XR = 1, XW = 2, R2 = 4, W2 = 8, R = XR | R2, W = XW | W2, RW = R | W };

struct rule {
    uint8_t access; /* enum access; 0: there is no such register */
    uint32_t mask;  /* bits that can be written; others are ignored, #GP in x2APIC mode */
    void (*write)(struct vlapic *apic, uint32_t value); /* NULL: just store it */
};

static void write_eoi(struct vlapic *apic, uint32_t value)
{
    (void)value;
    vlapic_eoi(apic);
}

static void write_dfr(struct vlapic *apic, uint32_t value)
{
    *vlapic_reg(apic, LAPIC_DFR) = value | ~DFR_MODEL;
}

static void write_lvt(struct vlapic *apic, unsigned offset, uint32_t value)
{
    if (!(vlapic_load(apic, LAPIC_SVR) & LAPIC_SVR_ENABLE))
        value |= LAPIC_LVT_MASKED;
    if (offset == LAPIC_LVT_TIMER)
        vlapic_timer_lvt(apic, value);
    else
        *vlapic_reg(apic, offset) = value;
    if (offset == LAPIC_LVT_LINT0 && __atomic_load_n(&apic->extint, __ATOMIC_ACQUIRE))
        vcpu_request(apic->vcpu, VCPU_REQ_IRQ);
}

static const uint16_t lvt_offsets[] = {
    LAPIC_LVT_TIMER, LAPIC_LVT_THERMAL, LAPIC_LVT_PMC,
    LAPIC_LVT_LINT0, LAPIC_LVT_LINT1,   LAPIC_LVT_ERROR,
};

static void write_svr(struct vlapic *apic, uint32_t value)
{
    *vlapic_reg(apic, LAPIC_SVR) = value;
    for (unsigned i = 0; !(value & LAPIC_SVR_ENABLE) && i < ARRAY_SIZE(lvt_offsets); i++)
        write_lvt(apic, lvt_offsets[i], vlapic_load(apic, lvt_offsets[i]));
}

static void write_esr(struct vlapic *apic, uint32_t value)
{
    (void)value;
    *vlapic_reg(apic, LAPIC_ESR) = __atomic_exchange_n(&apic->esr_new, 0, __ATOMIC_RELAXED);
}

static void write_icr(struct vlapic *apic, uint32_t value)
{
    *vlapic_reg(apic, LAPIC_ICR) = value;
    vlapic_send(apic, value, vlapic_load(apic, LAPIC_ICR2) >> 24);
}

static void write_self_ipi(struct vlapic *apic, uint32_t value)
{
    if (value < LAPIC_VECTOR_MIN)
        vlapic_error(apic, LAPIC_ESR_SEND_ILLEGAL);
    else
        vlapic_set_irq(apic, (uint8_t)value, false);
}

#define LVT_WRITER(name)                                                                           \
    static void write_##name(struct vlapic *apic, uint32_t value)                                  \
    {                                                                                              \
        write_lvt(apic, LAPIC_LVT_##name, value);                                                  \
    }
LVT_WRITER(TIMER)
LVT_WRITER(THERMAL)
LVT_WRITER(PMC)
LVT_WRITER(LINT0)
LVT_WRITER(LINT1)
LVT_WRITER(ERROR)

#define ROW(reg) [LAPIC_##reg >> 4]
#define WORDS(reg) [LAPIC_##reg >> 4 ...(LAPIC_##reg >> 4) + 7]

/* SDM 3A, tables 11-1 and 11-6. */
static const struct rule rules[REGISTERS] = {
    ROW(ID) = { R, 0, NULL },
    ROW(VERSION) = { R, 0, NULL },
    ROW(TPR) = { RW, 0xff, vlapic_set_tpr },
    ROW(APR) = { XR, 0, NULL },
    ROW(PPR) = { R, 0, NULL },
    ROW(EOI) = { W, 0, write_eoi },
    ROW(RRD) = { XR, 0, NULL },
    ROW(LDR) = { R | XW, 0xff000000, NULL },
    ROW(DFR) = { XR | XW, DFR_MODEL, write_dfr },
    ROW(SVR) = { RW, 0x3ff, write_svr },
    WORDS(ISR) = { R, 0, NULL },
    WORDS(TMR) = { R, 0, NULL },
    WORDS(IRR) = { R, 0, NULL },
    ROW(ESR) = { RW, 0, write_esr },
    ROW(ICR) = { XR | XW, ~ICR_STATUS, write_icr }, /* the MSR has 64 bits: msr_icr() */
    ROW(ICR2) = { XR | XW, 0xff000000, NULL },
    ROW(LVT_TIMER) = { RW, 0x700ff, write_TIMER },
    ROW(LVT_THERMAL) = { RW, 0x107ff, write_THERMAL },
    ROW(LVT_PMC) = { RW, 0x107ff, write_PMC },
    ROW(LVT_LINT0) = { RW, 0x1a7ff, write_LINT0 },
    ROW(LVT_LINT1) = { RW, 0x1a7ff, write_LINT1 },
    ROW(LVT_ERROR) = { RW, 0x100ff, write_ERROR },
    ROW(TIMER_INIT) = { RW, 0xffffffff, vlapic_timer_start },
    ROW(TIMER_COUNT) = { R, 0, NULL },
    ROW(TIMER_DIVIDE) = { RW, 0xb, vlapic_timer_divide },
    ROW(SELF_IPI) = { W2, 0xff, write_self_ipi },
};

/* ISR, TMR and IRR: 32 bits every 16 bytes. With APIC virtualisation reads cause no exit. */
static uint32_t vectors_read(struct vlapic *apic, unsigned offset)
{
    unsigned half = offset >> REGISTER_SHIFT & (2 * APICV_WORDS - 1);
    uint64_t isr[APICV_WORDS];
    const uint64_t *words = offset < LAPIC_IRR ? apic->level : apic->irr;

    vlapic_isr(apic, isr);
    if (offset < LAPIC_TMR)
        words = isr;
    return (uint32_t)(__atomic_load_n(&words[half / 2], __ATOMIC_RELAXED) >> half % 2 * 32);
}

static uint32_t register_read(struct vlapic *apic, unsigned offset)
{
    vlapic_sync(apic);
    if (offset >= LAPIC_ISR && offset < LAPIC_ESR)
        return vectors_read(apic, offset);
    if (offset == LAPIC_PPR)
        return vlapic_ppr(apic);
    if (offset == LAPIC_TIMER_COUNT)
        return vlapic_timer_count(apic);
    return vlapic_load(apic, offset);
}

static void register_write(struct vlapic *apic, unsigned offset, uint32_t value)
{
    const struct rule *rule = &rules[offset >> REGISTER_SHIFT];

    if (rule->write)
        rule->write(apic, value & rule->mask);
    else
        *vlapic_reg(apic, offset) = value & rule->mask;
}

/* ID and LDR follow the mode (SDM 3A, Deriving Logical x2APIC ID, 11.12.10.2). */
void vlapic_identify(struct vlapic *apic)
{
    uint32_t id = apic->vcpu->apic_id;
    bool x2apic = vlapic_x2apic(apic);

    *vlapic_reg(apic, LAPIC_ID) = x2apic ? id : id << 24;
    *vlapic_reg(apic, LAPIC_LDR) = x2apic ? id >> 4 << 16 | 1u << (id & 15) : 0;
}

/* SDM 3A, "Local APIC State After Power-Up or Reset", 11.4.7.1. */
void vlapic_registers_reset(struct vlapic *apic)
{
    vlapic_timer_stop(apic);
    vlapic_clear_irqs(apic);
    for (unsigned i = 0; i < REGISTERS; i++)
        *vlapic_reg(apic, i << REGISTER_SHIFT) = 0;
    *vlapic_reg(apic, X2APIC_ICR_HIGH) = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(lvt_offsets); i++)
        *vlapic_reg(apic, lvt_offsets[i]) = LAPIC_LVT_MASKED;
    *vlapic_reg(apic, LAPIC_VERSION) = VERSION_VALUE;
    *vlapic_reg(apic, LAPIC_SVR) = SVR_RESET;
    *vlapic_reg(apic, LAPIC_DFR) = DFR_RESET;
    __atomic_store_n(&apic->esr_new, 0, __ATOMIC_RELAXED);
    vlapic_identify(apic);
}

static const struct rule *rule_of(uint64_t offset, unsigned access)
{
    uint64_t index = offset >> REGISTER_SHIFT;

    return index < REGISTERS && rules[index].access & access ? &rules[index] : NULL;
}

static uint64_t msr_offset(uint32_t msr)
{
    return (uint64_t)(msr - MSR_IA32_X2APIC_BASE) << REGISTER_SHIFT;
}

uint32_t vlapic_mmio_read(struct vlapic *apic, uint64_t offset)
{
    if (rule_of(offset, XR))
        return register_read(apic, (unsigned)offset);
    vlapic_error(apic, LAPIC_ESR_REGISTER);
    return 0;
}

void vlapic_mmio_write(struct vlapic *apic, uint64_t offset, uint32_t value)
{
    if (rule_of(offset, XW))
        register_write(apic, (unsigned)offset, value);
    else
        vlapic_error(apic, LAPIC_ESR_REGISTER);
}

static int msr_icr(struct vlapic *apic, uint64_t value)
{
    if ((uint32_t)value & ICR_RESERVED)
        return -EINVAL;
    *vlapic_reg(apic, LAPIC_ICR) = (uint32_t)value;
    *vlapic_reg(apic, X2APIC_ICR_HIGH) = (uint32_t)(value >> 32);
    vlapic_send(apic, (uint32_t)value, (uint32_t)(value >> 32));
    return 0;
}

int vlapic_x2apic_read(struct vlapic *apic, uint32_t msr, uint64_t *value)
{
    uint64_t offset = msr_offset(msr);

    if (!vlapic_x2apic(apic))
        return -EINVAL;
    if (msr == MSR_IA32_X2APIC_ICR) {
        *value = vlapic_load(apic, LAPIC_ICR) | (uint64_t)vlapic_load(apic, X2APIC_ICR_HIGH) << 32;
        return 0;
    }
    if (!rule_of(offset, R2))
        return -EINVAL;
    *value = register_read(apic, (unsigned)offset);
    return 0;
}

int vlapic_x2apic_write(struct vlapic *apic, uint32_t msr, uint64_t value)
{
    const struct rule *rule = rule_of(msr_offset(msr), W2);

    if (unlikely(!vlapic_x2apic(apic)))
        return -EINVAL;
    if (unlikely(!rule))
        return msr == MSR_IA32_X2APIC_ICR ? msr_icr(apic, value) : -EINVAL;
    if (unlikely(value & ~(uint64_t)rule->mask))
        return -EINVAL;
    rule->write(apic, (uint32_t)value); /* each that an MSR writes has one */
    return 0;
}

/* APIC virtualisation has stored the value in the page already. */
void vlapic_write_exit(struct vcpu *vcpu, uint32_t offset)
{
    struct vlapic *apic = vlapic_of(vcpu);

    offset &= ~((1u << REGISTER_SHIFT) - 1);
    if (rule_of(offset, W))
        register_write(apic, offset, vlapic_load(apic, offset));
}

void vlapic_virtual_wire(struct vlapic *apic)
{
    write_svr(apic, SVR_RESET | LAPIC_SVR_ENABLE);
    write_LINT0(apic, (uint32_t)LAPIC_EXTINT << LAPIC_DELIVERY_SHIFT);
    write_LINT1(apic, (uint32_t)LAPIC_NMI << LAPIC_DELIVERY_SHIFT);
}
