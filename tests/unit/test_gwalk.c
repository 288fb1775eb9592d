/* SPDX-License-Identifier: MIT */
/* The guest's page tables in all paging modes: addresses, rights, A and D, errors (build host). */
/* sources: kernel/gwalk.c
 * kernel/vcpu.c kernel/gmem.c kernel/pt.c
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
#include "tests/unit/fake_backend.h"

#define MEMORY PAGE_2M
#define ROOT 0x10000ull
#define FRAME 0x55000ull
#define P PTE_P
#define W PTE_W
#define U PTE_U
#define NX PTE_NX

static struct vcpu *const v = &fake.vcpus[0];

static int setup(void **state)
{
    (void)state;
    fake_create(MEMORY, BOOT_BACKING_EAGER);
    fake_long();
    fake.regs[VREG_CR3] = ROOT;
    return 0;
}

/* 4-level tables for one address; each level's entry has `bits`, the leaf `leaf_bits`. */
static void map_long(gva_t gva, uint64_t bits, uint64_t leaf, unsigned leaf_level)
{
    gpa_t table = ROOT;

    for (unsigned level = 4; level >= leaf_level; level--) {
        gpa_t slot = table + (gva >> (3 + 9 * level) & 511) * 8;
        table = ROOT + (5 - level) * PAGE_SIZE;
        fake_poke(slot, level == leaf_level ? leaf : table | bits, 8);
    }
}

static gpa_t slot_long(gva_t gva, unsigned level)
{
    return ROOT + (4 - level) * PAGE_SIZE + (gva >> (3 + 9 * level) & 511) * 8;
}

static gpa_t assert_walk(gva_t gva, unsigned access)
{
    uint32_t error = 0;
    gpa_t gpa = 0;

    assert_int_equal(gwalk(v, gva, access, &gpa, &error), 0);
    return gpa;
}

static uint32_t assert_fault(gva_t gva, unsigned access)
{
    uint32_t error = ~0u;
    gpa_t gpa = 0;

    assert_int_equal(gwalk(v, gva, access, &gpa, &error), -EFAULT);
    return error;
}

static void no_paging(void **state)
{
    (void)state;
    fake_protected();
    assert_int_equal(assert_walk(0x12345678, PT_W | PT_USER), 0x12345678);
    fake_real();
    assert_int_equal(assert_walk(0x1000fffef, PT_X), 0xfffef); /* 32 address bits */
}

static void long_4k(void **state)
{
    gva_t gva = 0xffff812345678abc;

    (void)state;
    map_long(gva, P | W | U, FRAME | P | W | U, 1);
    assert_int_equal(assert_walk(gva, 0), FRAME + 0xabc);
    assert_int_equal(assert_fault(gva + PAGE_SIZE, 0), 0);
    assert_int_equal(assert_fault(gva + PAGE_SIZE, PT_W | PT_USER), PF_ERROR_W | PF_ERROR_U);
    assert_int_equal(assert_fault(gva + PAGE_SIZE, PT_X), PF_ERROR_I);
}

static void long_large(void **state)
{
    gva_t gva = 0x7f1234567890;

    (void)state;
    map_long(gva, P | W | U, 3 * PAGE_2M | P | U | PTE_PS, 2);
    assert_int_equal(assert_walk(gva, 0), 3 * PAGE_2M + (gva & (PAGE_2M - 1)));
    map_long(gva, P | W | U, 5 * PAGE_1G | P | U | PTE_PS, 3);
    assert_int_equal(assert_walk(gva, 0), 5 * PAGE_1G + (gva & (PAGE_1G - 1)));
    /* the PAT bit of a large page is no address bit */
    map_long(gva, P | W | U, 3 * PAGE_2M | P | U | PTE_PS | PTE_PAT_LARGE, 2);
    assert_int_equal(assert_walk(gva, 0), 3 * PAGE_2M + (gva & (PAGE_2M - 1)));
}

