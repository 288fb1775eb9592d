/* SPDX-License-Identifier: MIT */
/* What the loader hands over for a VM: what is put into place, and what is refused (build host). */
/* sources: kernel/vm_load.c kernel/vm_alloc.c kernel/vcpu.c kernel/gmem.c kernel/pt.c
 * kernel/pt_change.c kernel/pt_read.c kernel/page.c kernel/iobus.c vmx/ept.c
 * tests/unit/fake_backend.c tests/unit/fake_guest.c tests/unit/fake_stubs.c
 * tests/unit/host_stubs.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/gmem.h"
#include "kernel/page.h"
#include "kernel/vdev.h"
#include "kernel/x86_regs.h"
#include "tests/unit/fake_backend.h"
#include "tests/unit/host_stubs.h"
#include "vmx/ept.h"

#define MIB (1ull << 20)
#define IMAGE_HPA 0x10000ull

static unsigned handoffs[2];

static void record_handoff(struct vcpu *vcpu, enum intc_handoff how)
{
    (void)vcpu;
    handoffs[how]++;
}

static const struct intc_ops intc = { .handoff = record_handoff };

/* A VM of 4 MiB with firmware's area, one segment and the local APIC's registers. */
static void create(enum boot_vm_kind kind)
{
    static const struct boot_range ranges[] = {
        { 0, 0x9f000, BOOT_RANGE_RAM, 0 },
        { 0x9f000, 0x61000, BOOT_RANGE_FIRMWARE, 0 },
        { MIB, 3 * MIB, BOOT_RANGE_RAM, 0 },
        { FAKE_MMIO, PAGE_SIZE, BOOT_RANGE_DEVICES, 0 },
    };

    fake_create(PAGE_SIZE, BOOT_BACKING_EAGER);
    host_pages_init(PAGE_2M, 64 * MIB);
    memset(page_ptr(IMAGE_HPA), 0x5a, 0x3000);
    memset(handoffs, 0, sizeof(handoffs));
    fake.vm.map_count = 0;
    fake.vm.intc = &intc;
    fake.config.kind = kind;
    fake.config.memory = 4 * MIB;
    fake.config.range_count = ARRAY_SIZE(ranges);
    memcpy(fake.config.ranges, ranges, sizeof(ranges));
    fake.config.segment_count = 1;
    fake.config.segments[0] = (struct boot_segment){ IMAGE_HPA, MIB, 0x3000, 0x5000 };
    fake.config.start = (struct boot_start){
        .rip = MIB, .rax = 1, .rbx = 2, .rsi = 3,
        .cr0 = CR0_PG | CR0_ET | CR0_PE, .cr3 = 0x8000, .cr4 = CR4_PAE,
        .efer = EFER_LME | EFER_LMA, .gdt_base = 0x6000, .gdt_limit = 31,
        .code_selector = 0x10, .data_selector = 0x18,
        .code_access = 0xa09b, .data_access = 0xc093,
    };
    assert_int_equal(pt_init(&fake.vm.nested, &ept_format), 0);
}

static int load(void)
{
    int error = vm_load_map(&fake.vm);

    if (!error)
        error = gmem_give_all(&fake.vm);
    return error ? error : vm_load(&fake.vm);
}

static void in_place(void **state)
{
    (void)state;
    create(BOOT_VM_FLAT);
    fake.config.tsc_hz_gpa = 0x7018;
    assert_int_equal(load(), 0);
    assert_int_equal(fake.vm.memory, 4 * MIB);
    assert_int_equal(fake_peek(MIB, 1), 0x5a);
    assert_int_equal(fake_peek(MIB + 0x2fff, 1), 0x5a);
    assert_int_equal(fake_peek(MIB + 0x3000, 1), 0);
    assert_int_equal(fake_peek(0x7018, 8), FAKE_HZ);
    assert_int_equal(fake.vcpus[0].gpr[RAX], 1);
    assert_int_equal(fake.vcpus[0].gpr[RBX], 2);
    assert_int_equal(fake.vcpus[0].gpr[RSI], 3);
    assert_int_equal(vcpu_get(&fake.vcpus[0], VREG_RIP), MIB);
    assert_int_equal(vcpu_get(&fake.vcpus[0], VREG_RFLAGS), RFLAGS_FIXED1);
    assert_int_equal(fake.regs[VREG_CR0], CR0_PG | CR0_ET | CR0_PE);
    assert_int_equal(fake.regs[VREG_CR3], 0x8000);
    assert_int_equal(fake.regs[VREG_CR4], CR4_PAE);
    assert_int_equal(fake.regs[VREG_EFER], EFER_LME | EFER_LMA);
    assert_int_equal(fake.segments[VSEG_CS].selector, 0x10);
    assert_int_equal(fake.segments[VSEG_CS].access, 0xa09b);
    assert_int_equal(fake.segments[VSEG_SS].access, 0xc093);
    assert_int_equal(fake.segments[VSEG_GS].selector, 0x18);
    assert_int_equal(fake.segments[VSEG_DS].limit, 0xffffffff);
    assert_int_equal(fake.segments[VSEG_GDTR].base, 0x6000);
    assert_int_equal(fake.segments[VSEG_GDTR].limit, 31);
    assert_int_equal(handoffs[INTC_HANDOFF_X2APIC] + handoffs[INTC_HANDOFF_VIRTUAL_WIRE], 0);
}

