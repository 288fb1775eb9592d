/* SPDX-License-Identifier: MIT */
/* sources: drivers/vlapic.c drivers/vlapic_regs.c drivers/vlapic_irq.c drivers/vlapic_icr.c
 * drivers/vlapic_extint.c drivers/vlapic_timer.c drivers/vlapic_apicv.c drivers/vioapic.c
 * kernel/iobus.c kernel/page.c tests/unit/host_stubs.c tests/unit/fake_platform.c */
/* The local APIC: modes, priorities, IPIs, timer, paravirtual EOI (build host). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "drivers/vlapic.h"
#include "boot/machine.h"
#include "tests/unit/fake_platform.h"

/* Of processors: Mullion itself has no use for them. */
#define MSR_IA32_X2APIC_SELF_IPI 0x83f

#define MMIO(reg) (MACHINE_LAPIC_BASE + (reg))
#define MSR(reg) (MSR_IA32_X2APIC_BASE + ((reg) >> 4))
#define BASE_XAPIC (MACHINE_LAPIC_BASE | APIC_BASE_EN)
#define BASE_X2APIC (BASE_XAPIC | APIC_BASE_EXTD)
#define FLAG_GPA 0x5004ull
#define LOGICAL (1u << 11)
#define LEVEL (1u << 15)
#define ASSERTED (1u << 14)

static const struct intc_ops *ops(void)
{
    return fake.vm.intc;
}

static int wrmsr(unsigned vcpu, uint32_t msr, uint64_t value)
{
    return ops()->msr_write(&fake.vcpus[vcpu], msr, value);
}

static uint64_t rdmsr(unsigned vcpu, uint32_t msr)
{
    uint64_t value = 0;

    assert_int_equal(ops()->msr_read(&fake.vcpus[vcpu], msr, &value), 0);
    return value;
}

static int take(unsigned vcpu)
{
    bool has = ops()->has(&fake.vcpus[vcpu]);
    int vector = ops()->take(&fake.vcpus[vcpu]);

    assert_int_equal(has, vector >= 0);
    return vector;
}

static void setup_mode(uint32_t vcpus, bool x2apic)
{
    fake_create(BOOT_VM_FLAT, vcpus, 64ull << 20);
    vm_map_add(&fake.vm, 0, 64ull << 20, GP_RAM);
    fake_devices();
    for (unsigned i = 0; i < vcpus; i++) {
        if (x2apic) {
            assert_int_equal(wrmsr(i, MSR_IA32_APIC_BASE, BASE_X2APIC), 0);
            assert_int_equal(wrmsr(i, MSR(LAPIC_SVR), 0x1ff), 0);
        } else {
            fake_mmio_write(i, MMIO(LAPIC_SVR), 4, 0x1ff);
        }
    }
}

static int setup(void **state)
{
    (void)state;
    setup_mode(2, true);
    return 0;
}

