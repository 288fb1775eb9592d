/* SPDX-License-Identifier: MIT */
/* The page-table walker on host tables, against rules and against a model (build host). */
/* sources: kernel/pt.c kernel/pt_change.c kernel/pt_read.c kernel/pt_host.c kernel/page.c
 * tests/unit/host_stubs.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/page.h"
#include "kernel/pt_host.h"
#include "kernel/x86_regs.h"
#include "tests/unit/host_stubs.h"

#define HIGH PHYSMAP_BASE
#define RW (PT_R | PT_W)
#define POOL_BASE PAGE_2M
#define POOL_SIZE (16ull << 20)

static struct pt pt;
static uint64_t free_before;

static int setup(void **state)
{
    (void)state;
    host_pages_init(POOL_BASE, POOL_SIZE);
    free_before = page_get_stats().free_pages;
    assert_int_equal(pt_init(&pt, &pt_host_format), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pt_destroy(&pt);
    assert_int_equal(page_get_stats().free_pages, free_before);
    return 0;
}

static void assert_leaf(uint64_t in, uint64_t base, uint64_t size, hpa_t hpa, unsigned rights)
{
    struct pt_leaf leaf;

    assert_true(pt_lookup(&pt, in, &leaf));
    assert_int_equal(leaf.base, base);
    assert_int_equal(leaf.size, size);
    assert_int_equal(leaf.hpa, hpa);
    assert_int_equal(leaf.rights, rights);
}

static void assert_hole(uint64_t in)
{
    struct pt_leaf leaf;

    assert_false(pt_lookup(&pt, in, &leaf));
}

static void map_ok(uint64_t in, hpa_t hpa, uint64_t size, unsigned rights)
{
    assert_int_equal(pt_map(&pt, in, hpa, size, rights, PT_WB, 0), 0);
}

static void largest_leaves_by_alignment(void **state)
{
    (void)state;
    map_ok(PAGE_1G - PAGE_2M - PAGE_SIZE, 5 * PAGE_1G - PAGE_2M - PAGE_SIZE,
           PAGE_SIZE + PAGE_2M + PAGE_1G + PAGE_2M + PAGE_SIZE, RW);
    assert_leaf(PAGE_1G - PAGE_2M - 1, PAGE_1G - PAGE_2M - PAGE_SIZE, PAGE_SIZE,
                5 * PAGE_1G - PAGE_2M - PAGE_SIZE, RW);
    assert_leaf(PAGE_1G - 1, PAGE_1G - PAGE_2M, PAGE_2M, 5 * PAGE_1G - PAGE_2M, RW);
    assert_leaf(PAGE_1G + 12345, PAGE_1G, PAGE_1G, 5 * PAGE_1G, RW);
    assert_leaf(2 * PAGE_1G, 2 * PAGE_1G, PAGE_2M, 6 * PAGE_1G, RW);
    assert_leaf(2 * PAGE_1G + PAGE_2M, 2 * PAGE_1G + PAGE_2M, PAGE_SIZE, 6 * PAGE_1G + PAGE_2M, RW);
    assert_hole(2 * PAGE_1G + PAGE_2M + PAGE_SIZE);
    assert_hole(PAGE_1G - PAGE_2M - PAGE_SIZE - 1);
}

static void misaligned_target_takes_small_leaves(void **state)
{
    (void)state;
    map_ok(PAGE_2M, PAGE_SIZE, PAGE_2M, PT_R);
    assert_leaf(PAGE_2M + 5 * PAGE_SIZE, PAGE_2M + 5 * PAGE_SIZE, PAGE_SIZE, 6 * PAGE_SIZE, PT_R);
}

static void level_limits(void **state)
{
    (void)state;
    assert_int_equal(pt_map(&pt, 0, 0, PAGE_1G, PT_R, PT_WB, 2), 0);
    assert_leaf(PAGE_2M, PAGE_2M, PAGE_2M, PAGE_2M, PT_R);
    assert_int_equal(pt_map(&pt, PAGE_1G, 0, PAGE_2M, PT_R, PT_WB, 1), 0);
    assert_leaf(PAGE_1G, PAGE_1G, PAGE_SIZE, 0, PT_R);

    struct pt without_1g;
    struct pt_leaf leaf;
    assert_int_equal(pt_init(&without_1g, &pt_host_format_2m), 0);
    assert_int_equal(pt_map(&without_1g, 0, 0, PAGE_1G, PT_R, PT_WB, 3), 0);
    assert_true(pt_lookup(&without_1g, 0, &leaf));
    assert_int_equal(leaf.size, PAGE_2M);
    pt_destroy(&without_1g);
}

static void bad_ranges_are_refused(void **state)
{
    static const struct {
        uint64_t in, hpa, size;
        unsigned rights;
    } bad[] = {
        { 1, 0, PAGE_SIZE, PT_R },
        { 0, 1, PAGE_SIZE, PT_R },
        { 0, 0, 1, PT_R },
        { 0, 0, 0, PT_R },
        { 0, 0, PAGE_SIZE, PT_W },
        { 0, 0, PAGE_SIZE, 0 },
        { 0, BIT(52), PAGE_SIZE, PT_R },
        { 0, BIT(52) - PAGE_SIZE, 2 * PAGE_SIZE, PT_R },
        { 0, ~0ull << PAGE_SHIFT, 2 * PAGE_SIZE, PT_R },
        { BIT(47), 0, PAGE_SIZE, PT_R },
        { BIT(47) - PAGE_SIZE, 0, 2 * PAGE_SIZE, PT_R },
        { HIGH - PAGE_SIZE, 0, PAGE_SIZE, PT_R },
        { ~0ull << PAGE_SHIFT, 0, 2 * PAGE_SIZE, PT_R },
        { BIT(47) - PAGE_SIZE, 0, HIGH - BIT(47) + 2 * PAGE_SIZE, PT_R },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(pt_map(&pt, bad[i].in, bad[i].hpa, bad[i].size, bad[i].rights, PT_WB, 0),
                         -EINVAL);
    assert_int_equal(pt_unmap(&pt, 1, PAGE_SIZE), -EINVAL);
    assert_int_equal(pt_unmap(&pt, BIT(47), PAGE_SIZE), -EINVAL);
    assert_int_equal(pt_unmap(&pt, 0, HIGH + PAGE_SIZE), -EINVAL);
    assert_int_equal(pt_protect(&pt, 0, 0, PT_R), -EINVAL);
    assert_int_equal(pt_protect(&pt, 0, PAGE_SIZE, PT_X), -EINVAL);
    assert_hole(BIT(47));
    assert_int_equal(pt.table_pages, 1);
}

static void ends_of_the_address_space(void **state)
{
    (void)state;
    map_ok(0, 0, PAGE_SIZE, PT_R);
    map_ok(BIT(47) - PAGE_1G, PAGE_1G, PAGE_1G, PT_R);
    map_ok(HIGH, 0, PAGE_2M, PT_R);
    map_ok(0 - PAGE_2M, PAGE_2M, PAGE_2M, PT_R);
    assert_leaf(~0ull, 0 - PAGE_2M, PAGE_2M, PAGE_2M, PT_R);
    assert_leaf(BIT(47) - 1, BIT(47) - PAGE_1G, PAGE_1G, PAGE_1G, PT_R);
    assert_int_equal(pt_unmap(&pt, 0 - PAGE_SIZE, PAGE_SIZE), 0);
    assert_hole(~0ull);
    assert_leaf(0 - PAGE_SIZE - 1, 0 - 2 * PAGE_SIZE, PAGE_SIZE, 2 * PAGE_2M - 2 * PAGE_SIZE, PT_R);
    assert_int_equal(pt_unmap(&pt, 0, BIT(47)), 0);
    assert_int_equal(pt_unmap(&pt, HIGH, BIT(47)), 0);
    pt_reap(&pt);
    assert_int_equal(pt.table_pages, 1);
}

static void overlap_changes_nothing(void **state)
{
    (void)state;
    map_ok(PAGE_2M, 0, PAGE_SIZE, PT_R);
    map_ok(8 * PAGE_2M, 0, PAGE_2M, PT_R);
    uint64_t tables = pt.table_pages;
    assert_int_equal(pt_map(&pt, 0, 0, 4 * PAGE_2M, RW, PT_WB, 0), -EEXIST);
    assert_int_equal(pt_map(&pt, PAGE_2M, 0, PAGE_SIZE, RW, PT_WB, 0), -EEXIST);
    assert_int_equal(pt_map(&pt, 8 * PAGE_2M + PAGE_SIZE, 0, PAGE_SIZE, RW, PT_WB, 0), -EEXIST);
    assert_int_equal(pt_map(&pt, PAGE_2M - PAGE_SIZE, 0, 2 * PAGE_SIZE, RW, PT_WB, 0), -EEXIST);
    assert_hole(0);
    assert_hole(PAGE_2M - 1);
    assert_leaf(PAGE_2M, PAGE_2M, PAGE_SIZE, 0, PT_R);
    assert_int_equal(pt.table_pages, tables);
}

static void unmap_splits_only_the_edges(void **state)
{
    (void)state;
    map_ok(0, 0, 2 * PAGE_1G, RW | PT_X);
    assert_int_equal(pt_unmap(&pt, PAGE_1G - PAGE_SIZE, 2 * PAGE_SIZE), 0);
    assert_leaf(0, 0, PAGE_2M, 0, RW | PT_X);
    assert_leaf(PAGE_1G - PAGE_SIZE - 1, PAGE_1G - 2 * PAGE_SIZE, PAGE_SIZE,
                PAGE_1G - 2 * PAGE_SIZE, RW | PT_X);
    assert_hole(PAGE_1G - PAGE_SIZE);
    assert_hole(PAGE_1G);
    assert_leaf(PAGE_1G + PAGE_SIZE, PAGE_1G + PAGE_SIZE, PAGE_SIZE, PAGE_1G + PAGE_SIZE,
                RW | PT_X);
    assert_leaf(2 * PAGE_1G - 1, 2 * PAGE_1G - PAGE_2M, PAGE_2M, 2 * PAGE_1G - PAGE_2M, RW | PT_X);
}

static void empty_tables_wait_for_the_flush(void **state)
{
    (void)state;
    map_ok(0, 0, PAGE_SIZE, PT_R);
    map_ok(PAGE_1G * 600, 0, PAGE_2M, PT_R);
    assert_int_equal(pt.table_pages, 6);
    uint64_t free_pages = page_get_stats().free_pages;
    assert_int_equal(pt_unmap(&pt, 0, PAGE_SIZE), 0);
    assert_int_equal(pt.table_pages, 6);
    assert_int_equal(page_get_stats().free_pages, free_pages);
    /* what a CPU that holds on to a table would see: nothing present */
    for (hpa_t table = pt.reap; table; table = *(uint64_t *)page_ptr(table))
        for (unsigned i = 0; i < 512; i++)
            assert_int_equal(((uint64_t *)page_ptr(table))[i] & PTE_P, 0);
    pt_reap(&pt);
    assert_int_equal(pt.table_pages, 3);
    assert_int_equal(page_get_stats().free_pages, free_pages + 3);
    assert_int_equal(pt_unmap(&pt, 0, BIT(47)), 0);
    pt_reap(&pt);
    assert_int_equal(pt.table_pages, 1);
    map_ok(0, 0, PAGE_1G, PT_R);
    assert_leaf(5, 0, PAGE_1G, 0, PT_R);
}

