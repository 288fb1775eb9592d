/* SPDX-License-Identifier: MIT */
/*
 * Local APIC and x2APIC of a vCPU in software (root mode). The registers lie in a page in the
 * architectural layout, so that the same page can serve as the virtual-APIC page.
 *
 * What is requested, level-triggered and in service lies beside the page: as 64-bit words and a
 * stack the usual questions cost little, and no other CPU may write into a page that the processor
 * uses. Who may touch what: `irr`, `level`, esr_new and extint are changed atomically from any CPU;
 * everything else only by the CPU that runs the vCPU (or before it ran).
 */
#ifndef DRIVERS_VLAPIC_H
#define DRIVERS_VLAPIC_H

#include "kernel/apicv.h"
#include "kernel/types.h"
#include "kernel/lapic_regs.h"
#include "kernel/vcpu.h"
#include "kernel/x86_regs.h"

struct vioapic;
struct vm;

/* Delivery modes of ICR, LVT and I/O APIC entries, bits 10:8. */
enum lapic_delivery {
    LAPIC_FIXED = 0, LAPIC_LOWEST = 1, LAPIC_SMI = 2, LAPIC_NMI = 4, LAPIC_INIT = 5,
    LAPIC_SIPI = 6, LAPIC_EXTINT = 7,
};

#define LAPIC_VECTOR_MASK 0xffu
#define LAPIC_DELIVERY_SHIFT 8u
#define LAPIC_DELIVERY_MASK (7u << LAPIC_DELIVERY_SHIFT)
#define LAPIC_VECTOR_MIN 16u /* lower ones are illegal */

/* Error status (SDM 3A, Error Handling, 11.5.3) */
#define LAPIC_ESR_SEND_ILLEGAL (1u << 5)
#define LAPIC_ESR_RECEIVE_ILLEGAL (1u << 6)
#define LAPIC_ESR_REGISTER (1u << 7)

struct vlapic {
    uint64_t irr[APICV_WORDS];   /* requested, but not yet of the processor; atomic */
    uint64_t level[APICV_WORDS]; /* TMR; atomic */
    struct vcpu *vcpu;
    uint32_t *page;     /* the registers: index is offset / 4 */
    uint64_t base;      /* IA32_APIC_BASE */
    uint8_t in_service; /* number of vectors in service */
    uint8_t stack[16];  /* these, from 1 on, the highest last: their classes ascend; [0] is 0 */
    uint32_t esr_new;   /* errors since the last write of ESR; atomic */

    struct vtimer timer;
    uint64_t tsc_deadline; /* guest TSC; 0: not armed */
    uint64_t timer_start;  /* host TSC when the count was written; the period's start */

    gpa_t pv_eoi;       /* guest's flag word; 0: not enabled */
    bool pv_eoi_armed;  /* the flag is set: the guest may clear it instead of an EOI */
    bool extint;        /* the PIC asserts INTR (vCPU 0 only); atomic */

    /* APIC virtualisation; vlapic_apicv.c */
    bool hardware; /* the processor delivers: ISR and IRR are in the page, nothing on the stack */
    bool stale;    /* the page was reset: the processor must be told */
    uint64_t eoi_exits[APICV_WORDS]; /* as the processor knows them */
};

/* The interrupt controllers that a VM's vCPUs share; vm->intc_state. */
struct intc_state {
    struct vioapic *ioapic;
    void *pic; /* drivers/vpic.c; NULL: this machine has none */
};
/* Creates it at the first call; NULL: no memory. Only while devices are created. */
struct intc_state *intc_state_get(struct vm *vm);

/* An interrupt message, as a bus carries it (I/O APIC, MSI, ICR). */
struct lapic_message {
    uint32_t destination; /* physical or logical APIC ID */
    uint8_t vector;
    uint8_t delivery; /* enum lapic_delivery */
    bool logical;
    bool level;  /* level-triggered: its EOI goes to the I/O APIC */
    bool x2apic; /* from an x2APIC: 32-bit destination, broadcast is all ones */
};

/* Delivers to every vCPU that the message names; nobody there: lost. From any CPU. */
void lapic_deliver(struct vm *vm, const struct lapic_message *message);

/* INTR of the PIC changed: LINT0 of vCPU 0. VM lock held. */
void vlapic_extint(struct vm *vm, bool asserted);

/* The rest is shared by the vlapic files only. */

