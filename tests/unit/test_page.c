/* SPDX-License-Identifier: MIT */
/* The page allocator and its start from a memory map (build host). */
/* sources: kernel/page.c kernel/page_boot.c tests/unit/host_stubs.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/bootinfo.h"
#include "kernel/page.h"
#include "tests/unit/host_stubs.h"

#define BASE (3 * PAGE_SIZE) /* unaligned on purpose */
#define SIZE ((32ull << 20) - BASE)

static int setup(void **state)
{
    (void)state;
    host_pages_init(BASE, SIZE);
    return 0;
}

static void scrub_all(void)
{
    while (page_scrub_step())
        ;
}

static hpa_t alloc_clean(unsigned order)
{
    hpa_t block = page_alloc(order);

    assert_true(block != PAGE_NONE);
    assert_int_equal(block & ((PAGE_SIZE << order) - 1), 0);
    assert_true(host_is_zero(block, PAGE_SIZE << order));
    assert_int_equal(host_locks_held(), 0);
    return block;
}

static void dirty(hpa_t block, unsigned order)
{
    memset(page_ptr(block), 0x5a, PAGE_SIZE << order);
}

static void assert_stats(uint64_t free_pages, uint64_t clean_pages)
{
    struct page_stats stats = page_get_stats();

    assert_int_equal(stats.total_pages, SIZE >> PAGE_SHIFT);
    assert_int_equal(stats.free_pages, free_pages);
    assert_int_equal(stats.clean_pages, clean_pages);
}

static void every_page_is_given_out_once(void **state)
{
    uint8_t *seen = calloc((BASE + SIZE) >> PAGE_SHIFT, 1);
    uint64_t pages = SIZE >> PAGE_SHIFT;
    hpa_t page;

    (void)state;
    assert_stats(pages, 0);
    for (uint64_t i = 0; i < pages; i++) {
        page = alloc_clean(PAGE_ORDER_4K);
        assert_true(page >= BASE && page < BASE + SIZE);
        assert_int_equal(seen[page >> PAGE_SHIFT]++, 0);
        dirty(page, PAGE_ORDER_4K);
    }
    assert_stats(0, 0);
    assert_true(page_alloc(PAGE_ORDER_4K) == PAGE_NONE);
    for (page = BASE; page < BASE + SIZE; page += PAGE_SIZE)
        page_free(page, PAGE_ORDER_4K);
    assert_stats(pages, 0);
    for (hpa_t block = PAGE_2M; block < BASE + SIZE; block += PAGE_2M)
        alloc_clean(PAGE_ORDER_2M); /* dirty buddies have merged */
    assert_true(page_alloc(PAGE_ORDER_2M) == PAGE_NONE);
    free(seen);
}

static void scrubbing_is_bounded_and_merges(void **state)
{
    uint64_t clean = 0;

    (void)state;
    while (page_scrub_step()) {
        uint64_t now = page_get_stats().clean_pages;
        assert_true(now > clean && now - clean <= 16);
        clean = now;
    }
    assert_stats(SIZE >> PAGE_SHIFT, SIZE >> PAGE_SHIFT);
    alloc_clean(11); /* 8 MiB in one piece */
    for (unsigned i = 0; i < 11; i++)
        alloc_clean(PAGE_ORDER_2M);
    assert_true(page_alloc(PAGE_ORDER_2M) == PAGE_NONE);
}

static void freed_memory_is_clean_to_the_next_owner(void **state)
{
    (void)state;
    scrub_all();
    for (unsigned order = 0; order <= 10; order++) {
        hpa_t block = alloc_clean(order);
        dirty(block, order);
        page_free(block, order);
    }
    for (hpa_t page; (page = page_alloc(PAGE_ORDER_4K)) != PAGE_NONE;)
        assert_true(host_is_zero(page, PAGE_SIZE));
}

static void clean_memory_goes_first(void **state)
{
    (void)state;
    scrub_all();
    hpa_t block = alloc_clean(PAGE_ORDER_4K);
    page_free(block, PAGE_ORDER_4K);
    struct page_stats before = page_get_stats();
    assert_int_equal(before.free_pages, before.clean_pages + 1);
    alloc_clean(PAGE_ORDER_4K);
    assert_int_equal(page_get_stats().clean_pages, before.clean_pages - 1);
}