/* A VM that is built anew finds what it found the first time. */
static void built_again(void **state)
{
    (void)state;
    create(BOOT_VM_FLAT);
    assert_int_equal(load(), 0);
    fake_poke(MIB, 0, 8);
    gmem_take_all(&fake.vm);
    pt_destroy(&fake.vm.nested);
    fake.vm.map_count = 0;
    assert_int_equal(pt_init(&fake.vm.nested, &ept_format), 0);
    assert_int_equal(load(), 0);
    assert_int_equal(fake_peek(MIB, 1), 0x5a);
    assert_int_equal(fake_peek(0x7018, 8), 0); /* nobody asked for the rate */
}

static void interrupt_controllers(void **state)
{
    (void)state;
    create(BOOT_VM_LINUX);
    assert_int_equal(load(), 0);
    assert_int_equal(handoffs[INTC_HANDOFF_X2APIC], FAKE_VCPUS);
    create(BOOT_VM_MULTIBOOT);
    assert_int_equal(load(), 0);
    assert_int_equal(handoffs[INTC_HANDOFF_VIRTUAL_WIRE], 1);
    assert_int_equal(handoffs[INTC_HANDOFF_X2APIC], 0);
}

static void bad_maps(void **state)
{
    static const struct boot_range rows[] = {
        { 4 * MIB, 0, BOOT_RANGE_RAM, 0 },
        { 4 * MIB, PAGE_SIZE, BOOT_RANGE_RAM, 0 },        /* more than config->memory */
        { 4 * MIB, 0x1800, BOOT_RANGE_DEVICES, 0 },       /* misaligned */
        { 4 * MIB + 0x800, 0x1000, BOOT_RANGE_DEVICES, 0 },
        { 3 * MIB, PAGE_SIZE, BOOT_RANGE_DEVICES, 0 },    /* overlap */
        { FAKE_MMIO, PAGE_SIZE, BOOT_RANGE_RAM, 0 },
        { 1ull << 36, PAGE_SIZE, BOOT_RANGE_DEVICES, 0 }, /* past the end */
        { (1ull << 36) - PAGE_SIZE, 2 * PAGE_SIZE, BOOT_RANGE_DEVICES, 0 },
        { 4 * MIB, ~0xfffull, BOOT_RANGE_DEVICES, 0 },    /* wraps */
        { ~0xfffull, PAGE_SIZE, BOOT_RANGE_DEVICES, 0 },
        { 4 * MIB, PAGE_SIZE, 0, 0 },                     /* no such kind */
        { 4 * MIB, PAGE_SIZE, BOOT_RANGE_DEVICES + 1, 0 },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        create(BOOT_VM_FLAT);
        fake.config.ranges[fake.config.range_count++] = rows[i];
        assert_int_equal(vm_load_map(&fake.vm), -EINVAL);
    }
    create(BOOT_VM_FLAT);
    fake.config.range_count = BOOT_RANGES_MAX + 1;
    assert_int_equal(vm_load_map(&fake.vm), -EINVAL);
    create(BOOT_VM_FLAT);
    fake.config.range_count = 0;
    assert_int_equal(vm_load_map(&fake.vm), -EINVAL);
    create(BOOT_VM_FLAT);
    fake.config.ranges[fake.config.range_count++] =
        (struct boot_range){ (1ull << 36) - PAGE_SIZE, PAGE_SIZE, BOOT_RANGE_DEVICES, 0 };
    assert_int_equal(vm_load_map(&fake.vm), 0);
}

static void bad_segments(void **state)
{
    static const struct {
        uint64_t gpa, size;
        int error;
    } rows[] = {
        { 3 * MIB, MIB, 0 },
        { 0x9f000, 0x61000, 0 },
        { 3 * MIB, MIB + 1, -EFAULT },
        { 4 * MIB, 1, -EFAULT },
        { FAKE_MMIO, 8, -EFAULT },
        { ~0xfffull, 0x2000, -EFAULT }, /* wraps */
        { MIB, ~0ull, -EFAULT },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        create(BOOT_VM_FLAT);
        fake.config.segments[0].gpa = rows[i].gpa;
        fake.config.segments[0].size = rows[i].size;
        assert_int_equal(load(), rows[i].error);
    }
    create(BOOT_VM_FLAT);
    fake.config.segment_count = BOOT_SEGMENTS_MAX + 1;
    assert_int_equal(load(), -EINVAL);
    create(BOOT_VM_FLAT);
    fake.config.tsc_hz_gpa = 4 * MIB - 4;
    assert_int_equal(load(), -EFAULT);
}

/* A device whose registers RAM would hide, or that the map does not know, is no device. */
static void devices_outside_the_map(void **state)
{
    static const struct {
        uint64_t base, size;
    } rows[] = { { 3 * MIB, PAGE_SIZE }, { 0xc0000000, 8 }, { FAKE_MMIO - 8, 8 },
                 { FAKE_MMIO + PAGE_SIZE, 8 }, { 0x9f000, 8 } };
    static const struct vdev_type type = { .name = "probe" };
    struct vdev dev = { .type = &type, .vm = &fake.vm };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        create(BOOT_VM_FLAT);
        assert_int_equal(vdev_mmio(&dev, rows[i].base, rows[i].size, NULL, NULL), 0);
        assert_int_equal(load(), -EINVAL);
    }
}

static int teardown(void **state)
{
    (void)state;
    fake_destroy();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_place),
        cmocka_unit_test(built_again),
        cmocka_unit_test(interrupt_controllers),
        cmocka_unit_test(bad_maps),
        cmocka_unit_test(bad_segments),
        cmocka_unit_test(devices_outside_the_map),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