static inline struct vlapic *vlapic_of(const struct vcpu *vcpu)
{
    return vcpu->lapic;
}
static inline uint32_t *vlapic_reg(struct vlapic *apic, unsigned offset)
{
    return &apic->page[offset / sizeof(uint32_t)];
}
static inline uint32_t vlapic_load(struct vlapic *apic, unsigned offset)
{
    return __atomic_load_n(vlapic_reg(apic, offset), __ATOMIC_RELAXED);
}
static inline bool vlapic_enabled(const struct vlapic *apic)
{
    return __atomic_load_n(&apic->base, __ATOMIC_RELAXED) & APIC_BASE_EN;
}
static inline bool vlapic_x2apic(const struct vlapic *apic)
{
    return __atomic_load_n(&apic->base, __ATOMIC_RELAXED) & APIC_BASE_EXTD;
}

#define VLAPIC_CLASS_SHIFT 4 /* of a vector or priority */

/* The highest vector in word `w` of a set that is not empty there. */
static inline unsigned vlapic_top(uint64_t word, unsigned w)
{
    return ((unsigned)__builtin_clzll(word) ^ 63u) + 64 * w; /* becomes one BSR */
}
static inline bool vlapic_requested(const struct vlapic *apic)
{
    const volatile uint64_t *irr = apic->irr;

    return irr[0] | irr[1] | irr[2] | irr[3];
}
/* The highest vector in service; 0: none. */
static inline unsigned vlapic_served(const struct vlapic *apic)
{
    return apic->stack[apic->in_service];
}

/* vlapic_irq.c: priorities */
void vlapic_set_irq(struct vlapic *apic, unsigned vector, bool level); /* below 256; any CPU */
void vlapic_error(struct vlapic *apic, uint32_t errors);              /* any CPU */
bool vlapic_has(struct vcpu *vcpu);
int vlapic_take(struct vcpu *vcpu);
void vlapic_eoi(struct vlapic *apic);
void vlapic_sync(struct vlapic *apic); /* before anyone looks at ISR or PPR */
uint32_t vlapic_ppr(struct vlapic *apic);
/* ISR as a set. */
void vlapic_isr(const struct vlapic *apic, uint64_t words[APICV_WORDS]);
void vlapic_set_tpr(struct vlapic *apic, uint32_t tpr);
void vlapic_clear_irqs(struct vlapic *apic);
int vlapic_pv_eoi_msr(struct vcpu *vcpu, uint64_t value);

/* vlapic_apicv.c: with APIC virtualisation */
bool vlapic_apicv_has(struct vcpu *vcpu);
bool vlapic_apicv_wakes(struct vcpu *vcpu);
int vlapic_apicv_take(struct vcpu *vcpu);

/* vlapic_regs.c: -EINVAL: #GP */
uint32_t vlapic_mmio_read(struct vlapic *apic, uint64_t offset);
void vlapic_mmio_write(struct vlapic *apic, uint64_t offset, uint32_t value);
int vlapic_x2apic_read(struct vlapic *apic, uint32_t msr, uint64_t *value);
int vlapic_x2apic_write(struct vlapic *apic, uint32_t msr, uint64_t value);
void vlapic_write_exit(struct vcpu *vcpu, uint32_t offset);
void vlapic_registers_reset(struct vlapic *apic);
void vlapic_identify(struct vlapic *apic); /* after a change of mode */
void vlapic_virtual_wire(struct vlapic *apic);

/* vlapic_extint.c: the PIC's interrupts */
bool vlapic_extint_open(struct vlapic *apic);
int vlapic_extint_take(struct vlapic *apic); /* a vector, or -1: no PIC */
static inline bool vlapic_extint_pending(struct vlapic *apic)
{
    return unlikely(__atomic_load_n(&apic->extint, __ATOMIC_ACQUIRE)) && vlapic_extint_open(apic);
}

/* vlapic_icr.c: messages */
void vlapic_send(struct vlapic *apic, uint32_t command, uint32_t destination);

/* vlapic_timer.c */
void vlapic_timer_init(struct vlapic *apic);
void vlapic_timer_stop(struct vlapic *apic);
void vlapic_timer_lvt(struct vlapic *apic, uint32_t lvt);
void vlapic_timer_divide(struct vlapic *apic, uint32_t divide);
void vlapic_timer_start(struct vlapic *apic, uint32_t count);
uint32_t vlapic_timer_count(struct vlapic *apic);
void vlapic_deadline_set(struct vlapic *apic, uint64_t guest_tsc);

#endif
