/* SPDX-License-Identifier: MIT */
/* Guest memory: giving, taking, demand, and copies at every edge (build host). */
/* sources: kernel/inject.c
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
#include "kernel/page.h"
#include "tests/unit/fake_backend.h"
#include "tests/unit/host_stubs.h"
#include "vmx/ept.h"

#define MEMORY (PAGE_2M + 3 * PAGE_SIZE)
#define HIGH_RAM (4ull << 30)

static int setup(void **state)
{
    (void)state;
    fake_create(MEMORY, BOOT_BACKING_EAGER);
    return 0;
}

struct leaves {
    unsigned count[3]; /* 4K, 2M, 1G */
    uint64_t bytes;
};

static int count_leaf(const struct pt_leaf *leaf, void *arg)
{
    struct leaves *leaves = arg;

    assert_int_equal(leaf->rights, PT_R | PT_W | PT_X);
    assert_int_equal(leaf->type, PT_WB);
    leaves->count[leaf->size == PAGE_SIZE ? 0 : leaf->size == PAGE_2M ? 1 : 2]++;
    leaves->bytes += leaf->size;
    return 0;
}

static struct leaves leaves(void)
{
    struct leaves found = { 0 };

    pt_foreach(&fake.vm.nested, count_leaf, &found);
    return found;
}

static void eager_uses_large_pages(void **state)
{
    struct leaves found = leaves();

    (void)state;
    assert_int_equal(found.bytes, MEMORY);
    assert_int_equal(found.count[1], 1);
    assert_int_equal(found.count[0], 3);
}

static void all_comes_back(void **state)
{
    uint64_t before;

    (void)state;
    fake_create(PAGE_SIZE, BOOT_BACKING_DEMAND_4K);
    before = page_get_stats().free_pages;
    fake.vm.map[0].size = MEMORY;
    fake.config.backing = BOOT_BACKING_EAGER;
    assert_int_equal(gmem_give_all(&fake.vm), 0);
    gmem_take_all(&fake.vm);
    pt_destroy(&fake.vm.nested);
    assert_int_equal(page_get_stats().free_pages, before + 1); /* the root, too */
}

/* With clean memory at hand: the same pages, in fewer steps; without: zeroed now. */
static void runs_of_clean_memory(void **state)
{
    uint64_t before;

    (void)state;
    fake_create(PAGE_SIZE, BOOT_BACKING_DEMAND_4K);
    while (page_scrub_step())
        ;
    before = page_get_stats().free_pages;
    fake.vm.map[0].size = 3 * PAGE_2M + 5 * PAGE_SIZE;
    fake.config.backing = BOOT_BACKING_EAGER;
    assert_int_equal(gmem_give_all(&fake.vm), 0);
    assert_int_equal(leaves().count[1], 3);
    assert_int_equal(leaves().count[0], 5);
    assert_int_equal(page_get_stats().free_pages,
                     before - 3 * 512 - 5 - (fake.vm.nested.table_pages - 1));
    gmem_take_all(&fake.vm);
    pt_destroy(&fake.vm.nested);
    assert_int_equal(page_get_stats().free_pages, before + 1);
}

/* Too little memory: an error, and what was given comes back. */
static void too_little(void **state)
{
    uint64_t before;

    (void)state;
    fake_create(PAGE_SIZE, BOOT_BACKING_DEMAND_4K);
    before = page_get_stats().free_pages;
    fake.vm.map[0].size = 64ull << 20;
    fake.config.backing = BOOT_BACKING_EAGER;
    assert_int_equal(gmem_give_all(&fake.vm), -ENOMEM);
    gmem_take_all(&fake.vm);
    pt_destroy(&fake.vm.nested);
    assert_int_equal(page_get_stats().free_pages, before + 1);
}

static void memory_is_clean(void **state)
{
    uint8_t bytes[PAGE_SIZE];

    (void)state;
    for (gpa_t gpa = 0; gpa < MEMORY; gpa += PAGE_SIZE) {
        assert_int_equal(gmem_read(&fake.vm, gpa, bytes, PAGE_SIZE), 0);
        for (unsigned i = 0; i < PAGE_SIZE; i++)
            assert_int_equal(bytes[i], 0);
    }
}