static void destroy_frees_unlinked_tables_too(void **state)
{
    (void)state;
    map_ok(0, 0, PAGE_SIZE, PT_R);
    map_ok(PAGE_1G, 0, PAGE_SIZE, PT_R);
    assert_int_equal(pt_unmap(&pt, 0, PAGE_SIZE), 0);
    assert_true(pt.reap != 0);
    pt_destroy(&pt);
    assert_int_equal(page_get_stats().free_pages, free_before);
    assert_int_equal(pt_init(&pt, &pt_host_format), 0);
}

static void protect_keeps_type_and_neighbours(void **state)
{
    struct pt_leaf leaf;

    (void)state;
    assert_int_equal(pt_map(&pt, 0, PAGE_1G, PAGE_1G, RW, PT_WC, 0), 0);
    assert_int_equal(pt_protect(&pt, PAGE_2M, PAGE_2M + PAGE_SIZE, PT_R | PT_X), 0);
    assert_leaf(0, 0, PAGE_2M, PAGE_1G, RW);
    assert_leaf(PAGE_2M, PAGE_2M, PAGE_2M, PAGE_1G + PAGE_2M, PT_R | PT_X);
    assert_leaf(2 * PAGE_2M, 2 * PAGE_2M, PAGE_SIZE, PAGE_1G + 2 * PAGE_2M, PT_R | PT_X);
    assert_leaf(2 * PAGE_2M + PAGE_SIZE, 2 * PAGE_2M + PAGE_SIZE, PAGE_SIZE,
                PAGE_1G + 2 * PAGE_2M + PAGE_SIZE, RW);
    assert_true(pt_lookup(&pt, PAGE_2M, &leaf));
    assert_int_equal(leaf.type, PT_WC);
    assert_int_equal(pt_protect(&pt, PAGE_1G - PAGE_2M, 2 * PAGE_2M, PT_R), -ENOENT);
    assert_leaf(PAGE_1G - 1, PAGE_1G - PAGE_2M, PAGE_2M, 2 * PAGE_1G - PAGE_2M, RW);
}

