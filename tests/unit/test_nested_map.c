/* SPDX-License-Identifier: MIT */
/* Type and rights of every range of guest-physical space, for each kind of machine and in the
 * nested tables of both vendors (build host). */
/* sources: boot/machine.c boot/machine_start.c boot/machine_linux.c boot/machine_pc.c
 * boot/machine_flat.c boot/acpi_build.c boot/dsdt.c boot/aml.c boot/mptable.c
 * boot/guest_image.c boot/bzimage.c boot/multiboot.c kernel/vm_load.c kernel/vm_alloc.c
 * kernel/vcpu.c kernel/gmem.c kernel/pt.c
 * kernel/pt_change.c kernel/pt_read.c kernel/page.c kernel/iobus.c vmx/ept.c svm/npt.c
 * kernel/pt_host.c
 * tests/unit/fake_backend.c tests/unit/fake_guest.c tests/unit/fake_stubs.c
 * tests/unit/host_stubs.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "boot/machine_build.h"
#include "kernel/gmem.h"
#include "kernel/x86_regs.h"
#include "svm/npt.h"
#include "tests/unit/fake_backend.h"
#include "tests/unit/host_stubs.h"
#include "vmx/ept.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define RWX (PT_R | PT_W | PT_X)
#define RANGES_MAX 16u
#define INPUT_END (1ull << 48)

static const struct pt_format *const formats[] = { &ept_format, &npt_format, &npt_format_2m };
/* For each of them. */
static const struct pt_format *format;

struct range {
    gpa_t base, end;
    unsigned rights;
    enum pt_type type;
};

struct list {
    struct range ranges[RANGES_MAX];
    unsigned count;
};

/* Neighbours with the same type and rights are one range. */
static int add_leaf(const struct pt_leaf *leaf, void *arg)
{
    struct list *list = arg;
    struct range *last = list->count ? &list->ranges[list->count - 1] : NULL;

    if (last && last->end == leaf->base && last->rights == leaf->rights &&
        last->type == leaf->type) {
        last->end += leaf->size;
        return 0;
    }
    assert_true(list->count < RANGES_MAX);
    list->ranges[list->count++] =
        (struct range){ leaf->base, leaf->base + leaf->size, leaf->rights, leaf->type };
    return 0;
}

/* A VM as vm_build makes it, up to its memory. */
static void build(enum boot_vm_kind kind, uint64_t memory, uint32_t backing)
{
    fake_create(PAGE_SIZE, BOOT_BACKING_DEMAND_4K);
    host_pages_init(PAGE_2M, 64 * MIB);
    fake.vm.map_count = 0;
    fake.config.kind = kind;
    fake.config.memory = memory;
    fake.config.backing = backing;
    assert_int_equal(pt_init(&fake.vm.nested, format), 0);
    machine_map(&fake.config);
    assert_int_equal(vm_load_map(&fake.vm), 0);
    assert_int_equal(gmem_give_all(&fake.vm), 0);
}

/* Host pages are never shared: what the guest has is exactly its memory. */
static int own_page(const struct pt_leaf *leaf, void *arg)
{
    uint64_t *bytes = arg;

    assert_true(leaf->hpa >= PAGE_2M && leaf->hpa % leaf->size == 0);
    *bytes += leaf->size;
    return 0;
}

static const struct {
    enum boot_vm_kind kind;
    uint64_t memory;
    unsigned count;
    struct range ranges[3];
} machines[] = {
    /* all RAM is write-back; firmware's and VGA's area is RAM, too; the rest is a hole */
    { BOOT_VM_LINUX, 48 * MIB, 1, { { 0, 48 * MIB, RWX, PT_WB } } },
    { BOOT_VM_MULTIBOOT, 16 * MIB, 1, { { 0, 16 * MIB, RWX, PT_WB } } },
    { BOOT_VM_FLAT, 3 * MIB, 1, { { 0, 3 * MIB, RWX, PT_WB } } },
};

static void every_range(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        struct list list = { .count = 0 };
        uint64_t bytes = 0;

        build(machines[i].kind, machines[i].memory, BOOT_BACKING_EAGER);
        pt_foreach(&fake.vm.nested, add_leaf, &list);
        assert_int_equal(list.count, machines[i].count);
        for (unsigned n = 0; n < list.count; n++) {
            assert_int_equal(list.ranges[n].base, machines[i].ranges[n].base);
            assert_int_equal(list.ranges[n].end, machines[i].ranges[n].end);
            assert_int_equal(list.ranges[n].rights, machines[i].ranges[n].rights);
            assert_int_equal(list.ranges[n].type, machines[i].ranges[n].type);
        }
        pt_foreach(&fake.vm.nested, own_page, &bytes);
        assert_int_equal(bytes, machines[i].memory);
    }
}

