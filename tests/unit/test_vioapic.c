/* SPDX-License-Identifier: MIT */
/* sources: drivers/vlapic.c drivers/vlapic_regs.c drivers/vlapic_irq.c drivers/vlapic_icr.c
 * drivers/vlapic_extint.c drivers/vlapic_timer.c drivers/vlapic_apicv.c drivers/vioapic.c
 * kernel/iobus.c kernel/page.c tests/unit/host_stubs.c tests/unit/fake_platform.c */
/* The I/O APIC: registers, edge and level, EOI (build host). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "drivers/vioapic.h"
#include "drivers/vlapic.h"
#include "boot/machine.h"
#include "tests/unit/fake_platform.h"

#define REDIR_LOW(pin) (0x10u + 2 * (pin))
#define REDIR_HIGH(pin) (REDIR_LOW(pin) + 1)
#define LEVEL 0x8000u
#define MASKED 0x10000u
#define REMOTE_IRR 0x4000u
#define LOGICAL 0x800u

static uint32_t ioapic_read(unsigned index)
{
    fake_mmio_write(0, MACHINE_IOAPIC_BASE, 4, index);
    return (uint32_t)fake_mmio_read(0, MACHINE_IOAPIC_BASE + 0x10, 4);
}

static void ioapic_write(unsigned index, uint32_t value)
{
    fake_mmio_write(0, MACHINE_IOAPIC_BASE, 4, index);
    fake_mmio_write(0, MACHINE_IOAPIC_BASE + 0x10, 4, value);
}

static void line(unsigned gsi, bool level)
{
    lock_acquire(&fake.vm.lock);
    fake.vm.intc->line(&fake.vm, gsi, level);
    lock_release(&fake.vm.lock);
}

static int take(unsigned vcpu)
{
    return fake.vm.intc->take(&fake.vcpus[vcpu]);
}

static void eoi(unsigned vcpu)
{
    fake_mmio_write(vcpu, MACHINE_LAPIC_BASE + LAPIC_EOI, 4, 0);
}

static int setup(void **state)
{
    (void)state;
    fake_create(BOOT_VM_MULTIBOOT, 2, 64ull << 20);
    fake_devices();
    for (unsigned i = 0; i < 2; i++)
        fake_mmio_write(i, MACHINE_LAPIC_BASE + LAPIC_SVR, 4, 0x1ff);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_destroy();
    return 0;
}

static void registers(void **state)
{
    (void)state;
    assert_int_equal(ioapic_read(0), 2u << 24); /* no vCPU's ID */
    ioapic_write(0, 0xffffffff);
    assert_int_equal(ioapic_read(0), 0x0f000000);
    assert_int_equal(ioapic_read(1), 0x170020);
    assert_int_equal(ioapic_read(REDIR_LOW(0)), MASKED);
    assert_int_equal(ioapic_read(REDIR_HIGH(23)), 0);
    assert_int_equal(ioapic_read(0x40), 0xffffffff); /* no pin 24 */
    ioapic_write(0x40, 0);
    ioapic_write(REDIR_LOW(23), 0xffffffff);
    ioapic_write(REDIR_HIGH(23), 0xffffffff);
    assert_int_equal(ioapic_read(REDIR_LOW(23)), 0x1afff); /* read-only bits stay 0 */
    assert_int_equal(ioapic_read(REDIR_HIGH(23)), 0xff000000);
    assert_int_equal(fake_mmio_read(0, MACHINE_IOAPIC_BASE + 0x20, 4), (uint64_t)~0ull);
}

static void edge(void **state)
{
    (void)state;
    ioapic_write(REDIR_LOW(4), 0x34);
    ioapic_write(REDIR_HIGH(4), 1u << 24);
    line(4, true);
    assert_int_equal(take(0), -1);
    assert_int_equal(take(1), 0x34);
    line(4, true); /* no new edge */
    eoi(1);
    assert_int_equal(take(1), -1);
    line(4, false);
    line(4, true);
    assert_int_equal(take(1), 0x34);
    eoi(1);
    line(4, false);
    ioapic_write(REDIR_LOW(4), MASKED | 0x34);
    line(4, true); /* masked: lost */
    ioapic_write(REDIR_LOW(4), 0x34);
    assert_int_equal(take(1), -1);
    assert_int_equal(fake.pic_lines, 1u << 4);
}

