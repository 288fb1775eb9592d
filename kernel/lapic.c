/* SPDX-License-Identifier: MIT */
/* The local APIC of each CPU (root mode). SDM 3A, Advanced Programmable Interrupt Controller. */
#include "kernel/lapic.h"

#include "kernel/hostmap.h"
#include "kernel/irq.h"
#include "kernel/lapic_regs.h"
#include "kernel/log.h"
#include "kernel/x86.h"

#define LAPIC_LVT_NMI            0x400u
#define LAPIC_TIMER_TSC_DEADLINE 0x40000u
#define LAPIC_DIVIDE_BY_1        0xbu
#define ICR_FIXED                0x000u
#define ICR_NMI                  0x400u
#define ICR_INIT                 0x500u
#define ICR_STARTUP              0x600u
#define ICR_PENDING              0x1000u
#define ICR_ASSERT               0x4000u
#define ICR_ALL_OTHERS           0xc0000u

static volatile char *lapic_base; /* NULL: x2APIC mode, or lapic_init() is still to come */
static bool lapic_x2;
static bool lapic_deadline;

static uint32_t lapic_read(enum lapic_reg reg)
{
    if (lapic_x2)
        return (uint32_t)x86_rdmsr(MSR_IA32_X2APIC_BASE + (uint32_t)reg / 16);
    return x86_mmio_read32(lapic_base + reg);
}

static void lapic_write(enum lapic_reg reg, uint32_t value)
{
    if (lapic_x2)
        x86_wrmsr(MSR_IA32_X2APIC_BASE + (uint32_t)reg / 16, value);
    else
        x86_mmio_write32(lapic_base + reg, value);
}

void lapic_init(void)
{
    uint32_t ecx = x86_cpuid(CPUID_FEATURES, 0).ecx;

    lapic_x2 = ecx & CPUID_1_ECX_X2APIC;
    lapic_deadline = ecx & CPUID_1_ECX_TSC_DEADLINE;
    if (!lapic_x2) {
        lapic_base = hostmap_mmio(x86_rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_ADDRESS, PAGE_SIZE);
        if (!lapic_base)
            panic("no memory to map the local APIC");
    }
}

void lapic_init_cpu(void)
{
    uint64_t base = x86_rdmsr(MSR_IA32_APIC_BASE);

    /* From off, x2APIC mode can only be reached through xAPIC mode. */
    x86_wrmsr(MSR_IA32_APIC_BASE, base | APIC_BASE_EN);
    if (lapic_x2)
        x86_wrmsr(MSR_IA32_APIC_BASE, base | APIC_BASE_EN | APIC_BASE_EXTD);
    lapic_write(LAPIC_SVR, LAPIC_SVR_ENABLE | IRQ_VECTOR_SPURIOUS);
    lapic_write(LAPIC_TPR, 0);
    lapic_write(LAPIC_LVT_LINT0, LAPIC_LVT_MASKED);
    lapic_write(LAPIC_LVT_LINT1, LAPIC_LVT_NMI);
    lapic_write(LAPIC_LVT_ERROR, IRQ_VECTOR_ERROR);
    lapic_write(LAPIC_ESR, 0);
    lapic_write(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER,
                IRQ_VECTOR_TIMER | (lapic_deadline ? LAPIC_TIMER_TSC_DEADLINE : 0));
    /* Orders the mode before the first WRMSR of the deadline (SDM 3A, TSC-Deadline Mode). */
    if (lapic_deadline)
        x86_mfence();
}

uint32_t lapic_id(void)
{
    uint32_t id = lapic_read(LAPIC_ID);
    return lapic_x2 ? id : id >> 24;
}

bool lapic_ready(void)
{
    return lapic_x2 || lapic_base;
}

void lapic_eoi(void)
{
    lapic_write(LAPIC_EOI, 0);
}

static void lapic_icr(uint32_t apic_id, uint32_t command)
{
    if (lapic_x2) {
        /* WRMSR to x2APIC registers is not serialising: earlier stores must be seen first. */
        x86_mfence();
        x86_wrmsr(MSR_IA32_X2APIC_ICR, (uint64_t)apic_id << 32 | command);
        return;
    }
    while (x86_mmio_read32(lapic_base + LAPIC_ICR) & ICR_PENDING)
        x86_pause();
    lapic_write(LAPIC_ICR2, apic_id << 24);
    lapic_write(LAPIC_ICR, command);
}

void lapic_send_ipi(uint32_t apic_id, unsigned vector)
{
    lapic_icr(apic_id, ICR_FIXED | ICR_ASSERT | vector);
}

void lapic_send_init(uint32_t apic_id)
{
    lapic_icr(apic_id, ICR_INIT | ICR_ASSERT);
}

void lapic_send_startup(uint32_t apic_id, hpa_t page)
{
    lapic_icr(apic_id, ICR_STARTUP | ICR_ASSERT | (uint32_t)(page >> PAGE_SHIFT));
}

void lapic_send_nmi_others(void)
{
    lapic_icr(0, ICR_NMI | ICR_ASSERT | ICR_ALL_OTHERS);
}

bool lapic_has_deadline(void)
{
    return lapic_deadline;
}

void lapic_timer_deadline(uint64_t tsc)
{
    x86_wrmsr(MSR_IA32_TSC_DEADLINE, tsc);
}

void lapic_timer_count(uint32_t count)
{
    lapic_write(LAPIC_TIMER_INIT, count);
}

uint32_t lapic_timer_left(void)
{
    return lapic_read(LAPIC_TIMER_COUNT);
}