/* What a new VM's RAM is made of: the largest clean block that fits, split for its pages. */
static void clean_runs(void **state)
{
    unsigned order = 13;
    hpa_t block;

    (void)state;
    assert_true(page_alloc_clean(&order) == PAGE_NONE); /* all is dirty */
    scrub_all();
    order = PAGE_ORDER_MAX; /* larger than what there is */
    block = page_alloc_clean(&order);
    assert_true(block != PAGE_NONE && order >= 11 && order < PAGE_ORDER_MAX);
    assert_int_equal(block & ((PAGE_SIZE << order) - 1), 0);
    assert_true(host_is_zero(block, PAGE_SIZE << order));
    assert_int_equal(page_get_stats().clean_pages, (SIZE >> PAGE_SHIFT) - (1u << order));
    page_split(block, order, PAGE_ORDER_2M);
    for (uint64_t done = 0; done < PAGE_SIZE << order; done += PAGE_2M)
        page_free(block + done, PAGE_ORDER_2M);
    assert_int_equal(page_get_stats().free_pages, SIZE >> PAGE_SHIFT);
    order = PAGE_ORDER_2M;
    block = page_alloc_clean(&order); /* cut from a larger one, if need be */
    assert_true(block != PAGE_NONE && order == PAGE_ORDER_2M);
}

/* Every other page clean, the rest dirty: 2 MiB are there only after scrubbing and merging. */
static void fragments_heal_when_needed(void **state)
{
    uint64_t pages = SIZE >> PAGE_SHIFT;

    (void)state;
    scrub_all();
    for (uint64_t i = 0; i < pages; i++)
        alloc_clean(PAGE_ORDER_4K);
    for (hpa_t page = BASE; page < BASE + SIZE; page += 2 * PAGE_SIZE)
        page_free(page, PAGE_ORDER_4K);
    scrub_all();
    for (hpa_t page = BASE + PAGE_SIZE; page < BASE + SIZE; page += 2 * PAGE_SIZE)
        page_free(page, PAGE_ORDER_4K);
    assert_stats(pages, (pages + 1) / 2);
    assert_true(page_alloc(11) == PAGE_NONE); /* above 2 MiB nobody waits for scrubbing */
    assert_stats(pages, (pages + 1) / 2);
    page_free(alloc_clean(PAGE_ORDER_2M), PAGE_ORDER_2M);
    scrub_all();
    alloc_clean(12); /* 16 MiB */
}

static void wrong_frees_panic(void **state)
{
    (void)state;
    hpa_t block = alloc_clean(3);
    expect_assert_failure(page_free(block, 2));
    setup(NULL);
    block = alloc_clean(3);
    expect_assert_failure(page_free(block, 4));
    setup(NULL);
    block = alloc_clean(3);
    page_free(block, 3);
    expect_assert_failure(page_free(block, 3));
    setup(NULL);
    block = alloc_clean(3);
    expect_assert_failure(page_free(block + PAGE_SIZE, 0));
    setup(NULL);
    expect_assert_failure(page_free(0, 0));
    setup(NULL);
    expect_assert_failure(page_free(BASE + SIZE, 0));
    expect_assert_failure(page_free(PAGE_NONE, 0));
    expect_assert_failure(page_free(BASE, PAGE_ORDER_MAX + 1));
    expect_assert_failure(page_alloc(PAGE_ORDER_MAX + 1));
    setup(NULL);
    expect_assert_failure(page_add(0, PAGE_SIZE));
    expect_assert_failure(page_add(BASE + SIZE, PAGE_SIZE));
}

#define SLOTS 256u

