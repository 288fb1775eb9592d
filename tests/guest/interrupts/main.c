/* SPDX-License-Identifier: MIT */
/* The local APIC in x2APIC mode: IPIs to self, priorities, EOI, NMI, errors, paravirtual EOI. */
#include "guests/lib/guest.h"

#define MSR_KVM_PV_EOI_EN 0x4b564d04u
#define ESR_SEND_ILLEGAL (1u << 5)
#define ORDER_MAX 64

static volatile unsigned count, order[ORDER_MAX];
static volatile bool nest;
static volatile uint32_t pv_eoi_word __attribute__((aligned(64)));

static void on_interrupt(struct guest_frame *frame)
{
    order[count++ % ORDER_MAX] = (unsigned)frame->vector;
    if (nest)
        sti_nop_cli();
    wrmsr(X2APIC_EOI, 0);
}

static void expect(const unsigned *vectors, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        guest_check_equal(order[i], vectors[i]);
    guest_check_equal(count, n);
    count = 0;
}
#define EXPECT(...)                                                                                \
    expect((const unsigned[]){ __VA_ARGS__ },                                                      \
           sizeof((unsigned[]){ __VA_ARGS__ }) / sizeof(unsigned))

static void icr(uint32_t destination, uint32_t command)
{
    wrmsr(X2APIC_ICR, (uint64_t)destination << 32 | command);
}

static void check_forms(void)
{
    uint32_t ldr = (uint32_t)rdmsr(X2APIC_LDR);

    guest_check_equal(ldr, 1);
    wrmsr(X2APIC_SELF_IPI, 0x40);
    icr(0, ICR_SELF | 0x41);
    icr(0, 0x42);
    icr(ldr, ICR_LOGICAL | 0x43);
    icr(0xffffffff, 0x44);
    icr(0, ICR_ALL | 0x45);
    icr(0, 1u << 8 | 0x46); /* lowest priority */
    icr(0, ICR_OTHERS | 0x47); /* nobody */
    icr(5, 0x48);
    icr(0x00010001, ICR_LOGICAL | 0x49);
    guest_check_equal(count, 0);
    guest_check_equal(rdmsr(X2APIC_IRR + 2), 0x7f);
    sti_nop_cli();
    EXPECT(0x46, 0x45, 0x44, 0x43, 0x42, 0x41, 0x40);
    guest_check_equal(rdmsr(X2APIC_IRR + 2), 0);
}

static void check_priorities(void)
{
    wrmsr(X2APIC_SELF_IPI, 0x50);
    wrmsr(X2APIC_SELF_IPI, 0x41);
    wrmsr(X2APIC_SELF_IPI, 0xf1);
    wrmsr(X2APIC_SELF_IPI, 0x50); /* one at a time */
    sti_nop_cli();
    EXPECT(0xf1, 0x50, 0x41);
    /* the task priority holds back its class and what lies below */
    write_cr8(6);
    guest_check_equal(rdmsr(X2APIC_TPR), 0x60);
    guest_check_equal(rdmsr(X2APIC_PPR), 0x60);
    wrmsr(X2APIC_SELF_IPI, 0x6f);
    wrmsr(X2APIC_SELF_IPI, 0x70);
    sti_nop_cli();
    EXPECT(0x70);
    wrmsr(X2APIC_TPR, 0x5f);
    guest_check_equal(read_cr8(), 5);
    sti_nop_cli();
    EXPECT(0x6f);
    write_cr8(0);
}

static void on_nesting(struct guest_frame *frame)
{
    (void)frame;
    order[count++] = 0x80;
    guest_check_equal(rdmsr(X2APIC_ISR + 4), 1);
    guest_check_equal(rdmsr(X2APIC_PPR), 0x80);
    wrmsr(X2APIC_SELF_IPI, 0x81); /* same class: waits for the EOI */
    wrmsr(X2APIC_SELF_IPI, 0x90); /* higher: nests */
    sti_nop_cli();
    guest_check_equal(count, 2);
    wrmsr(X2APIC_EOI, 0);
    sti_nop_cli();
}