static void copies_cross_pages(void **state)
{
    static uint8_t in[3 * PAGE_SIZE], out[3 * PAGE_SIZE];

    (void)state;
    for (unsigned i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(i * 7 + 1);
    /* across the edge of the large page */
    assert_int_equal(gmem_write(&fake.vm, PAGE_2M - 100, in, 2 * PAGE_SIZE + 5), 0);
    assert_int_equal(gmem_read(&fake.vm, PAGE_2M - 100, out, 2 * PAGE_SIZE + 5), 0);
    assert_memory_equal(in, out, 2 * PAGE_SIZE + 5);
    assert_int_equal(fake_peek(PAGE_2M - 101, 1), 0);
    assert_int_equal(fake_peek(PAGE_2M - 100 + 2 * PAGE_SIZE + 5, 1), 0);
    assert_int_equal(fake_peek(PAGE_2M - 1, 2), in[99] | (uint32_t)in[100] << 8);
    assert_int_equal(gmem_write(&fake.vm, MEMORY - 1, in, 1), 0);
    assert_int_equal(gmem_read(&fake.vm, MEMORY, out, 0), 0);
}

/* Nothing is copied when a part is not there. */
static void holes_and_overflow(void **state)
{
    static const struct {
        gpa_t gpa;
        size_t size;
    } rows[] = {
        { MEMORY, 1 }, { MEMORY - 1, 2 }, { MEMORY - PAGE_SIZE, PAGE_SIZE + 1 },
        { FAKE_MMIO, 4 }, { ~0ull, 1 }, { ~0ull, 2 }, { ~0ull - 7, 16 }, { 1, ~0ull },
        { 0, ~0ull }, { HIGH_RAM - 1, 2 },
    };
    uint8_t bytes[16];

    (void)state;
    fake.vm.map[fake.vm.map_count++] = (struct gp_region){ HIGH_RAM, PAGE_SIZE, GP_RAM };
    fake_poke(MEMORY - 1, 0x77, 1);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        memset(bytes, 0xee, sizeof(bytes));
        assert_int_equal(gmem_read(&fake.vm, rows[i].gpa, bytes, rows[i].size), -EFAULT);
        assert_int_equal(bytes[0], 0xee);
        assert_int_equal(gmem_write(&fake.vm, rows[i].gpa, bytes, rows[i].size), -EFAULT);
    }
    assert_int_equal(fake_peek(MEMORY - 1, 1), 0x77);
    assert_null(gmem_page(&fake.vm, MEMORY));
    assert_null(gmem_page(&fake.vm, ~0ull));
}

static void demand_4k(void **state)
{
    (void)state;
    fake_create(MEMORY, BOOT_BACKING_DEMAND_4K);
    assert_int_equal(leaves().bytes, 0);
    assert_int_equal(gmem_demand(&fake.vm, 0x5123), 0);
    assert_int_equal(leaves().bytes, PAGE_SIZE);
    assert_non_null(gmem_page(&fake.vm, 0x5fff));
    assert_int_equal(leaves().bytes, PAGE_SIZE);
    assert_int_equal(gmem_demand(&fake.vm, 0x5123), 0); /* another vCPU was first */
    assert_int_equal(leaves().bytes, PAGE_SIZE);
    fake_poke(0x5ffe, 0x11223344, 4); /* a copy brings what it needs */
    assert_int_equal(leaves().bytes, 2 * PAGE_SIZE);
    assert_int_equal(gmem_demand(&fake.vm, MEMORY), -EFAULT);
    assert_int_equal(gmem_demand(&fake.vm, FAKE_MMIO), -EFAULT);
    fake.config.backing = BOOT_BACKING_EAGER;
    assert_int_equal(gmem_demand(&fake.vm, 0x8000), -EFAULT);
}

static void demand_2m(void **state)
{
    (void)state;
    fake_create(MEMORY, BOOT_BACKING_DEMAND_2M);
    assert_int_equal(gmem_demand(&fake.vm, PAGE_2M - 1), 0);
    assert_int_equal(leaves().count[1], 1);
    /* the rest is too small for a large page */
    assert_int_equal(gmem_demand(&fake.vm, PAGE_2M + 2 * PAGE_SIZE), 0);
    assert_int_equal(leaves().count[0], 1);
    assert_non_null(gmem_page(&fake.vm, PAGE_2M + 2 * PAGE_SIZE));
    assert_int_equal(leaves().count[0], 1);
}

/* Without a large page at hand small ones are given, where the guest touches. */
static void demand_2m_falls_back(void **state)
{
    hpa_t blocks[16];
    unsigned count = 0;

    (void)state;
    fake_create(MEMORY, BOOT_BACKING_DEMAND_2M);
    while ((blocks[count] = page_alloc(PAGE_ORDER_2M)) != PAGE_NONE)
        count++;
    assert_true(count > 0);
    assert_int_equal(gmem_demand(&fake.vm, 0x7123), 0);
    assert_non_null(gmem_page(&fake.vm, 0x7000));
    assert_int_equal(leaves().count[0], 1);
    /* nor does a large page fit any more when there is one again */
    page_free(blocks[0], PAGE_ORDER_2M);
    assert_int_equal(gmem_demand(&fake.vm, 0x9000), 0);
    assert_int_equal(leaves().count[0], 2);
    assert_int_equal(leaves().count[1], 0);
}

static void demand_without_memory(void **state)
{
    (void)state;
    fake_create(MEMORY, BOOT_BACKING_DEMAND_4K);
    while (page_alloc(PAGE_ORDER_4K) != PAGE_NONE)
        ;
    assert_int_equal(gmem_demand(&fake.vm, 0), -ENOMEM);
    assert_null(gmem_page(&fake.vm, 0));
}

