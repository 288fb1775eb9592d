/* SPDX-License-Identifier: MIT */
/* sources: drivers/vlapic.c drivers/vlapic_regs.c drivers/vlapic_irq.c drivers/vlapic_icr.c
 * drivers/vlapic_extint.c drivers/vlapic_timer.c drivers/vlapic_apicv.c drivers/vioapic.c
 * kernel/iobus.c kernel/page.c tests/unit/host_stubs.c tests/unit/fake_platform.c */
/* The local APIC with APIC virtualisation: who delivers what, and what he is told (build host). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/vlapic.h"
#include "boot/machine.h"
#include "tests/unit/fake_platform.h"

#define MMIO(reg) (MACHINE_LAPIC_BASE + (reg))
#define MSR(reg) (MSR_IA32_X2APIC_BASE + ((reg) >> 4))
#define BASE_XAPIC (MACHINE_LAPIC_BASE | APIC_BASE_EN)
#define BASE_X2APIC (BASE_XAPIC | APIC_BASE_EXTD)
#define SELF (1u << 18)
#define NONE -1

static const struct intc_ops *ops(void)
{
    return fake.vm.intc;
}

static void wrmsr(unsigned vcpu, uint32_t msr, uint64_t value)
{
    assert_int_equal(ops()->msr_write(&fake.vcpus[vcpu], msr, value), 0);
}

static void interrupt(unsigned vcpu, uint8_t vector, bool level)
{
    vlapic_set_irq(vlapic_of(&fake.vcpus[vcpu]), vector, level);
}

/* As kernel/vcpu.c does before an entry. The vector that it injects, or NONE. */
static int enter(unsigned vcpu)
{
    struct vcpu *v = &fake.vcpus[vcpu];
    int vector = fake_requests(vcpu) & VCPU_REQ_IRQ ? ops()->take(v) : NONE;

    ops()->has(v);
    return vector;
}

static bool in_page(unsigned vcpu, unsigned base, uint8_t vector)
{
    uint32_t *page = vlapic_of(&fake.vcpus[vcpu])->page;

    return page[base / 4 + vector / 32 * 4] >> vector % 32 & 1;
}

/* What the processor does with the highest requested vector, and at its EOI. */
static void cpu_delivers(unsigned vcpu, uint8_t vector)
{
    uint32_t *page = fake.apicv[vcpu].page;

    assert_true(in_page(vcpu, LAPIC_IRR, vector));
    page[LAPIC_IRR / 4 + vector / 32 * 4] &= ~(1u << vector % 32);
    page[LAPIC_ISR / 4 + vector / 32 * 4] |= 1u << vector % 32;
    fake.apicv[vcpu].requested = 0;
}

static void cpu_ends(unsigned vcpu, uint8_t vector)
{
    assert_true(in_page(vcpu, LAPIC_ISR, vector));
    fake.apicv[vcpu].page[LAPIC_ISR / 4 + vector / 32 * 4] &= ~(1u << vector % 32);
}

static int setup(void **state)
{
    (void)state;
    fake_create(BOOT_VM_FLAT, 2, 64ull << 20);
    vm_map_add(&fake.vm, 0, 64ull << 20, GP_RAM);
    fake.vm.apicv = true;
    fake_devices();
    for (unsigned i = 0; i < 2; i++)
        fake_mmio_write(i, MMIO(LAPIC_SVR), 4, 0x1ff);
    return 0;
}