/* Each block carries its slot's number until it is freed: nobody else may have written to it. */
static void random_use_loses_nothing(void **state)
{
    static struct {
        hpa_t block;
        unsigned order;
    } slots[SLOTS];
    uint64_t used = 0, pages = SIZE >> PAGE_SHIFT;

    (void)state;
    memset(slots, 0, sizeof(slots));
    host_random_seed(7);
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (unsigned)(host_random() % SLOTS), order = (unsigned)(host_random() % 8);

        if (host_random() % 100 == 0)
            order = PAGE_ORDER_2M;
        if (host_random() % 8 == 0)
            page_scrub_step();
        if (slots[i].block) {
            order = slots[i].order;
            for (uint64_t at = 0; at < PAGE_SIZE << order; at += PAGE_SIZE)
                assert_int_equal(*(uint64_t *)page_ptr(slots[i].block + at), i + 1);
            page_free(slots[i].block, order);
            slots[i].block = 0;
            used -= 1ull << order;
        } else if ((slots[i].block = page_alloc(order)) == PAGE_NONE) {
            slots[i].block = 0;
            assert_true(order == PAGE_ORDER_2M || pages - used < pages / 2);
        } else {
            assert_true(host_is_zero(slots[i].block, PAGE_SIZE << order));
            for (uint64_t at = 0; at < PAGE_SIZE << order; at += PAGE_SIZE)
                *(uint64_t *)page_ptr(slots[i].block + at) = i + 1;
            slots[i].order = order;
            used += 1ull << order;
        }
        assert_int_equal(page_get_stats().free_pages, pages - used);
    }
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].block)
            page_free(slots[i].block, slots[i].order);
    scrub_all();
    assert_stats(pages, pages);
    alloc_clean(12);
}

/* 16 MiB with a loader's part, holes and memory above a gap. */
static struct bootinfo boot_map(void)
{
    static const struct boot_mem map[] = {
        { 0x0, 0xa0000, BOOT_MEM_USABLE, 0 },
        { 0xc0000, 0x40000, BOOT_MEM_RESERVED, 0 },
        { 0x100000, 0x1000, BOOT_MEM_USABLE, 0 },
        { 0x101000, 0xff000, BOOT_MEM_LOADER, 0 },
        { 0x200000, 0x400000, BOOT_MEM_USABLE, 0 },
        { 0x800000, 0x100000, BOOT_MEM_ACPI, 0 },
        { 0x900000, 0x700000, BOOT_MEM_USABLE, 0 },
        { 0x1000000, 0x1000, BOOT_MEM_MMIO, 0 },
    };

    host_memory_init(0x1000000);
    memset(page_ptr(0), 0x77, 0x1000000);
    memcpy(page_ptr(0x101000), map, sizeof(map));
    return (struct bootinfo){ .mem_map = 0x101000, .mem_count = ARRAY_SIZE(map) };
}

static void starts_from_the_memory_map(void **state)
{
    struct bootinfo boot = boot_map();

    (void)state;
    page_boot_init(&boot); /* 4096 frames: their states fill the page at 1 MiB */
    assert_int_equal(page_get_stats().total_pages, 0);
    page_boot_add(&boot, 0, 0x500000);
    assert_int_equal(page_get_stats().total_pages, 0x300);
    page_boot_add(&boot, 0x500000, ~0ull);
    assert_int_equal(page_get_stats().total_pages, 0xb00);
    for (hpa_t page; (page = page_alloc(PAGE_ORDER_4K)) != PAGE_NONE;)
        assert_true((page >= 0x200000 && page < 0x600000) ||
                    (page >= 0x900000 && page < 0x1000000));
    assert_int_equal(page_get_stats().free_pages, 0);
}

static void no_room_for_the_states(void **state)
{
    struct bootinfo boot = boot_map();

    (void)state;
    boot.mem_count = 2;
    expect_assert_failure(page_boot_init(&boot));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_page_is_given_out_once, setup),
        cmocka_unit_test_setup(scrubbing_is_bounded_and_merges, setup),
        cmocka_unit_test_setup(freed_memory_is_clean_to_the_next_owner, setup),
        cmocka_unit_test_setup(clean_memory_goes_first, setup),
        cmocka_unit_test_setup(clean_runs, setup),
        cmocka_unit_test_setup(fragments_heal_when_needed, setup),
        cmocka_unit_test_setup(wrong_frees_panic, setup),
        cmocka_unit_test_setup(random_use_loses_nothing, setup),
        cmocka_unit_test(starts_from_the_memory_map),
        cmocka_unit_test(no_room_for_the_states),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