static void check_nesting(void)
{
    guest_on_vector(0x80, on_nesting);
    wrmsr(X2APIC_SELF_IPI, 0x80);
    sti_nop_cli();
    EXPECT(0x80, 0x90, 0x81);
    guest_check_equal(rdmsr(X2APIC_ISR + 4), 0);
}

static volatile unsigned nmis;

/* The second NMI waits until IRET. */
static void on_nmi(struct guest_frame *frame)
{
    (void)frame;
    if (nmis++ == 0) {
        icr(0, ICR_NMI);
        for (unsigned i = 0; i < 3; i++)
            cpuid(0, 0);
        guest_check_equal(nmis, 1);
    }
}

static void check_nmi(void)
{
    guest_on_vector(VECTOR_NMI, on_nmi);
    icr(0, ICR_NMI); /* IF is 0: it comes all the same */
    __asm__ volatile("nop; nop");
    guest_check_equal(nmis, 2);
    icr(0, ICR_NMI);
    guest_check_equal(nmis, 3);
}

static void check_errors(void)
{
    wrmsr(X2APIC_ESR, 0);
    icr(0, ICR_SELF | 5);
    wrmsr(X2APIC_SELF_IPI, 15);
    wrmsr(X2APIC_ESR, 0);
    guest_check(rdmsr(X2APIC_ESR) & ESR_SEND_ILLEGAL);
    wrmsr(X2APIC_ESR, 0);
    guest_check_equal(rdmsr(X2APIC_ESR), 0);
    guest_check_equal(guest_wrmsr(X2APIC_SELF_IPI, 0x100), VECTOR_GP);
    guest_check_equal(guest_wrmsr(X2APIC_ICR, 1ull << 20), VECTOR_GP);
    guest_check_equal(guest_wrmsr(X2APIC_EOI, 1), VECTOR_GP);
    wrmsr(X2APIC_EOI, 0); /* with nothing in service */
}

static void on_pv_eoi(struct guest_frame *frame)
{
    order[count++] = (unsigned)frame->vector;
    if (pv_eoi_word & 1)
        pv_eoi_word = 0; /* instead of an EOI */
    else
        wrmsr(X2APIC_EOI, 0);
}

static void check_pv_eoi(void)
{
    guest_on_vector(0xa0, on_pv_eoi);
    wrmsr(MSR_KVM_PV_EOI_EN, (uint64_t)(uintptr_t)&pv_eoi_word | 1);
    for (unsigned i = 0; i < 3; i++) {
        wrmsr(X2APIC_SELF_IPI, 0xa0);
        sti_nop_cli();
        guest_check_equal(count, i + 1);
    }
    wrmsr(X2APIC_SELF_IPI, 0xa0);
    wrmsr(X2APIC_SELF_IPI, 0x55);
    sti_nop_cli();
    EXPECT(0xa0, 0xa0, 0xa0, 0xa0, 0x55);
    guest_check_equal(rdmsr(X2APIC_ISR + 5), 0);
    guest_check_equal(guest_wrmsr(MSR_KVM_PV_EOI_EN, 0x103), VECTOR_GP);
    wrmsr(MSR_KVM_PV_EOI_EN, 0);
}

static void check_wake(void)
{
    wrmsr(X2APIC_SELF_IPI, 0x40);
    sti_hlt(); /* something waits: it does not sleep */
    EXPECT(0x40);
    icr(0, ICR_NMI);
}

int guest_main(const struct mullion_flat_info *info)
{
    (void)info;
    for (unsigned v = 0x40; v < 0xff; v++)
        guest_on_vector(v, on_interrupt);
    guest_x2apic_on();
    check_forms();
    check_priorities();
    check_nesting();
    check_nmi();
    check_errors();
    check_pv_eoi();
    check_wake();
    return 0;
}
