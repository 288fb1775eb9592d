/* SPDX-License-Identifier: MIT */
/* The VM of tests/unit/fake_backend.h: memory, modes, a device and an interrupt controller
 * (build host). */
#include "tests/unit/fake_backend.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/gmem.h"
#include "tests/unit/host_stubs.h"
#include "vmx/ept.h"

#define HOST_MEMORY (16ull << 20)

/* An interrupt controller with at most one interrupt. */
static bool intc_has(struct vcpu *v)
{
    (void)v;
    return fake.vector >= 0;
}

static int intc_take(struct vcpu *v)
{
    int vector = fake.vector;

    (void)v;
    fake.vector = -1;
    return vector;
}

static int intc_msr_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v;
    fake.intc_msr = msr;
    *value = msr;
    return 0;
}

static int intc_msr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)v;
    (void)value;
    fake.intc_msr = msr;
    return 0;
}

static int intc_pv_eoi(struct vcpu *v, uint64_t value)
{
    (void)v;
    return value & 2 ? -EINVAL : 0;
}

static uint64_t intc_cr8_read(struct vcpu *v)
{
    (void)v;
    return fake.cr8;
}

static int intc_cr8_write(struct vcpu *v, uint64_t value)
{
    (void)v;
    fake.cr8 = value;
    return value > 15 ? -EINVAL : 0;
}

static void intc_reset(struct vcpu *v)
{
    (void)v;
}

static const struct intc_ops fake_intc = {
    .has = intc_has, .wakes = intc_has, .take = intc_take,
    .msr_read = intc_msr_read, .msr_write = intc_msr_write, .pv_eoi_msr = intc_pv_eoi,
    .cr8_read = intc_cr8_read, .cr8_write = intc_cr8_write, .reset = intc_reset,
};

/* A device of plain registers that writes down what is done to it. */
static void note(uint64_t offset, unsigned size, uint64_t value, bool write)
{
    assert_true(fake.access_count < ARRAY_SIZE(fake.accesses));
    assert_true(lock_held(&fake.vm.lock));
    fake.accesses[fake.access_count++] = (struct fake_access){ offset, value, size, write };
}

static uint64_t device_read(struct vdev *dev, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    (void)dev;
    memcpy(&value, (uint8_t *)fake.registers + offset, size);
    note(offset, size, value, false);
    return value;
}

static void device_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)
{
    (void)dev;
    note(offset, size, value, true);
    memcpy((uint8_t *)fake.registers + offset, &value, size);
}

static void segment(enum vseg seg, uint16_t selector, uint32_t limit, uint32_t access)
{
    fake.segments[seg] = (struct vsegment){ selector, limit, access, 0 };
}

static void segments(uint32_t code, uint32_t data, uint32_t limit)
{
    for (unsigned seg = VSEG_ES; seg <= VSEG_GS; seg++)
        segment((enum vseg)seg, seg == VSEG_CS ? 8 : 16, limit, seg == VSEG_CS ? code : data);
}

void fake_real(void)
{
    segments(0x9b, 0x93, UINT16_MAX);
    fake.regs[VREG_CR0] = CR0_ET;
    fake.regs[VREG_CR4] = fake.regs[VREG_EFER] = 0;
}

void fake_protected(void)
{
    segments(0xc09b, 0xc093, UINT32_MAX);
    fake.regs[VREG_CR0] = CR0_ET | CR0_PE;
    fake.regs[VREG_CR4] = fake.regs[VREG_EFER] = 0;
}

void fake_long(void)
{
    segments(0xa09b, 0xc093, UINT32_MAX);
    fake.regs[VREG_CR0] = CR0_PG | CR0_WP | CR0_ET | CR0_PE;
    fake.regs[VREG_CR4] = CR4_PAE;
    fake.regs[VREG_EFER] = EFER_LME | EFER_LMA | EFER_NXE;
}

