/* SPDX-License-Identifier: MIT */
/* Nested tables of VT-x and AMD-V: entries by the manual, formats by capability, a guest's map
 * (build host). */
/* sources: vmx/ept.c svm/npt.c kernel/pt_host.c kernel/pt.c kernel/pt_change.c kernel/pt_read.c
 * kernel/page.c tests/unit/host_stubs.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/page.h"
#include "kernel/x86_regs.h"
#include "svm/npt.h"
#include "tests/unit/host_stubs.h"
#include "vmx/ept.h"

#define RWX (PT_R | PT_W | PT_X)
/* Bits of an entry (SDM 3C, "Format of an EPT Page-Table Entry that Maps a 4-KByte Page") */
#define R 1u
#define W 2u
#define X 4u
#define UC (0u << 3)
#define WC (1u << 3)
#define WB (6u << 3)
#define IGNORE_PAT 0x40u
#define LARGE 0x80u

static int setup(void **state)
{
    (void)state;
    host_pages_init(PAGE_2M, 8 * PAGE_2M);
    return 0;
}

static void entries_by_the_manual(void **state)
{
    const struct pt_format *f = &ept_format;

    (void)state;
    assert_int_equal(f->leaf(0x5000, 1, RWX, PT_WB), 0x5000 | R | W | X | WB | IGNORE_PAT);
    assert_int_equal(f->leaf(PAGE_2M, 2, PT_R | PT_W, PT_WB),
                     PAGE_2M | R | W | WB | IGNORE_PAT | LARGE);
    assert_int_equal(f->leaf(PAGE_1G, 3, PT_R, PT_UC), PAGE_1G | R | UC | IGNORE_PAT | LARGE);
    assert_int_equal(f->leaf(0, 1, PT_R, PT_WC), R | WC | IGNORE_PAT);
    assert_int_equal(f->table_bits, R | W | X);
    assert_int_equal(f->present_mask, R | W | X);
}

/* SDM 3C, "EPT Misconfigurations": not readable, reserved bits, reserved memory types. */
static void no_misconfiguration(void **state)
{
    (void)state;
    for (unsigned level = 1; level <= 3; level++)
        for (unsigned rights = PT_R; rights < 16; rights += 2)
            for (enum pt_type type = PT_WB; type <= PT_WC; type++) {
                uint64_t e = ept_format.leaf(7 * PAGE_1G, level, rights, type);
                uint64_t low = (PAGE_SIZE << (9 * (level - 1))) - 1;

                assert_true(e & R);
                assert_int_equal(e & low & ~0xffull, 0);
                assert_int_equal(e >> 52, 0);
                assert_true((e & 0x38) == UC || (e & 0x38) == WC || (e & 0x38) == WB);
                assert_int_equal((e & LARGE) != 0, level > 1);
                assert_int_equal(ept_format.rights(e), rights & RWX);
                assert_int_equal(ept_format.type(e, level), type);
            }
}

/* APM 2, "Nested Paging": entries of long mode, each access a user's; types by the host's PAT. */
static void npt_entries_by_the_manual(void **state)
{
    const struct pt_format *f = &npt_format;
    const uint64_t used = PTE_P | PTE_U | PTE_A | PTE_D;

    (void)state;
    assert_int_equal(f->leaf(0x5000, 1, RWX, PT_WB), 0x5000 | used | PTE_W);
    assert_int_equal(f->leaf(PAGE_2M, 2, PT_R | PT_W, PT_WB),
                     PAGE_2M | used | PTE_W | PTE_PS | PTE_NX);
    assert_int_equal(f->leaf(PAGE_1G, 3, PT_R | PT_X, PT_UC),
                     PAGE_1G | used | PTE_PS | PTE_PCD | PTE_PWT);
    assert_int_equal(f->leaf(0, 1, PT_R, PT_WC), used | PTE_PWT | PTE_NX);
    assert_int_equal(f->table_bits, PTE_P | PTE_W | PTE_U | PTE_A);
    assert_int_equal(f->present_mask, PTE_P);
    assert_int_equal(f->largest_level, 3);
    assert_int_equal(npt_format_2m.largest_level, 2);
    for (unsigned level = 1; level <= 3; level++)
        for (unsigned rights = PT_R; rights < PT_USER; rights += 2)
            for (enum pt_type type = PT_WB; type <= PT_WC; type++) {
                uint64_t e = f->leaf(7 * PAGE_1G, level, rights, type);

                assert_true(e & PTE_U);
                assert_int_equal(e & PTE_ADDRESS, 7 * PAGE_1G);
                assert_int_equal(f->rights(e), rights);
                assert_int_equal(f->type(e, level), type);
            }
}