/* Leaves exactly `left` free pages; what was taken stays taken. */
static void exhaust(uint64_t left)
{
    while (page_get_stats().free_pages > left)
        assert_true(page_alloc(PAGE_ORDER_4K) != PAGE_NONE);
}

static void out_of_memory_undoes(void **state)
{
    (void)state;
    for (uint64_t left = 0; left < 5; left++) {
        setup(NULL);
        map_ok(0, 0, PAGE_1G, PT_R);
        uint64_t tables = pt.table_pages;
        exhaust(left);
        /* needs 5 tables: one leaf at the end of one 512 GiB, one at the start of the next */
        assert_int_equal(pt_map(&pt, 512 * PAGE_1G - PAGE_SIZE, 0, 2 * PAGE_SIZE, PT_R, PT_WB, 0),
                         -ENOMEM);
        assert_hole(512 * PAGE_1G - PAGE_SIZE);
        assert_hole(512 * PAGE_1G);
        pt_reap(&pt);
        assert_int_equal(pt.table_pages, tables);
        assert_int_equal(page_get_stats().free_pages, left);
    }
    exhaust(1); /* a split of 1 GiB at a 4 KiB edge takes two tables */
    assert_int_equal(pt_unmap(&pt, PAGE_SIZE, PAGE_SIZE), -ENOMEM);
    assert_true(pt.table_pages > 2);
    for (uint64_t in = 0; in < PAGE_1G; in += PAGE_2M - PAGE_SIZE) {
        struct pt_leaf leaf;
        assert_true(pt_lookup(&pt, in, &leaf));
        assert_int_equal(leaf.hpa, leaf.base);
    }
    pt_destroy(&pt);
    setup(NULL);
}

