/* SPDX-License-Identifier: MIT */
/* Registers of a local APIC, the CPU's (kernel/lapic.c) and the guest's (drivers/vlapic.h). */
#ifndef KERNEL_LAPIC_REGS_H
#define KERNEL_LAPIC_REGS_H

/* Offsets of registers (SDM 3A, Local APIC Register Address Map, table 11-1). */
enum lapic_reg {
    LAPIC_ID = 0x20, LAPIC_VERSION = 0x30, LAPIC_TPR = 0x80, LAPIC_APR = 0x90, LAPIC_PPR = 0xa0,
    LAPIC_EOI = 0xb0, LAPIC_RRD = 0xc0, LAPIC_LDR = 0xd0, LAPIC_DFR = 0xe0, LAPIC_SVR = 0xf0,
    LAPIC_ISR = 0x100, LAPIC_TMR = 0x180, LAPIC_IRR = 0x200, LAPIC_ESR = 0x280,
    LAPIC_ICR = 0x300, LAPIC_ICR2 = 0x310, LAPIC_LVT_TIMER = 0x320,
    LAPIC_LVT_THERMAL = 0x330, LAPIC_LVT_PMC = 0x340, LAPIC_LVT_LINT0 = 0x350,
    LAPIC_LVT_LINT1 = 0x360, LAPIC_LVT_ERROR = 0x370, LAPIC_TIMER_INIT = 0x380,
    LAPIC_TIMER_COUNT = 0x390, LAPIC_TIMER_DIVIDE = 0x3e0, LAPIC_SELF_IPI = 0x3f0,
};

#define LAPIC_SVR_ENABLE (1u << 8)
#define LAPIC_LVT_MASKED (1u << 16)

#endif