void fake_cpl(unsigned cpl)
{
    uint32_t mask = 3u << SEGMENT_ACCESS_DPL_SHIFT, dpl = cpl << SEGMENT_ACCESS_DPL_SHIFT;

    fake.segments[VSEG_CS].access = (fake.segments[VSEG_CS].access & ~mask) | dpl;
    fake.segments[VSEG_SS].access = (fake.segments[VSEG_SS].access & ~mask) | dpl;
}

void fake_create(uint64_t memory, uint32_t backing)
{
    memset(&fake, 0, sizeof(fake));
    host_pages_init(PAGE_2M, HOST_MEMORY);
    fake.vector = -1;
    fake.features = VFEATURE_RDTSCP | VFEATURE_INVPCID | VFEATURE_XSAVES;
    fake.timer = VTIMER_OFF;
    fake.config.backing = backing;
    fake.config.vcpu_count = FAKE_VCPUS;
    fake.vm.config = &fake.config;
    fake.vm.intc = &fake_intc;
    fake.vm.memory = memory;
    strcpy(fake.vm.name, "test");
    lock_init(&fake.vm.lock, LOCK_RANK_VM, "vm");
    fake.vm.vcpu_count = FAKE_VCPUS;
    for (uint32_t i = 0; i < FAKE_VCPUS; i++) {
        fake.vcpus[i] = (struct vcpu){ .vm = &fake.vm, .id = i, .apic_id = i, .cpu = this_cpu(),
                                       .slice_end = VTIMER_OFF, .state = VCPU_RUNNABLE };
        fake.vm.vcpus[i] = &fake.vcpus[i];
    }
    fake.regs[VREG_RFLAGS] = RFLAGS_FIXED1;
    fake.vm.map[fake.vm.map_count++] = (struct gp_region){ 0, memory, GP_RAM };
    assert_int_equal(pt_init(&fake.vm.nested, &ept_format), 0);
    assert_int_equal(gmem_give_all(&fake.vm), 0);
    assert_int_equal(iobus_add(&fake.vm.mmio, FAKE_MMIO, PAGE_SIZE, NULL, device_read,
                               device_write), 0);
    assert_int_equal(iobus_add(&fake.vm.pio, FAKE_PORT, 8, NULL, device_read, device_write), 0);
    fake_protected();
}

void fake_destroy(void)
{
    assert_int_equal(host_locks_held(), 0);
    memset(&fake, 0, sizeof(fake));
}

enum verdict fake_handle(struct vmexit *exit)
{
    fake_begin(exit->length > 0);
    SET_FOREACH(p, exit_handler)
        if ((*p)->kind == exit->kind)
            return (*p)->handle(&fake.vcpus[0], exit);
    fail_msg("exit kind %u has no handler that is linked", exit->kind);
    return VERDICT_STOP;
}

enum verdict fake_insist(struct vmexit *exit)
{
    enum verdict verdict = VERDICT_RETRY;

    for (unsigned i = 0; i < 300 && verdict == VERDICT_RETRY; i++)
        verdict = fake_handle(exit);
    return verdict;
}

void fake_poke(gpa_t gpa, uint64_t value, unsigned size)
{
    assert_int_equal(gmem_write(&fake.vm, gpa, &value, size), 0);
}

uint64_t fake_peek(gpa_t gpa, unsigned size)
{
    uint64_t value = 0;

    assert_int_equal(gmem_read(&fake.vm, gpa, &value, size), 0);
    return value;
}

/* error_code: -1: none is pushed. */
void assert_exception(unsigned vector, int error_code)
{
    const struct vevent *event = &fake.vcpus[0].event;

    assert_int_equal(event->type, VEVENT_EXCEPTION);
    assert_int_equal(event->vector, vector);
    assert_int_equal(event->has_error_code, error_code >= 0);
    if (error_code >= 0)
        assert_int_equal(event->error_code, error_code);
}

void assert_no_event(void)
{
    assert_int_equal(fake.vcpus[0].event.type, VEVENT_NONE);
    assert_int_equal(fake.failures, 0);
}