static int setup_xapic(void **state)
{
    (void)state;
    setup_mode(3, false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_destroy();
    return 0;
}

static void reset_values(void **state)
{
    (void)state;
    setup_mode(2, false);
    ops()->reset(&fake.vcpus[1]);
    assert_int_equal(fake_mmio_read(1, MMIO(LAPIC_ID), 4), 1u << 24);
    assert_int_equal(fake_mmio_read(1, MMIO(LAPIC_VERSION), 4), 0x50014);
    assert_int_equal(fake_mmio_read(1, MMIO(LAPIC_SVR), 4), 0xff);
    assert_int_equal(fake_mmio_read(1, MMIO(LAPIC_DFR), 4), 0xffffffff);
    assert_int_equal(fake_mmio_read(1, MMIO(LAPIC_LVT_LINT0), 4), LAPIC_LVT_MASKED);
    assert_int_equal(rdmsr(0, MSR_IA32_APIC_BASE), BASE_XAPIC | APIC_BASE_BSP);
    assert_int_equal(rdmsr(1, MSR_IA32_APIC_BASE), BASE_XAPIC);
}

static void base_transitions(void **state)
{
    (void)state;
    setup_mode(1, false);
    assert_int_equal(wrmsr(0, MSR_IA32_APIC_BASE, MACHINE_LAPIC_BASE | APIC_BASE_EXTD), -EINVAL);
    assert_int_equal(wrmsr(0, MSR_IA32_APIC_BASE, BASE_XAPIC | 1), -EINVAL);
    assert_int_equal(wrmsr(0, MSR_IA32_APIC_BASE, 0x10000000 | APIC_BASE_EN), -EINVAL);
    assert_int_equal(wrmsr(0, MSR_IA32_APIC_BASE, BASE_X2APIC | BIT(60)), -EINVAL);
    assert_int_equal(wrmsr(0, MSR_IA32_APIC_BASE, BASE_X2APIC), 0);
    assert_int_equal(rdmsr(0, MSR_IA32_APIC_BASE), BASE_X2APIC | APIC_BASE_BSP);
    assert_int_equal(wrmsr(0, MSR_IA32_APIC_BASE, BASE_XAPIC), -EINVAL);
    assert_int_equal(fake_mmio_read(0, MMIO(LAPIC_VERSION), 4), (uint64_t)~0ull);
    assert_int_equal(wrmsr(0, MSR_IA32_APIC_BASE, MACHINE_LAPIC_BASE), 0);
    assert_int_equal(wrmsr(0, MSR_IA32_APIC_BASE, BASE_X2APIC), -EINVAL);
    assert_int_equal(wrmsr(0, MSR_IA32_APIC_BASE, BASE_XAPIC), 0);
    assert_int_equal(fake_mmio_read(0, MMIO(LAPIC_SVR), 4), 0xff);
}

static void x2apic_registers(void **state)
{
    uint64_t value;

    (void)state;
    assert_int_equal(rdmsr(1, MSR(LAPIC_ID)), 1);
    assert_int_equal(rdmsr(1, MSR(LAPIC_LDR)), 2);
    assert_int_equal(ops()->msr_read(&fake.vcpus[0], MSR(LAPIC_DFR), &value), -EINVAL);
    assert_int_equal(ops()->msr_read(&fake.vcpus[0], MSR(LAPIC_ICR2), &value), -EINVAL);
    assert_int_equal(ops()->msr_read(&fake.vcpus[0], MSR(LAPIC_EOI), &value), -EINVAL);
    assert_int_equal(ops()->msr_read(&fake.vcpus[0], MSR(LAPIC_SELF_IPI), &value), -EINVAL);
    assert_int_equal(ops()->msr_read(&fake.vcpus[0], 0x840, &value), -EINVAL);
    assert_int_equal(ops()->msr_read(&fake.vcpus[0], 0x8ff, &value), -EINVAL);
    assert_int_equal(wrmsr(0, MSR(LAPIC_ID), 0), -EINVAL);
    assert_int_equal(wrmsr(0, MSR(LAPIC_EOI), 1), -EINVAL);
    assert_int_equal(wrmsr(0, MSR(LAPIC_TPR), 0x100), -EINVAL);
    assert_int_equal(wrmsr(0, MSR(LAPIC_ESR), 1), -EINVAL);
    assert_int_equal(wrmsr(0, MSR_IA32_X2APIC_ICR, 1u << 12), -EINVAL);
    assert_int_equal(wrmsr(0, MSR(LAPIC_SELF_IPI), 0x100), -EINVAL);
    assert_int_equal(wrmsr(0, MSR_IA32_X2APIC_ICR, (7ull << 32) | 0x4031), 0);
    assert_int_equal(rdmsr(0, MSR_IA32_X2APIC_ICR), (7ull << 32) | 0x4031);
}

static void self_ipi_and_eoi(void **state)
{
    (void)state;
    assert_int_equal(take(0), -1);
    assert_int_equal(wrmsr(0, MSR_IA32_X2APIC_SELF_IPI, 0x41), 0);
    assert_int_equal(fake_requests(0), VCPU_REQ_IRQ);
    assert_int_equal(rdmsr(0, MSR(LAPIC_IRR + 0x20)), 2);
    assert_int_equal(take(0), 0x41);
    assert_int_equal(rdmsr(0, MSR(LAPIC_IRR + 0x20)), 0);
    assert_int_equal(rdmsr(0, MSR(LAPIC_ISR + 0x20)), 2);
    assert_int_equal(rdmsr(0, MSR(LAPIC_PPR)), 0x40);
    assert_int_equal(take(0), -1);
    assert_int_equal(wrmsr(0, MSR(LAPIC_EOI), 0), 0);
    assert_int_equal(rdmsr(0, MSR(LAPIC_PPR)), 0);
    assert_int_equal(fake_requests(0), 0);
}

static void priorities_nest(void **state)
{
    (void)state;
    wrmsr(0, MSR_IA32_X2APIC_SELF_IPI, 0x41);
    assert_int_equal(take(0), 0x41);
    wrmsr(0, MSR_IA32_X2APIC_SELF_IPI, 0x4f); /* same class: waits */
    assert_int_equal(take(0), -1);
    wrmsr(0, MSR_IA32_X2APIC_SELF_IPI, 0xfe);
    wrmsr(0, MSR_IA32_X2APIC_SELF_IPI, 0x51);
    assert_int_equal(take(0), 0xfe);
    assert_int_equal(take(0), -1);
    fake_requests(0);
    wrmsr(0, MSR(LAPIC_EOI), 0);
    assert_int_equal(fake_requests(0), VCPU_REQ_IRQ);
    assert_int_equal(take(0), 0x51);
    wrmsr(0, MSR(LAPIC_EOI), 0);
    assert_int_equal(take(0), -1);
    wrmsr(0, MSR(LAPIC_EOI), 0);
    assert_int_equal(take(0), 0x4f);
    wrmsr(0, MSR(LAPIC_EOI), 0);
    wrmsr(0, MSR(LAPIC_EOI), 0); /* one too many: nothing happens */
    assert_int_equal(rdmsr(0, MSR(LAPIC_PPR)), 0);
}

static void task_priority(void **state)
{
    (void)state;
    assert_int_equal(ops()->cr8_write(&fake.vcpus[0], 16), -EINVAL);
    assert_int_equal(ops()->cr8_write(&fake.vcpus[0], 5), 0);
    assert_int_equal(rdmsr(0, MSR(LAPIC_TPR)), 0x50);
    wrmsr(0, MSR_IA32_X2APIC_SELF_IPI, 0x5f);
    assert_int_equal(take(0), -1);
    fake_requests(0);
    wrmsr(0, MSR(LAPIC_TPR), 0x4f);
    assert_int_equal(ops()->cr8_read(&fake.vcpus[0]), 4);
    assert_int_equal(fake_requests(0), VCPU_REQ_IRQ);
    assert_int_equal(take(0), 0x5f);
    assert_int_equal(rdmsr(0, MSR(LAPIC_PPR)), 0x50);
}

static void every_vector(void **state)
{
    (void)state;
    for (unsigned v = LAPIC_VECTOR_MIN; v < 256; v++)
        wrmsr(0, MSR_IA32_X2APIC_SELF_IPI, v);
    for (unsigned v = 255; v >= LAPIC_VECTOR_MIN; v--) {
        assert_int_equal(take(0), (int)v);
        wrmsr(0, MSR(LAPIC_EOI), 0);
    }
    assert_int_equal(take(0), -1);
}

static void illegal_vectors(void **state)
{
    (void)state;
    wrmsr(0, MSR(LAPIC_LVT_ERROR), 0xe1);
    wrmsr(0, MSR_IA32_X2APIC_SELF_IPI, 15);
    wrmsr(0, MSR_IA32_X2APIC_ICR, (1ull << 32) | 3);
    assert_int_equal(take(0), 0xe1);
    assert_int_equal(rdmsr(0, MSR(LAPIC_ESR)), 0);
    wrmsr(0, MSR(LAPIC_ESR), 0);
    assert_int_equal(rdmsr(0, MSR(LAPIC_ESR)), LAPIC_ESR_SEND_ILLEGAL);
    assert_int_equal(take(1), -1);
    wrmsr(0, MSR(LAPIC_LVT_ERROR), 5); /* illegal itself: no endless chain */
    wrmsr(0, MSR_IA32_X2APIC_SELF_IPI, 1);
    wrmsr(0, MSR(LAPIC_ESR), 0);
    assert_int_equal(rdmsr(0, MSR(LAPIC_ESR)), LAPIC_ESR_SEND_ILLEGAL);
}

static void x2apic_destinations(void **state)
{
    (void)state;
    wrmsr(0, MSR_IA32_X2APIC_ICR, (1ull << 32) | 0x31); /* physical */
    assert_int_equal(take(1), 0x31);
    wrmsr(0, MSR_IA32_X2APIC_ICR, (3ull << 32) | LOGICAL | 0x32); /* cluster 0, both */
    assert_int_equal(take(0), 0x32);
    wrmsr(1, MSR(LAPIC_EOI), 0);
    assert_int_equal(take(1), 0x32);
    wrmsr(0, MSR_IA32_X2APIC_ICR, (0x10001ull << 32) | LOGICAL | 0x51); /* cluster 1: nobody */
    wrmsr(0, MSR_IA32_X2APIC_ICR, (0xffull << 32) | 0x52);             /* no such ID */
    assert_int_equal(take(0), -1);
    wrmsr(0, MSR_IA32_X2APIC_ICR, (0xffffffffull << 32) | 0x53);
    assert_int_equal(take(0), 0x53);
    assert_int_equal(take(1), 0x53);
    wrmsr(0, MSR_IA32_X2APIC_ICR, 3u << 18 | 0x61); /* all but self */
    assert_int_equal(take(0), -1);
    assert_int_equal(take(1), 0x61);
    wrmsr(0, MSR_IA32_X2APIC_ICR, 2u << 18 | 0x71); /* all */
    assert_int_equal(take(0), 0x71);
    assert_int_equal(take(1), 0x71);
    wrmsr(0, MSR_IA32_X2APIC_ICR, 1u << 18 | 0x81); /* self */
    assert_int_equal(take(0), 0x81);
    wrmsr(0, MSR_IA32_X2APIC_ICR, (3ull << 32) | LOGICAL | 1u << 8 | 0x91); /* lowest priority */
    assert_int_equal(take(0), 0x91);
    assert_int_equal(take(1), -1);
}

static void xapic_destinations(void **state)
{
    (void)state;
    fake_mmio_write(0, MMIO(LAPIC_LDR), 4, 0x01ull << 24);
    fake_mmio_write(1, MMIO(LAPIC_LDR), 4, 0x02ull << 24);
    fake_mmio_write(2, MMIO(LAPIC_LDR), 4, 0x12ull << 24);
    fake_mmio_write(0, MMIO(LAPIC_ICR2), 4, 0x02ull << 24);
    fake_mmio_write(0, MMIO(LAPIC_ICR), 4, 0x31);
    assert_int_equal(take(2), 0x31);
    fake_mmio_write(0, MMIO(LAPIC_ICR), 4, LOGICAL | 0x41); /* flat: 1 and 2 */
    assert_int_equal(take(1), 0x41);
    assert_int_equal(take(2), 0x41);
    for (unsigned i = 0; i < 3; i++)
        fake_mmio_write(i, MMIO(LAPIC_DFR), 4, 0);
    assert_int_equal(fake_mmio_read(0, MMIO(LAPIC_DFR), 4), 0x0fffffff);
    fake_mmio_write(0, MMIO(LAPIC_ICR), 4, LOGICAL | 0x51); /* cluster 0, bit 1: 1 only */
    assert_int_equal(take(1), 0x51);
    assert_int_equal(take(2), -1);
    fake_mmio_write(0, MMIO(LAPIC_ICR2), 4, 0xffull << 24);
    fake_mmio_write(0, MMIO(LAPIC_ICR), 4, 0x61);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(take(i), 0x61);
    fake_mmio_write(1, MMIO(LAPIC_EOI), 4, 0);
    assert_int_equal(fake_mmio_read(1, MMIO(LAPIC_PPR), 4), 0x50);
}

static void xapic_bad_accesses(void **state)
{
    (void)state;
    assert_int_equal(fake_mmio_read(0, MMIO(LAPIC_SVR), 1), (uint64_t)~0ull);
    assert_int_equal(fake_mmio_read(0, MMIO(LAPIC_SVR + 4), 4), (uint64_t)~0ull);
    assert_int_equal(fake_mmio_read(0, MMIO(0x3f0), 4), 0);
    assert_int_equal(fake_mmio_read(0, MMIO(0xff0), 4), 0);
    fake_mmio_write(0, MMIO(0x400), 4, 0);
    fake_mmio_write(0, MMIO(LAPIC_ESR), 4, 0);
    assert_int_equal(fake_mmio_read(0, MMIO(LAPIC_ESR), 4), LAPIC_ESR_REGISTER);
    assert_int_equal(wrmsr(0, MSR(LAPIC_EOI), 0), -EINVAL);
}

static void init_sipi_nmi(void **state)
{
    (void)state;
    wrmsr(0, MSR_IA32_X2APIC_ICR, (1ull << 32) | LEVEL | ASSERTED | 5u << 8);
    assert_int_equal(fake_requests(1), VCPU_REQ_INIT);
    wrmsr(0, MSR_IA32_X2APIC_ICR, (1ull << 32) | LEVEL | 5u << 8); /* de-assert */
    assert_int_equal(fake_requests(1), 0);
    wrmsr(0, MSR_IA32_X2APIC_ICR, (1ull << 32) | ASSERTED | 6u << 8 | 0x9a);
    assert_int_equal(fake_requests(1), VCPU_REQ_SIPI);
    assert_int_equal(fake.vcpus[1].sipi_vector, 0x9a);
    wrmsr(0, MSR_IA32_X2APIC_ICR, (1ull << 32) | 4u << 8);
    assert_int_equal(fake_requests(1), VCPU_REQ_NMI);
    wrmsr(0, MSR_IA32_X2APIC_ICR, 1u << 18 | 4u << 8); /* invalid: NMI to self by shorthand */
    wrmsr(0, MSR_IA32_X2APIC_ICR, 2u << 18 | 5u << 8); /* invalid: INIT to all */
    wrmsr(0, MSR_IA32_X2APIC_ICR, (9ull << 32) | 5u << 8); /* foreign ID */
    assert_int_equal(fake_requests(0), 0);
    assert_int_equal(fake_requests(1), 0);
}

static void software_disable(void **state)
{
    (void)state;
    wrmsr(0, MSR(LAPIC_LVT_TIMER), 0x40);
    wrmsr(0, MSR(LAPIC_SVR), 0xff);
    assert_int_equal(rdmsr(0, MSR(LAPIC_LVT_TIMER)), LAPIC_LVT_MASKED | 0x40);
    wrmsr(0, MSR(LAPIC_LVT_TIMER), 0x40);
    assert_int_equal(rdmsr(0, MSR(LAPIC_LVT_TIMER)), LAPIC_LVT_MASKED | 0x40);
    wrmsr(0, MSR_IA32_X2APIC_SELF_IPI, 0x41);
    assert_int_equal(take(0), -1);
    wrmsr(1, MSR_IA32_X2APIC_ICR, 4u << 8); /* NMI still comes */
    assert_int_equal(fake_requests(0) & VCPU_REQ_NMI, VCPU_REQ_NMI);
}

static void timer_one_shot(void **state)
{
    (void)state;
    wrmsr(0, MSR(LAPIC_TIMER_DIVIDE), 0xb); /* by 1 */
    wrmsr(0, MSR(LAPIC_LVT_TIMER), 0x50);
    wrmsr(0, MSR(LAPIC_TIMER_INIT), 1000);
    fake_advance(400);
    assert_int_equal(rdmsr(0, MSR(LAPIC_TIMER_COUNT)), 600);
    wrmsr(0, MSR(LAPIC_TIMER_DIVIDE), 0x0); /* by 2: the rest takes twice as long */
    assert_int_equal(rdmsr(0, MSR(LAPIC_TIMER_COUNT)), 600);
    fake_advance(1199);
    assert_int_equal(take(0), -1);
    fake_advance(1);
    assert_int_equal(take(0), 0x50);
    assert_int_equal(rdmsr(0, MSR(LAPIC_TIMER_COUNT)), 0);
    wrmsr(0, MSR(LAPIC_EOI), 0);
    fake_advance(100000);
    assert_int_equal(take(0), -1);
    wrmsr(0, MSR(LAPIC_TIMER_INIT), 1000);
    wrmsr(0, MSR(LAPIC_TIMER_INIT), 0);
    fake_advance(100000);
    assert_int_equal(take(0), -1);
}

static void timer_periodic(void **state)
{
    (void)state;
    wrmsr(0, MSR(LAPIC_TIMER_DIVIDE), 0x3); /* by 16 */
    wrmsr(0, MSR(LAPIC_LVT_TIMER), 1u << 17 | 0x50);
    wrmsr(0, MSR(LAPIC_TIMER_INIT), 1000);
    for (unsigned i = 0; i < 3; i++) {
        fake_advance(15999);
        assert_int_equal(take(0), -1);
        fake_advance(1);
        assert_int_equal(take(0), 0x50);
        wrmsr(0, MSR(LAPIC_EOI), 0);
    }
    fake_advance(16000 * 5 + 10); /* late: one interrupt, and the grid stays */
    assert_int_equal(take(0), 0x50);
    wrmsr(0, MSR(LAPIC_EOI), 0);
    assert_int_equal(take(0), -1);
    fake_advance(15990);
    assert_int_equal(take(0), 0x50);
    wrmsr(0, MSR(LAPIC_TIMER_INIT), 1); /* a flood is slowed down */
    assert_true(fake.vcpus[0].timers->deadline >= fake_tsc + 10000);
    wrmsr(0, MSR(LAPIC_LVT_TIMER), 1u << 17 | LAPIC_LVT_MASKED | 0x50);
    wrmsr(0, MSR(LAPIC_EOI), 0);
    fake_advance(20000);
    assert_int_equal(take(0), -1);
}

static void timer_deadline(void **state)
{
    (void)state;
    fake.vm.tsc_offset = 0 - 500000ull;
    wrmsr(0, MSR_IA32_TSC_DEADLINE, 600000); /* not in deadline mode: ignored */
    assert_int_equal(rdmsr(0, MSR_IA32_TSC_DEADLINE), 0);
    wrmsr(0, MSR(LAPIC_LVT_TIMER), 2u << 17 | 0x60);
    wrmsr(0, MSR(LAPIC_TIMER_INIT), 1000); /* ignored in deadline mode */
    wrmsr(0, MSR_IA32_TSC_DEADLINE, 500100);
    assert_int_equal(rdmsr(0, MSR_IA32_TSC_DEADLINE), 500100);
    fake_advance(99);
    assert_int_equal(take(0), -1);
    fake_advance(1);
    assert_int_equal(take(0), 0x60);
    assert_int_equal(rdmsr(0, MSR_IA32_TSC_DEADLINE), 0);
    wrmsr(0, MSR(LAPIC_EOI), 0);
    wrmsr(0, MSR_IA32_TSC_DEADLINE, 1); /* long past: at once */
    assert_int_equal(take(0), 0x60);
    wrmsr(0, MSR(LAPIC_EOI), 0);
    wrmsr(0, MSR_IA32_TSC_DEADLINE, 600000);
    wrmsr(0, MSR_IA32_TSC_DEADLINE, 0);
    fake_advance(1000000);
    assert_int_equal(take(0), -1);
    wrmsr(0, MSR_IA32_TSC_DEADLINE, ~0ull); /* never, and no overflow */
    assert_int_equal(fake.vcpus[0].timers->deadline, VTIMER_OFF);
    wrmsr(0, MSR(LAPIC_LVT_TIMER), 0x60); /* leaving the mode disarms */
    assert_int_equal(rdmsr(0, MSR_IA32_TSC_DEADLINE), 0);
}

static void pv_eoi(void **state)
{
    (void)state;
    assert_int_equal(ops()->pv_eoi_msr(&fake.vcpus[0], (FLAG_GPA + 2) | 1), -EINVAL);
    assert_int_equal(ops()->pv_eoi_msr(&fake.vcpus[0], (1ull << 40) | 1), -EINVAL);
    assert_int_equal(ops()->pv_eoi_msr(&fake.vcpus[0], FLAG_GPA | 1), 0);
    wrmsr(0, MSR_IA32_X2APIC_SELF_IPI, 0x41);
    assert_int_equal(take(0), 0x41);
    assert_int_equal(fake.ram[FLAG_GPA], 1);
    assert_false(ops()->has(&fake.vcpus[0]));
    assert_int_equal(fake.ram[FLAG_GPA], 1); /* asking changes nothing */
    fake.ram[FLAG_GPA] = 0;                  /* the guest skips its EOI */
    wrmsr(1, MSR_IA32_X2APIC_ICR, 0x42);
    assert_int_equal(take(0), 0x42); /* the skipped one was seen */
    assert_int_equal(fake.ram[FLAG_GPA], 1);
    /* Another comes before the guest's EOI: it has to do a real one. */
    wrmsr(1, MSR_IA32_X2APIC_ICR, 0x43);
    assert_int_equal(take(0), -1);
    assert_int_equal(fake.ram[FLAG_GPA], 0);
    fake_requests(0);
    wrmsr(0, MSR(LAPIC_EOI), 0);
    assert_int_equal(fake_requests(0), VCPU_REQ_IRQ);
    assert_int_equal(take(0), 0x43);
    assert_int_equal(fake.ram[FLAG_GPA], 1);
    wrmsr(0, MSR(LAPIC_EOI), 0); /* a real EOI although the flag allowed to skip it */
    assert_int_equal(fake.ram[FLAG_GPA], 0);
    assert_int_equal(rdmsr(0, MSR(LAPIC_PPR)), 0);
}

static void pv_eoi_never_when_nested_or_level(void **state)
{
    (void)state;
    assert_int_equal(ops()->pv_eoi_msr(&fake.vcpus[0], FLAG_GPA | 1), 0);
    vlapic_set_irq(fake.vcpus[0].lapic, 0x41, true);
    assert_int_equal(take(0), 0x41);
    assert_int_equal(fake.ram[FLAG_GPA], 0);
    wrmsr(0, MSR_IA32_X2APIC_SELF_IPI, 0x61);
    assert_int_equal(take(0), 0x61); /* two in service */
    assert_int_equal(fake.ram[FLAG_GPA], 0);
    wrmsr(0, MSR(LAPIC_EOI), 0);
    wrmsr(0, MSR(LAPIC_EOI), 0);
    wrmsr(0, MSR_IA32_X2APIC_SELF_IPI, 0x61);
    wrmsr(0, MSR_IA32_X2APIC_SELF_IPI, 0x51);
    assert_int_equal(take(0), 0x61); /* one waits */
    assert_int_equal(fake.ram[FLAG_GPA], 0);
    wrmsr(0, MSR(LAPIC_EOI), 0);
    assert_int_equal(take(0), 0x51);
    assert_int_equal(fake.ram[FLAG_GPA], 1);
    assert_int_equal(ops()->pv_eoi_msr(&fake.vcpus[0], 0), 0);
    assert_int_equal(fake.ram[FLAG_GPA], 0);
}

static void virtual_wire(void **state)
{
    (void)state;
    setup_mode(1, false);
    ops()->handoff(&fake.vcpus[0], INTC_HANDOFF_VIRTUAL_WIRE);
    fake.pic_vector = 0x20;
    assert_int_equal(take(0), -1);
    fake_requests(0);
    vlapic_extint(&fake.vm, true);
    assert_int_equal(fake_requests(0), VCPU_REQ_IRQ);
    assert_int_equal(take(0), 0x20);
    assert_int_equal(fake_mmio_read(0, MMIO(LAPIC_PPR), 4), 0); /* not in service here */
    fake_mmio_write(0, MMIO(LAPIC_LVT_LINT0), 4, 0x10700);
    assert_int_equal(take(0), -1);
    fake_requests(0);
    fake_mmio_write(0, MMIO(LAPIC_LVT_LINT0), 4, 0x700);
    assert_int_equal(fake_requests(0), VCPU_REQ_IRQ);
    vlapic_extint(&fake.vm, false);
    assert_int_equal(take(0), -1);
    assert_int_equal(wrmsr(0, MSR_IA32_APIC_BASE, MACHINE_LAPIC_BASE), 0); /* APIC off */
    vlapic_extint(&fake.vm, true);
    assert_int_equal(take(0), 0x20);
}

static void handoff_x2apic(void **state)
{
    (void)state;
    setup_mode(2, false);
    ops()->reset(&fake.vcpus[1]);
    ops()->handoff(&fake.vcpus[1], INTC_HANDOFF_X2APIC);
    assert_int_equal(rdmsr(1, MSR_IA32_APIC_BASE), BASE_X2APIC);
    assert_int_equal(rdmsr(1, MSR(LAPIC_SVR)), 0xff);
    ops()->reset(&fake.vcpus[1]); /* INIT keeps the mode */
    assert_int_equal(rdmsr(1, MSR(LAPIC_ID)), 1);
    assert_int_equal(rdmsr(1, MSR(LAPIC_LDR)), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_XAPIC(name) cmocka_unit_test_setup_teardown(name, setup_xapic, teardown)
#define TEST_PLAIN(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PLAIN(reset_values),
        TEST_PLAIN(base_transitions),
        TEST(x2apic_registers),
        TEST(self_ipi_and_eoi),
        TEST(priorities_nest),
        TEST(task_priority),
        TEST(every_vector),
        TEST(illegal_vectors),
        TEST(x2apic_destinations),
        TEST_XAPIC(xapic_destinations),
        TEST_XAPIC(xapic_bad_accesses),
        TEST(init_sipi_nmi),
        TEST(software_disable),
        TEST(timer_one_shot),
        TEST(timer_periodic),
        TEST(timer_deadline),
        TEST(pv_eoi),
        TEST(pv_eoi_never_when_nested_or_level),
        TEST_PLAIN(virtual_wire),
        TEST_PLAIN(handoff_x2apic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