static void format_by_capability(void **state)
{
    (void)state;
    assert_ptr_equal(ept_nested_format(), &ept_format_4k);
    ept_set_capabilities(EPT_CAP_2M | EPT_CAP_1G, true);
    assert_ptr_equal(ept_nested_format(), &ept_format);
    ept_set_capabilities(EPT_CAP_2M, true);
    assert_ptr_equal(ept_nested_format(), &ept_format_2m);
    ept_set_capabilities(EPT_CAP_1G, true);
    assert_ptr_equal(ept_nested_format(), &ept_format_4k);
    assert_int_equal(ept_format_4k.largest_level, 1);
    assert_int_equal(ept_format_2m.largest_level, 2);
    assert_int_equal(ept_format.largest_level, 3);
}

static void pointer(void **state)
{
    struct pt pt = { .format = &ept_format, .root = 0x123456000 };

    (void)state;
    assert_int_equal(ept_pointer(&pt), 0x12345601e); /* write-back, walk length 4, no A/D */
}

struct range {
    gpa_t start, end;
    unsigned rights;
    enum pt_type type;
};

struct ranges {
    struct range list[16];
    unsigned count;
};

/* Joins adjacent leaves of one kind. */
static int collect(const struct pt_leaf *leaf, void *arg)
{
    struct ranges *ranges = arg;
    struct range *last = ranges->count ? &ranges->list[ranges->count - 1] : NULL;

    if (last && last->end == leaf->base && last->rights == leaf->rights &&
        last->type == leaf->type) {
        last->end += leaf->size;
        return 0;
    }
    assert_true(ranges->count < ARRAY_SIZE(ranges->list));
    ranges->list[ranges->count++] =
        (struct range){ leaf->base, leaf->base + leaf->size, leaf->rights, leaf->type };
    return 0;
}

/* A guest as kernel/ maps one: RAM without the hole below 1 MiB and below 4 GiB, ROM, ECAM. */
static void ranges_of_a_guest(void **state)
{
    static const struct range expected[] = {
        { 0, 0xa0000, RWX, PT_WB },
        { 0xf0000, 0x100000, PT_R | PT_X, PT_WB },
        { 0x100000, 3 * PAGE_1G, RWX, PT_WB },
        { 0xe0000000, 0xe0100000, PT_R, PT_WB },
        { 4 * PAGE_1G, 5 * PAGE_1G, RWX, PT_WB },
    };
    static const struct pt_format *const formats[] = { &ept_format, &ept_format_2m, &npt_format,
                                                       &npt_format_2m };

    (void)state;
    for (unsigned f = 0; f < ARRAY_SIZE(formats); f++) {
        struct ranges found = { .count = 0 };
        struct pt pt;

        assert_int_equal(pt_init(&pt, formats[f]), 0);
        for (unsigned i = 0; i < ARRAY_SIZE(expected); i++)
            assert_int_equal(pt_map(&pt, expected[i].start, PAGE_1G + expected[i].start,
                                    expected[i].end - expected[i].start, expected[i].rights,
                                    expected[i].type, 0), 0);
        assert_int_equal(pt_foreach(&pt, collect, &found), 0);
        assert_int_equal(found.count, ARRAY_SIZE(expected));
        for (unsigned i = 0; i < found.count; i++) {
            assert_int_equal(found.list[i].start, expected[i].start);
            assert_int_equal(found.list[i].end, expected[i].end);
            assert_int_equal(found.list[i].rights, expected[i].rights);
            assert_int_equal(found.list[i].type, expected[i].type);
        }
        pt_destroy(&pt);
    }
}