/* Each right must be in every level; the weakest decides. */
static void rights(void **state)
{
    static const struct {
        uint64_t table, leaf;
        unsigned access;
        int error; /* -1: fine */
    } rows[] = {
        { P | W | U, P | W | U, PT_W | PT_USER, -1 },
        { P | U, P | W | U, PT_W | PT_USER, PF_ERROR_P | PF_ERROR_W | PF_ERROR_U },
        { P | W | U, P | U, PT_W | PT_USER, PF_ERROR_P | PF_ERROR_W | PF_ERROR_U },
        { P | W, P | W | U, PT_USER, PF_ERROR_P | PF_ERROR_U },
        { P | W | U, P | W, PT_USER, PF_ERROR_P | PF_ERROR_U },
        { P | W, P | W, 0, -1 },
        { P | U, P | W | U, PT_W, PF_ERROR_P | PF_ERROR_W },
        { P | W | U, P | W | U, PT_X, -1 },
        { P | W | U | NX, P | W | U, PT_X, PF_ERROR_P | PF_ERROR_I },
        { P | W | U, P | W | U | NX, PT_X | PT_USER, PF_ERROR_P | PF_ERROR_I | PF_ERROR_U },
        { P | W | U | NX, P | W | U | NX, PT_W | PT_USER, -1 },
        { W | U, P | W | U, PT_W, PF_ERROR_W },
        { P | W | U, W | U, 0, 0 },
    };
    gva_t gva = 0x400000;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(state);
        map_long(gva, rows[i].table, FRAME | rows[i].leaf, 1);
        if (rows[i].error < 0)
            assert_int_equal(assert_walk(gva, rows[i].access), FRAME);
        else
            assert_int_equal(assert_fault(gva, rows[i].access), rows[i].error);
    }
}

static void write_protection_switch(void **state)
{
    (void)state;
    map_long(0, P | U, FRAME | P | U, 1);
    fake.regs[VREG_CR0] &= ~CR0_WP;
    assert_int_equal(assert_walk(0, PT_W), FRAME);
    assert_int_equal(assert_fault(0, PT_W | PT_USER), PF_ERROR_P | PF_ERROR_W | PF_ERROR_U);
}

static void execution_switches(void **state)
{
    (void)state;
    map_long(0, P | W | U, FRAME | P | U | NX, 1);
    fake.regs[VREG_EFER] &= ~EFER_NXE; /* the bit is reserved then */
    assert_int_equal(assert_fault(0, PT_X), PF_ERROR_P | PF_ERROR_RSVD);
    map_long(0, P | W | U, FRAME | P | U, 1);
    assert_int_equal(assert_walk(0, PT_X), FRAME);
    fake.regs[VREG_CR4] |= CR4_SMEP;
    assert_int_equal(assert_fault(0, PT_X), PF_ERROR_P | PF_ERROR_I);
    assert_int_equal(assert_walk(0, PT_X | PT_USER), FRAME);
    map_long(0, P | W | U, FRAME | P, 1);
    assert_int_equal(assert_walk(0, PT_X), FRAME);
}

static void accessed_and_dirty(void **state)
{
    (void)state;
    map_long(0, P | W | U, FRAME | P | U, 1);
    assert_fault(0, PT_W);
    assert_int_equal(fake_peek(slot_long(0, 1), 8), FRAME | P | U); /* a fault marks no leaf */
    assert_walk(0, 0);
    for (unsigned level = 1; level <= 4; level++)
        assert_int_equal(fake_peek(slot_long(0, level), 8) & (PTE_A | PTE_D), PTE_A);
    fake_poke(slot_long(0, 1), FRAME | P | W | U, 8);
    assert_walk(0, PT_W);
    assert_int_equal(fake_peek(slot_long(0, 1), 8) & (PTE_A | PTE_D), PTE_A | PTE_D);
    assert_int_equal(fake_peek(slot_long(0, 2), 8) & (PTE_A | PTE_D), PTE_A);
}

/* SMAP, where AC does not allow it: as the string instructions ask for it. */
static void supervisor_keeps_out(void **state)
{
    (void)state;
    map_long(0, P | W | U, FRAME | P | W | U, 1);
    assert_int_equal(assert_fault(0, GWALK_NOT_USERS), PF_ERROR_P);
    assert_int_equal(assert_fault(0, GWALK_NOT_USERS | PT_W), PF_ERROR_P | PF_ERROR_W);
    map_long(0, P | W, FRAME | P | W | U, 1);
    assert_int_equal(assert_walk(0, GWALK_NOT_USERS), FRAME);
}

#define BEYOND BIT(FAKE_PHYSICAL_BITS)