static void level_until_eoi(void **state)
{
    (void)state;
    ioapic_write(REDIR_LOW(9), LEVEL | 0x39);
    line(9, true);
    assert_int_equal(ioapic_read(REDIR_LOW(9)), REMOTE_IRR | LEVEL | 0x39);
    assert_int_equal(take(0), 0x39);
    eoi(0); /* still asserted: again */
    assert_int_equal(take(0), 0x39);
    line(9, false);
    eoi(0);
    assert_int_equal(ioapic_read(REDIR_LOW(9)), LEVEL | 0x39);
    assert_int_equal(take(0), -1);
    line(9, true); /* masked while asserted, delivered when opened */
    assert_int_equal(take(0), 0x39);
    ioapic_write(REDIR_LOW(9), MASKED | LEVEL | 0x39);
    eoi(0);
    assert_int_equal(take(0), -1);
    ioapic_write(REDIR_LOW(9), LEVEL | 0x39);
    assert_int_equal(take(0), 0x39);
    line(9, false);
    fake_mmio_write(0, MACHINE_IOAPIC_BASE + 0x40, 4, 0x39); /* EOI register */
    assert_int_equal(ioapic_read(REDIR_LOW(9)), LEVEL | 0x39);
}

static void remote_irr_goes_with_edge_mode(void **state)
{
    (void)state;
    ioapic_write(REDIR_LOW(9), LEVEL | 0x39);
    line(9, true);
    ioapic_write(REDIR_LOW(9), MASKED | 0x39);
    assert_int_equal(ioapic_read(REDIR_LOW(9)), MASKED | 0x39);
}

static void destinations(void **state)
{
    (void)state;
    fake_mmio_write(0, MACHINE_LAPIC_BASE + LAPIC_LDR, 4, 0x01000000);
    fake_mmio_write(1, MACHINE_LAPIC_BASE + LAPIC_LDR, 4, 0x02000000);
    ioapic_write(REDIR_LOW(5), LOGICAL | 0x35);
    ioapic_write(REDIR_HIGH(5), 3u << 24);
    line(5, true);
    assert_int_equal(take(0), 0x35);
    assert_int_equal(take(1), 0x35);
    ioapic_write(REDIR_LOW(6), 0x46);
    ioapic_write(REDIR_HIGH(6), 0x77u << 24);
    line(6, true); /* nobody */
    assert_int_equal(take(0), -1);
    fake_requests(1);
    ioapic_write(REDIR_HIGH(6), 1u << 24);
    ioapic_write(REDIR_LOW(6), 4u << 8); /* NMI */
    line(6, false);
    line(6, true);
    assert_int_equal(fake_requests(1), VCPU_REQ_NMI);
}

static void isa_timer_goes_to_pin_2(void **state)
{
    (void)state;
    ioapic_write(REDIR_LOW(0), 0x30);
    ioapic_write(REDIR_LOW(2), 0x32);
    line(0, true);
    assert_int_equal(take(0), 0x32);
    assert_int_equal(fake.pic_lines, 1);
    line(24, true);
    line(1000000, true);
    assert_int_equal(fake.pic_lines, 1);
}

static void x2apic_targets(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++)
        fake.vm.intc->handoff(&fake.vcpus[i], INTC_HANDOFF_X2APIC);
    ioapic_write(REDIR_LOW(5), 0x35);
    ioapic_write(REDIR_HIGH(5), 1u << 24);
    line(5, true);
    assert_int_equal(take(1), 0x35);
    ioapic_write(REDIR_LOW(6), LOGICAL | 0x46); /* cluster 0 */
    ioapic_write(REDIR_HIGH(6), 2u << 24);
    line(6, true);
    assert_int_equal(take(1), 0x46);
    ioapic_write(REDIR_LOW(7), 0x57);
    ioapic_write(REDIR_HIGH(7), 0xffu << 24); /* broadcast */
    line(7, true);
    assert_int_equal(take(0), 0x57);
    assert_int_equal(take(1), 0x57);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(registers),
        TEST(edge),
        TEST(level_until_eoi),
        TEST(remote_irr_goes_with_edge_mode),
        TEST(destinations),
        TEST(isa_timer_goes_to_pin_2),
        TEST(x2apic_targets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