static int list_leaf(const struct pt_leaf *leaf, void *arg)
{
    struct pt_leaf **next = arg;

    *(*next)++ = *leaf;
    return leaf->hpa == 77 * PAGE_SIZE ? 77 : 0;
}

static void foreach_is_ascending_and_stops(void **state)
{
    struct pt_leaf list[8], *next = list;

    (void)state;
    map_ok(HIGH, 0, PAGE_1G, RW);
    map_ok(PAGE_2M, PAGE_2M, PAGE_2M + PAGE_SIZE, PT_R);
    map_ok(0 - PAGE_SIZE, 77 * PAGE_SIZE, PAGE_SIZE, PT_R | PT_X);
    assert_int_equal(pt_foreach(&pt, list_leaf, &next), 77);
    assert_int_equal(next - list, 4);
    assert_int_equal(list[0].base, PAGE_2M);
    assert_int_equal(list[1].base, 2 * PAGE_2M);
    assert_int_equal(list[1].size, PAGE_SIZE);
    assert_int_equal(list[2].base, HIGH);
    assert_int_equal(list[2].size, PAGE_1G);
    assert_int_equal(list[3].base, 0 - PAGE_SIZE);
    assert_int_equal(list[3].rights, PT_R | PT_X);
}

static void host_entries_by_the_manual(void **state)
{
    const struct pt_format *f = &pt_host_format;

    (void)state;
    assert_int_equal(f->leaf(PAGE_2M, 2, RW, PT_UC),
                     PAGE_2M | PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS | PTE_PCD | PTE_PWT | PTE_NX);
    assert_int_equal(f->leaf(PAGE_SIZE, 1, PT_R | PT_X, PT_WB), PAGE_SIZE | PTE_P | PTE_A | PTE_D);
    assert_int_equal(f->leaf(0, 1, PT_R, PT_WC), PTE_P | PTE_A | PTE_D | PTE_PWT | PTE_NX);
    for (unsigned rights = PT_R; rights < 16; rights += 2)
        for (enum pt_type type = PT_WB; type <= PT_WC; type++) {
            uint64_t entry = f->leaf(PAGE_1G, 3, rights, type);
            assert_int_equal(f->rights(entry), rights);
            assert_int_equal(f->type(entry, 3), type);
        }
}