static unsigned executable(gpa_t from, gpa_t to, uint64_t size)
{
    struct pt_leaf leaf;
    unsigned count = 0;

    for (gpa_t gpa = from; gpa < to; gpa += size) {
        assert_true(pt_lookup(&fake.vm.nested, gpa, &leaf));
        assert_int_equal(leaf.size, size);
        assert_true((leaf.rights & (PT_R | PT_W)) == (PT_R | PT_W));
        count += leaf.rights & PT_X ? 1 : 0;
    }
    return count;
}

/* Large pages that must not be executed are split on the first fetch, and the same memory. */
static void fetch_splits(void **state)
{
    hpa_t places[3 * 512];
    uint64_t before;

    (void)state;
    ept_set_capabilities(EPT_CAP_2M | EPT_CAP_1G, false);
    fake_create(PAGE_SIZE, BOOT_BACKING_DEMAND_4K);
    before = page_get_stats().free_pages;
    fake.vm.map[0].size = 3 * PAGE_2M;
    fake.config.backing = BOOT_BACKING_EAGER;
    assert_int_equal(gmem_give_all(&fake.vm), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(places); i++)
        places[i] = pt_translate(&fake.vm.nested, i * PAGE_SIZE);
    assert_int_equal(executable(0, 3 * PAGE_2M, PAGE_2M), 0);
    assert_int_equal(gmem_fetch(&fake.vm, PAGE_2M + 0x7123), 0);
    assert_int_equal(executable(0, PAGE_2M, PAGE_2M), 0);
    assert_int_equal(executable(PAGE_2M, 2 * PAGE_2M, PAGE_SIZE), 512);
    assert_int_equal(executable(2 * PAGE_2M, 3 * PAGE_2M, PAGE_2M), 0);
    for (unsigned i = 0; i < FAKE_VCPUS; i++) {
        assert_true(fake.vcpus[i].requests & VCPU_REQ_FLUSH);
        fake.vcpus[i].requests = 0;
    }
    assert_int_equal(gmem_fetch(&fake.vm, PAGE_2M), 0); /* a sibling with the old translation */
    assert_int_equal(fake.vcpus[0].requests, 0);
    assert_int_equal(gmem_fetch(&fake.vm, 0), 0); /* at the edge of a large page */
    assert_int_equal(executable(0, 2 * PAGE_2M, PAGE_SIZE), 1024);
    assert_int_equal(gmem_fetch(&fake.vm, 3 * PAGE_2M), -EFAULT);
    for (unsigned i = 0; i < ARRAY_SIZE(places); i++)
        assert_int_equal(pt_translate(&fake.vm.nested, i * PAGE_SIZE), places[i]);
    gmem_take_all(&fake.vm);
    pt_destroy(&fake.vm.nested);
    assert_int_equal(page_get_stats().free_pages, before + 1);
    ept_set_capabilities(EPT_CAP_2M | EPT_CAP_1G, true);
}

static void fetch_on_demand(void **state)
{
    (void)state;
    ept_set_capabilities(EPT_CAP_2M | EPT_CAP_1G, false);
    fake_create(2 * PAGE_2M, BOOT_BACKING_DEMAND_2M);
    assert_int_equal(gmem_fetch(&fake.vm, 0x1000), 0); /* first a page, then its right */
    assert_int_equal(executable(0, PAGE_2M, PAGE_2M), 0);
    assert_int_equal(gmem_fetch(&fake.vm, 0x1000), 0);
    assert_int_equal(executable(0, PAGE_2M, PAGE_SIZE), 512);
    assert_int_equal(gmem_demand(&fake.vm, PAGE_2M), 0);
    while (page_alloc(PAGE_ORDER_4K) != PAGE_NONE)
        ;
    assert_int_equal(gmem_fetch(&fake.vm, PAGE_2M), -ENOMEM); /* for the table */
    assert_int_equal(executable(PAGE_2M, 2 * PAGE_2M, PAGE_2M), 0);
    ept_set_capabilities(EPT_CAP_2M | EPT_CAP_1G, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(eager_uses_large_pages, setup),
        cmocka_unit_test_setup(all_comes_back, setup),
        cmocka_unit_test_setup(runs_of_clean_memory, setup),
        cmocka_unit_test_setup(too_little, setup),
        cmocka_unit_test_setup(memory_is_clean, setup),
        cmocka_unit_test_setup(copies_cross_pages, setup),
        cmocka_unit_test_setup(holes_and_overflow, setup),
        cmocka_unit_test_setup(demand_4k, setup),
        cmocka_unit_test_setup(demand_2m, setup),
        cmocka_unit_test_setup(demand_2m_falls_back, setup),
        cmocka_unit_test_setup(demand_without_memory, setup),
        cmocka_unit_test_setup(fetch_splits, setup),
        cmocka_unit_test_setup(fetch_on_demand, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