static int setup_x2apic(void **state)
{
    setup(state);
    for (unsigned i = 0; i < 2; i++) {
        wrmsr(i, MSR_IA32_APIC_BASE, BASE_X2APIC);
        assert_int_equal(enter(i), NONE);
        assert_ptr_equal(fake.apicv[i].page, vlapic_of(&fake.vcpus[i])->page);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_destroy();
    return 0;
}

static void xapic_mode_is_software(void **state)
{
    (void)state;
    interrupt(0, 0x41, false);
    interrupt(0, 0x61, false);
    assert_int_equal(enter(0), 0x61);
    assert_null(fake.apicv[0].page);
    assert_int_equal(fake_mmio_read(0, MMIO(LAPIC_ISR) + 0x30, 4), 2);
    fake_mmio_write(0, MMIO(LAPIC_EOI), 4, 0);
    assert_int_equal(enter(0), 0x41);
}

static void the_processor_is_told(void **state)
{
    (void)state;
    interrupt(0, 0x41, false);
    interrupt(0, 0x30, false);
    interrupt(0, 0x43, false);
    assert_false(in_page(0, LAPIC_IRR, 0x41)); /* not before its own CPU does it */
    assert_int_equal(enter(0), NONE);
    assert_int_equal(fake.apicv[0].requested, 0x43);
    assert_true(in_page(0, LAPIC_IRR, 0x30) && in_page(0, LAPIC_IRR, 0x41));
    cpu_delivers(0, 0x43);
    interrupt(0, 0x44, false);
    assert_int_equal(enter(0), NONE);
    assert_int_equal(fake.apicv[0].requested, 0x44);
    assert_int_equal(fake.apicv[0].changes, 1);
}

static void ipis(void **state)
{
    (void)state;
    wrmsr(0, MSR_IA32_X2APIC_ICR, 1ull << 32 | 0x51);
    wrmsr(0, MSR_IA32_X2APIC_ICR, SELF | 0x52);
    assert_int_equal(enter(0), NONE);
    assert_int_equal(enter(1), NONE);
    assert_int_equal(fake.apicv[0].requested, 0x52);
    assert_int_equal(fake.apicv[1].requested, 0x51);
}

static void one_request_for_many(void **state)
{
    (void)state;
    fake.kicks = 0;
    interrupt(1, 0x70, false);
    interrupt(1, 0x70, false);
    assert_int_equal(fake.kicks, 1);
    assert_int_equal(enter(1), NONE);
    interrupt(1, 0x70, false);
    assert_int_equal(fake.kicks, 2);
}

static void a_halt_ends_by_priority(void **state)
{
    struct vcpu *v = &fake.vcpus[0];

    (void)state;
    assert_false(ops()->wakes(v));
    interrupt(0, 0x45, false);
    assert_true(ops()->wakes(v));
    assert_false(ops()->has(v)); /* nothing for us to inject */
    fake.apicv[0].page[LAPIC_TPR / 4] = 0x40;
    assert_false(ops()->wakes(v));
    interrupt(0, 0x50, false);
    assert_true(ops()->wakes(v));
    cpu_delivers(0, 0x50);
    assert_false(ops()->wakes(v));
    fake.apicv[0].page[LAPIC_TPR / 4] = 0;
    assert_false(ops()->wakes(v));
    cpu_ends(0, 0x50);
    assert_true(ops()->wakes(v));
}

static void level_triggered_ends_exit(void **state)
{
    (void)state;
    interrupt(0, 0x62, true);
    interrupt(0, 0x63, false);
    enter(0);
    assert_int_equal(fake.apicv[0].eoi_exits[1], BIT(0x62 % 64));
    interrupt(0, 0x62, false); /* the pin is an edge now */
    enter(0);
    assert_int_equal(fake.apicv[0].eoi_exits[1], 0);
}

static void the_mode_changes_in_service(void **state)
{
    (void)state;
    interrupt(0, 0x62, true);
    interrupt(0, 0x42, false);
    assert_int_equal(enter(0), 0x62);
    wrmsr(0, MSR_IA32_APIC_BASE, BASE_X2APIC);
    assert_int_equal(enter(0), NONE);
    assert_int_equal(fake.apicv[0].in_service, 0x62);
    assert_int_equal(fake.apicv[0].requested, 0x42);
    assert_int_equal(fake.apicv[0].eoi_exits[1], BIT(0x62 % 64));
    wrmsr(0, MSR_IA32_APIC_BASE, MACHINE_LAPIC_BASE);
    assert_int_equal(enter(0), NONE);
    assert_null(fake.apicv[0].page);
    assert_false(in_page(0, LAPIC_IRR, 0x42));
}

static void init_starts_over(void **state)
{
    (void)state;
    interrupt(1, 0x71, true);
    enter(1);
    cpu_delivers(1, 0x71);
    interrupt(1, 0x72, false);
    ops()->reset(&fake.vcpus[1]);
    assert_int_equal(enter(1), NONE);
    assert_int_equal(fake.apicv[1].changes, 2);
    assert_int_equal(fake.apicv[1].in_service, 0);
    assert_int_equal(fake.apicv[1].requested, 0);
    assert_int_equal(fake.apicv[1].eoi_exits[1], 0);
    assert_non_null(fake.apicv[1].page); /* INIT keeps the mode */
    assert_false(in_page(1, LAPIC_ISR, 0x71));
}

static void no_paravirtual_eoi(void **state)
{
    (void)state;
    fake.ram[0x5004] = 0;
    assert_int_equal(ops()->pv_eoi_msr(&fake.vcpus[0], 0x5005), 0);
    interrupt(0, 0x42, false);
    assert_int_equal(enter(0), 0x42);
    assert_int_equal(fake.ram[0x5004], 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_x2apic, teardown)
#define TEST_XAPIC(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_XAPIC(xapic_mode_is_software),
        TEST(the_processor_is_told),
        TEST(ipis),
        TEST(one_request_for_many),
        TEST(a_halt_ends_by_priority),
        TEST(level_triggered_ends_exit),
        TEST_XAPIC(the_mode_changes_in_service),
        TEST(init_starts_over),
        TEST_XAPIC(no_paravirtual_eoi),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