static void reserved_bits_long(void **state)
{
    static const struct {
        uint64_t bits;
        unsigned level;
        bool leaf, reserved;
    } rows[] = {
        { BEYOND, 1, true, true }, { BIT(51), 1, true, true },
        { BIT(52), 1, true, false }, { BIT(62), 1, true, false }, /* ignored */
        { BEYOND, 2, false, true }, { BEYOND, 3, false, true }, { BEYOND, 4, false, true },
        { PTE_PS, 4, false, true },
        { PTE_PS | BIT(13), 2, true, true }, { PTE_PS | BIT(20), 2, true, true },
        { PTE_PS | BIT(12), 2, true, false }, { PTE_PS | BIT(29), 3, true, true },
        { PTE_PS | BIT(30), 3, true, false },
    };
    uint32_t error;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(state);
        map_long(0, P | W | U, P | W | U, rows[i].leaf ? rows[i].level : 1);
        fake_poke(slot_long(0, rows[i].level),
                  fake_peek(slot_long(0, rows[i].level), 8) | rows[i].bits, 8);
        if (!rows[i].reserved) {
            assert_walk(0, PT_W);
            continue;
        }
        error = assert_fault(0, PT_USER | PT_W);
        assert_int_equal(error, PF_ERROR_P | PF_ERROR_RSVD | PF_ERROR_U | PF_ERROR_W);
    }
    setup(state);
    fake.no_1g_pages = true;
    map_long(0, P | W | U, P | W | U | PTE_PS, 3);
    assert_int_equal(assert_fault(0, 0), PF_ERROR_P | PF_ERROR_RSVD);
}

static void not_canonical(void **state)
{
    (void)state;
    map_long(0, P | W | U, FRAME | P | W | U, 1);
    assert_int_equal(assert_walk(0, 0), FRAME);
    assert_fault(BIT(48), 0);
    assert_fault(BIT(63), 0);
}

/* 32-bit paging: 4-byte entries, 4 MiB pages with PSE-36, no NX. */
static void paging_32(void **state)
{
    gva_t gva = 0xc0123456;

    (void)state;
    fake_protected();
    fake.regs[VREG_CR0] |= CR0_PG | CR0_WP;
    fake.regs[VREG_EFER] = EFER_NXE; /* of no effect here */
    fake_poke(ROOT + (gva >> 22) * 4, 0x11000 | P | W | U, 4);
    fake_poke(0x11000 + (gva >> 12 & 1023) * 4, FRAME | P | U, 4);
    assert_int_equal(assert_walk(gva, PT_X | PT_USER), FRAME + 0x456);
    assert_int_equal(assert_fault(gva, PT_W), PF_ERROR_P | PF_ERROR_W);
    assert_int_equal(assert_fault(gva + PAGE_SIZE, PT_X), 0); /* no I bit without PAE and SMEP */
    assert_int_equal(fake_peek(ROOT + (gva >> 22) * 4, 4) & PTE_A, PTE_A);
    /* bit 7 is a large page only with CR4.PSE */
    fake_poke(ROOT + (gva >> 22) * 4, 0x11000 | P | W | U | PTE_PS, 4);
    assert_int_equal(assert_walk(gva, 0), FRAME + 0x456);
    fake.regs[VREG_CR4] = CR4_PSE;
    fake_poke(ROOT + (gva >> 22) * 4, 0x00c00000 | BIT(21) | P | W | U | PTE_PS, 4);
    assert_int_equal(assert_fault(gva, 0), PF_ERROR_P | PF_ERROR_RSVD);
    fake_poke(ROOT + (gva >> 22) * 4, 0x00c00000 | BIT(20) | P | W | U | PTE_PS, 4);
    assert_int_equal(assert_fault(gva, 0), PF_ERROR_P | PF_ERROR_RSVD); /* address bit 39 */
    fake_poke(ROOT + (gva >> 22) * 4, 0x00c00000 | 5 << 13 | P | W | U | PTE_PS, 4);
    assert_int_equal(assert_walk(gva, PT_W), 5ull << 32 | 0x00c00000 | (gva & 0x3fffff));
    assert_int_equal(fake_peek(ROOT + (gva >> 22) * 4, 4) & PTE_D, PTE_D);
    assert_int_equal(assert_walk(gva | 1ull << 32, 0), 5ull << 32 | 0xc00000 | (gva & 0x3fffff));
}