static void space_ends_at_48_bits(const struct pt_format *format)
{
    struct pt_leaf leaf;
    struct pt pt;

    assert_int_equal(pt_init(&pt, format), 0);
    assert_int_equal(pt_map(&pt, BIT(48) - PAGE_2M, 0, PAGE_2M, RWX, PT_WB, 0), 0);
    assert_true(pt_lookup(&pt, BIT(48) - 1, &leaf));
    assert_int_equal(leaf.base, BIT(48) - PAGE_2M);
    assert_int_equal(pt_map(&pt, BIT(48), 0, PAGE_SIZE, RWX, PT_WB, 0), -EINVAL);
    assert_int_equal(pt_map(&pt, 0xffff800000000000ull, 0, PAGE_SIZE, RWX, PT_WB, 0), -EINVAL);
    assert_false(pt_lookup(&pt, ~0ull, &leaf));
    assert_int_equal(pt_unmap(&pt, 0, BIT(48)), 0);
    pt_reap(&pt);
    assert_int_equal(pt.table_pages, 1);
    pt_destroy(&pt);
}

static void guest_space_ends_at_48_bits(void **state)
{
    (void)state;
    space_ends_at_48_bits(&ept_format);
    space_ends_at_48_bits(&npt_format);
}

/* Where large pages must not be executed they aren't, whatever they are mapped with. */
static void no_large_page_is_executable(void **state)
{
    const gpa_t end = PAGE_1G + 4 * PAGE_SIZE;
    uint64_t large = 0;
    struct pt_leaf leaf;
    struct pt pt;

    (void)state;
    ept_set_capabilities(EPT_CAP_2M | EPT_CAP_1G, false);
    assert_ptr_equal(ept_nested_format(), &ept_format_2m); /* no 1 GiB to split */
    assert_int_equal(ept_format.leaf(PAGE_2M, 2, RWX, PT_WB),
                     PAGE_2M | R | W | WB | IGNORE_PAT | LARGE);
    assert_int_equal(ept_format.leaf(PAGE_SIZE, 1, RWX, PT_WB),
                     PAGE_SIZE | R | W | X | WB | IGNORE_PAT);
    assert_int_equal(pt_init(&pt, ept_nested_format()), 0);
    assert_int_equal(pt_map(&pt, 0, PAGE_1G, end, RWX, PT_WB, 0), 0);
    /* one page executable: the large one around it is split */
    assert_int_equal(pt_protect(&pt, PAGE_2M + PAGE_SIZE, PAGE_SIZE, RWX), 0);
    for (gpa_t gpa = 0; gpa < end; gpa += leaf.size) {
        assert_true(pt_lookup(&pt, gpa, &leaf));
        assert_int_equal(leaf.hpa, PAGE_1G + gpa);
        assert_int_equal(leaf.size, gpa / PAGE_2M == 1 || gpa >= PAGE_1G ? PAGE_SIZE : PAGE_2M);
        assert_int_equal(leaf.rights, gpa == PAGE_2M + PAGE_SIZE || gpa >= PAGE_1G
                                          ? RWX : (PT_R | PT_W));
        large += leaf.size == PAGE_2M;
    }
    assert_int_equal(large, PAGE_1G / PAGE_2M - 1);
    pt_destroy(&pt);
    ept_set_capabilities(EPT_CAP_2M | EPT_CAP_1G, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_by_the_manual),
        cmocka_unit_test(no_misconfiguration),
        cmocka_unit_test(npt_entries_by_the_manual),
        cmocka_unit_test(format_by_capability),
        cmocka_unit_test(pointer),
        cmocka_unit_test_setup(ranges_of_a_guest, setup),
        cmocka_unit_test_setup(guest_space_ends_at_48_bits, setup),
        cmocka_unit_test_setup(no_large_page_is_executable, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