/* 4 KiB pages of a model: 24 MiB across a 1 GiB border. */
#define MODEL_PAGES 6144u
#define MODEL_BASE (PAGE_1G - 4 * PAGE_2M)
static struct {
    hpa_t hpa;
    unsigned rights; /* 0: not mapped */
} model[MODEL_PAGES];

static void model_compare(void)
{
    for (unsigned i = 0; i < MODEL_PAGES; i++) {
        uint64_t in = MODEL_BASE + i * PAGE_SIZE;
        struct pt_leaf leaf;
        bool mapped = pt_lookup(&pt, in, &leaf);

        assert_int_equal(mapped, model[i].rights != 0);
        if (mapped) {
            assert_int_equal(leaf.hpa + (in - leaf.base), model[i].hpa);
            assert_int_equal(leaf.rights, model[i].rights);
        }
    }
}

static unsigned model_mapped(unsigned first, unsigned count)
{
    unsigned mapped = 0;

    for (unsigned i = first; i < first + count; i++)
        mapped += model[i].rights != 0;
    return mapped;
}

static void model_set(unsigned first, unsigned count, hpa_t hpa, unsigned rights)
{
    for (unsigned i = first; i < first + count; i++, hpa += PAGE_SIZE) {
        model[i].rights = rights;
        model[i].hpa = hpa;
    }
}

static void model_step(unsigned first, unsigned count)
{
    uint64_t in = MODEL_BASE + first * PAGE_SIZE, size = count * PAGE_SIZE;
    hpa_t hpa = in + (host_random() % 3 ? 0 : (host_random() % 1024) * PAGE_SIZE);
    unsigned rights = PT_R | (unsigned)(host_random() & (PT_W | PT_X));
    unsigned mapped = model_mapped(first, count);

    switch (host_random() % 3) {
    case 0:
        assert_int_equal(pt_map(&pt, in, hpa, size, rights, PT_WB, 0), mapped ? -EEXIST : 0);
        if (!mapped)
            model_set(first, count, hpa, rights);
        break;
    case 1:
        assert_int_equal(pt_unmap(&pt, in, size), 0);
        model_set(first, count, 0, 0);
        break;
    default:
        assert_int_equal(pt_protect(&pt, in, size, rights), mapped == count ? 0 : -ENOENT);
        for (unsigned i = first; mapped == count && i < first + count; i++)
            model[i].rights = rights;
    }
}

static void agrees_with_a_model(void **state)
{
    (void)state;
    memset(model, 0, sizeof(model));
    host_random_seed(2026);
    for (unsigned step = 0; step < 4000; step++) {
        unsigned first = (unsigned)(host_random() % MODEL_PAGES);
        unsigned most = host_random() % 4 ? 600 : MODEL_PAGES;

        if (host_random() % 2)
            first &= ~511u;
        model_step(first, 1 + (unsigned)(host_random() % MIN(most, MODEL_PAGES - first)));
        if (step % 8 == 0)
            pt_reap(&pt);
        if (step % 40 == 0)
            model_compare();
    }
    model_compare();
    assert_int_equal(pt_unmap(&pt, 0, BIT(47)), 0);
    pt_reap(&pt);
    assert_int_equal(pt.table_pages, 1);
}

#define PT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PT_TEST(largest_leaves_by_alignment),
        PT_TEST(misaligned_target_takes_small_leaves),
        PT_TEST(level_limits),
        PT_TEST(bad_ranges_are_refused),
        PT_TEST(ends_of_the_address_space),
        PT_TEST(overlap_changes_nothing),
        PT_TEST(unmap_splits_only_the_edges),
        PT_TEST(empty_tables_wait_for_the_flush),
        PT_TEST(destroy_frees_unlinked_tables_too),
        PT_TEST(protect_keeps_type_and_neighbours),
        PT_TEST(out_of_memory_undoes),
        PT_TEST(foreach_is_ascending_and_stops),
        PT_TEST(host_entries_by_the_manual),
        PT_TEST(agrees_with_a_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