/* PAE: a root of 32 bytes, PDPTEs without rights, 2 MiB pages. */
static void pae(gpa_t root)
{
    gva_t gva = 0xc0201234;

    fake_protected();
    fake.regs[VREG_CR0] |= CR0_PG | CR0_WP;
    fake.regs[VREG_CR4] = CR4_PAE;
    fake.regs[VREG_EFER] = EFER_NXE;
    fake.regs[VREG_CR3] = root | 0x18; /* PWT and PCD are no address */
    fake_poke(root + 3 * 8, 0x11000 | P, 8);
    fake_poke(0x11000 + 8, 0x12000 | P | W | U, 8);
    fake_poke(0x12000 + 8, FRAME | P | W | U | NX, 8);
    assert_int_equal(assert_walk(gva, PT_W | PT_USER), FRAME + 0x234);
    assert_int_equal(assert_fault(gva, PT_X), PF_ERROR_P | PF_ERROR_I);
    assert_int_equal(fake_peek(root + 3 * 8, 8), 0x11000 | P); /* no A bit */
    fake_poke(0x11000 + 8, 6 * PAGE_2M | P | W | PTE_PS, 8);
    assert_int_equal(assert_walk(gva, PT_W), 6 * PAGE_2M + 0x1234);
    assert_int_equal(assert_fault(gva, PT_USER), PF_ERROR_P | PF_ERROR_U);
    fake_poke(0x11000 + 8, 0x12000 | BIT(62) | P | W | U, 8); /* ignored in long mode only */
    assert_int_equal(assert_fault(gva, 0), PF_ERROR_P | PF_ERROR_RSVD);
    assert_int_equal(assert_fault(0x80000000, 0), 0); /* PDPTE 2 is not present */
}

static void paging_pae(void **state)
{
    const struct backend *registers = backend;
    struct backend memory = *backend;

    memory.pdpte_registers = false;
    backend = &memory;
    pae(ROOT + 0x60);
    backend = registers;
    fake_create(MEMORY, BOOT_BACKING_EAGER);
    fake.regs[VREG_PDPTE3] = 0x11000 | P;
    pae(ROOT + 0x60);
    fake_poke(ROOT + 0x60 + 3 * 8, 0, 8); /* too late: CR3 has been loaded */
    fake_poke(0x11000 + 8, 6 * PAGE_2M | P | W | PTE_PS, 8);
    assert_int_equal(assert_walk(0xc0201234, PT_W), 6 * PAGE_2M + 0x1234);
    (void)state;
}

static void tables_outside_memory(void **state)
{
    (void)state;
    fake.regs[VREG_CR3] = MEMORY;
    assert_fault(0, 0);
    fake.regs[VREG_CR3] = 0xffffffffff000;
    assert_fault(0, 0);
    fake.regs[VREG_CR3] = ROOT;
    map_long(0, P | W | U, FRAME | P, 1);
    fake_poke(slot_long(0, 2), FAKE_MMIO | P | W | U, 8);
    assert_fault(0, 0);
}

static void copies(void **state)
{
    uint8_t bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, back[8] = { 0 };
    uint32_t error = 0;
    gva_t where = 0;

    (void)state;
    map_long(0x1000, P | W | U, FRAME | P | W, 1);
    map_long(0x2000, P | W | U, 0x80000 | P | W, 1);
    assert_int_equal(gwalk_write(v, 0x1ffd, bytes, 8, 0, &where, &error), 0);
    assert_int_equal(fake_peek(FRAME + 0xffd, 3), 0x030201);
    assert_int_equal(fake_peek(0x80000, 4), 0x07060504);
    assert_int_equal(gwalk_read(v, 0x1ffd, back, 8, 0, &where, &error), 0);
    assert_memory_equal(bytes, back, 8);
    /* the fault is where the second page starts */
    fake_poke(slot_long(0x2000, 1), 0, 8);
    assert_int_equal(gwalk_read(v, 0x1ffd, back, 8, 0, &where, &error), -EFAULT);
    assert_int_equal(where, 0x2000);
    assert_int_equal(error, 0);
    assert_int_equal(gwalk_write(v, 0x1ffd, bytes, 8, PT_USER, &where, &error), -EFAULT);
    assert_int_equal(where, 0x1ffd);
    assert_int_equal(error, PF_ERROR_P | PF_ERROR_W | PF_ERROR_U);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(no_paging, setup),
        cmocka_unit_test_setup(long_4k, setup),
        cmocka_unit_test_setup(long_large, setup),
        cmocka_unit_test_setup(rights, setup),
        cmocka_unit_test_setup(write_protection_switch, setup),
        cmocka_unit_test_setup(execution_switches, setup),
        cmocka_unit_test_setup(accessed_and_dirty, setup),
        cmocka_unit_test_setup(supervisor_keeps_out, setup),
        cmocka_unit_test_setup(reserved_bits_long, setup),
        cmocka_unit_test_setup(not_canonical, setup),
        cmocka_unit_test_setup(paging_32, setup),
        cmocka_unit_test_setup(paging_pae, setup),
        cmocka_unit_test_setup(tables_outside_memory, setup),
        cmocka_unit_test_setup(copies, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