/* Device registers and holes cause exits: nothing may be mapped there. */
static void holes(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        struct pt_leaf leaf;

        build(machines[i].kind, machines[i].memory, BOOT_BACKING_EAGER);
        for (uint32_t n = 0; n < fake.vm.map_count; n++)
            if (fake.vm.map[n].type == GP_MMIO)
                for (gpa_t gpa = 0; gpa < fake.vm.map[n].size; gpa += PAGE_SIZE)
                    assert_false(pt_lookup(&fake.vm.nested, fake.vm.map[n].base + gpa, &leaf));
        for (gpa_t gpa = 0xc0000000; gpa < 4 * GIB; gpa += PAGE_SIZE)
            assert_false(pt_lookup(&fake.vm.nested, gpa, &leaf));
        assert_false(pt_lookup(&fake.vm.nested, INPUT_END - PAGE_SIZE, &leaf));
    }
}

/* More RAM than fits below the 4 GiB hole; on demand, for this build host's sake. */
static void around_the_hole(void)
{
    static const struct range expected[] = {
        { 0, PAGE_SIZE, RWX, PT_WB },
        { 3 * GIB - PAGE_SIZE, 3 * GIB, RWX, PT_WB },
        { 4 * GIB, 4 * GIB + PAGE_SIZE, RWX, PT_WB },
        { 4 * GIB + 16 * MIB - PAGE_SIZE, 4 * GIB + 16 * MIB, RWX, PT_WB },
    };
    static const gpa_t touched[] = { 0, 3 * GIB - 1, 3 * GIB, 4 * GIB - 1, 0xfee00000, 4 * GIB,
                                     4 * GIB + 16 * MIB - 1, 4 * GIB + 16 * MIB };
    struct list list = { .count = 0 };

    build(BOOT_VM_LINUX, 3 * GIB + 16 * MIB, BOOT_BACKING_DEMAND_4K);
    for (size_t i = 0; i < ARRAY_SIZE(touched); i++)
        gmem_demand(&fake.vm, touched[i]);
    pt_foreach(&fake.vm.nested, add_leaf, &list);
    assert_int_equal(list.count, ARRAY_SIZE(expected));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        assert_int_equal(list.ranges[i].base, expected[i].base);
        assert_int_equal(list.ranges[i].end, expected[i].end);
        assert_int_equal(list.ranges[i].rights, expected[i].rights);
        assert_int_equal(list.ranges[i].type, expected[i].type);
    }
}

static void ranges(void **state)
{
    (void)state;
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        format = formats[f];
        every_range();
        holes();
        around_the_hole();
    }
}

/* The entries themselves: write-back and "ignore PAT", whatever the guest's PAT says. */
static int ept_entry(const struct pt_leaf *leaf, void *arg)
{
    unsigned level = leaf->size == PAGE_SIZE ? 1 : leaf->size == PAGE_2M ? 2 : 3;
    uint64_t bits = ept_format.leaf(leaf->hpa, level, leaf->rights, leaf->type);

    (void)arg;
    assert_int_equal(bits >> 3 & 7, MEM_TYPE_WB);
    assert_int_equal(bits >> 6 & 1, 1);
    return 0;
}

/* Walked as accesses of user mode, by entry 0 of the host's PAT: write-back. */
static int npt_entry(const struct pt_leaf *leaf, void *arg)
{
    unsigned level = leaf->size == PAGE_SIZE ? 1 : leaf->size == PAGE_2M ? 2 : 3;
    uint64_t bits = npt_format.leaf(leaf->hpa, level, leaf->rights, leaf->type);

    (void)arg;
    assert_int_equal(bits, leaf->hpa | PTE_P | PTE_W | PTE_U | PTE_A | PTE_D |
                               (level > 1 ? PTE_PS : 0));
    return 0;
}

static void entries(void **state)
{
    (void)state;
    format = &ept_format;
    build(BOOT_VM_LINUX, 48 * MIB, BOOT_BACKING_EAGER);
    pt_foreach(&fake.vm.nested, ept_entry, NULL);
    format = &npt_format;
    build(BOOT_VM_LINUX, 48 * MIB, BOOT_BACKING_EAGER);
    pt_foreach(&fake.vm.nested, npt_entry, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges),
        cmocka_unit_test(entries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
