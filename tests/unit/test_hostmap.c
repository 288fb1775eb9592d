/* SPDX-License-Identifier: MIT */
/* The hypervisor's address space for a made-up machine: type and rights of every range
 * (build host). */
/* sources: kernel/hostmap.c kernel/pt.c kernel/pt_change.c kernel/pt_read.c kernel/pt_host.c
 * kernel/page.c kernel/page_boot.c tests/unit/host_stubs.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/cpu.h"
#include "kernel/hostmap.h"
#include "kernel/page.h"
#include "kernel/x86.h"
#include "tests/unit/host_stubs.h"

#define RW (PT_R | PT_W)
#define RX (PT_R | PT_X)

#define MAP_HPA 0x300000ull
#define KERNEL_HPA 0x400000ull
#define TRAMPOLINE 0x8000ull
#define LOG_HPA 0x7ff00000ull

#define PART(from, to, rights) { (const char *)KERNEL_BASE + (from), \
                                 (const char *)KERNEL_BASE + (to), (rights) }
const struct hostmap_part hostmap_image[] = {
    PART(0, 0x20000, RX),
    PART(0x20000, 0x28000, PT_R),
    PART(0x28000, 0x40000, RW),
    { 0, 0, 0 },
};

static const struct boot_mem map[] = {
    { 0x0, 0xa0000, BOOT_MEM_USABLE, 0 },
    { 0xf0000, 0x10000, BOOT_MEM_RESERVED, 0 },
    { 0x100000, 0x200000, BOOT_MEM_USABLE, 0 },
    { 0x300000, 0x200000, BOOT_MEM_LOADER, 0 },
    { 0x500000, 0x7f000000 - 0x500000, BOOT_MEM_USABLE, 0 },
    { 0x7f000000, 0x100000, BOOT_MEM_ACPI, 0 },
    { 0x7f100000, 0x100000, BOOT_MEM_RUNTIME, 0 },
    { 0x7f200000, 0xe00000, BOOT_MEM_RESERVED, 0 },
    { 0xe0000000, 0x10000000, BOOT_MEM_MMIO, 0 },
    { 0x100000000, 0xc0000000, BOOT_MEM_USABLE, 0 },
};

static const struct bootinfo boot = {
    .kernel_hpa = KERNEL_HPA, .kernel_size = 0x40000, .trampoline = TRAMPOLINE,
    .log_hpa = LOG_HPA, .log_size = 0x10000,
    .mem_map = MAP_HPA, .mem_count = ARRAY_SIZE(map),
};

static bool cpu_has_1g;
static uint64_t efer, pat;

struct cpuid_regs x86_test_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs regs = { 0, 0, 0, 0 };

    (void)subleaf;
    if (leaf == CPUID_EXT_MAX)
        regs.eax = CPUID_EXT_FEATURES_AMD;
    if (leaf == CPUID_EXT_FEATURES_AMD && cpu_has_1g)
        regs.edx = CPUID_80000001_EDX_PAGE1GB;
    return regs;
}

uint64_t x86_test_rdmsr(uint32_t msr)
{
    return msr == MSR_IA32_EFER ? efer : 0;
}

void x86_test_wrmsr(uint32_t msr, uint64_t value)
{
    *(msr == MSR_IA32_EFER ? &efer : &pat) = value;
}

static void start(bool has_1g)
{
    cpu_has_1g = has_1g;
    host_memory_init(0x1c0000000);
    memcpy(page_ptr(MAP_HPA), map, sizeof(map));
    hostmap_init(&boot);
}

static int setup(void **state)
{
    (void)state;
    start(true);
    return 0;
}

struct range {
    uint64_t start, last;
    unsigned rights;
    enum pt_type type;
    uint64_t leaf; /* size of the largest leaf in it */
};

struct ranges {
    struct range list[32];
    unsigned count;
};

static int collect(const struct pt_leaf *leaf, void *arg)
{
    struct ranges *ranges = arg;
    struct range *range = ranges->count ? &ranges->list[ranges->count - 1] : NULL;

    if (!range || range->last + 1 != leaf->base || range->rights != leaf->rights ||
        range->type != leaf->type) {
        assert_true(ranges->count < ARRAY_SIZE(ranges->list));
        range = &ranges->list[ranges->count++];
        *range = (struct range){ leaf->base, 0, leaf->rights, leaf->type, 0 };
    }
    range->last = leaf->base + leaf->size - 1;
    range->leaf = MAX(range->leaf, leaf->size);
    if (leaf->base >= PHYSMAP_BASE && leaf->base < HOSTMAP_WINDOW_BASE)
        assert_int_equal(leaf->hpa, leaf->base - PHYSMAP_BASE);
    return 0;
}

static void assert_ranges(const struct range *expected, unsigned count)
{
    struct ranges found = { .count = 0 };

    assert_int_equal(pt_foreach(hostmap_pt(), collect, &found), 0);
    for (unsigned i = 0; i < MIN(found.count, count); i++) {
        assert_int_equal(found.list[i].start, expected[i].start);
        assert_int_equal(found.list[i].last, expected[i].last);
        assert_int_equal(found.list[i].rights, expected[i].rights);
        assert_int_equal(found.list[i].type, expected[i].type);
        assert_int_equal(found.list[i].leaf, expected[i].leaf);
    }
    assert_int_equal(found.count, count);
}

#define P PHYSMAP_BASE
#define K KERNEL_BASE

static void type_and_rights_of_every_range(void **state)
{
    static const struct range expected[] = {
        { P, P + 0x9ffff, RW, PT_WB, PAGE_SIZE },
        { P + 0x100000, P + 0x3fffff, RW, PT_WB, PAGE_2M },
        { P + 0x400000, P + 0x427fff, PT_R, PT_WB, PAGE_SIZE }, /* code and constants */
        { P + 0x428000, P + 0x7f1fffff, RW, PT_WB, PAGE_2M },
        { P + LOG_HPA, P + LOG_HPA + 0xffff, RW, PT_WB, PAGE_SIZE },
        { P + 0x100000000, P + 0x1bfffffff, RW, PT_WB, PAGE_1G },
        { K, K + 0x1ffff, RX, PT_WB, PAGE_SIZE },
        { K + 0x20000, K + 0x27fff, PT_R, PT_WB, PAGE_SIZE },
        { K + 0x28000, K + 0x3ffff, RW, PT_WB, PAGE_SIZE },
    };

    (void)state;
    assert_ranges(expected, ARRAY_SIZE(expected));
    assert_true(hostmap_pt()->root < 1ull << 32);
}

static void without_1g_leaves(void **state)
{
    struct pt_leaf leaf;

    (void)state;
    start(false);
    assert_true(pt_lookup(hostmap_pt(), P + 0x100000000, &leaf));
    assert_int_equal(leaf.size, PAGE_2M);
}

static void windows_stacks_and_trampoline(void **state)
{
    const uint64_t w = HOSTMAP_WINDOW_BASE, fb = w + PAGE_2M;
    const uint64_t stack1 = HOSTMAP_STACK_BASE + 9 * 0x8000, ist = stack1 + 0x8000;
    const struct range expected[] = {
        { TRAMPOLINE, TRAMPOLINE + 0xfff, RX, PT_WB, PAGE_SIZE },
        { P, P + 0x9ffff, RW, PT_WB, PAGE_SIZE },
        { P + 0x100000, P + 0x3fffff, RW, PT_WB, PAGE_2M },
        { P + 0x400000, P + 0x427fff, PT_R, PT_WB, PAGE_SIZE },
        { P + 0x428000, P + 0x7f1fffff, RW, PT_WB, PAGE_2M },
        { P + LOG_HPA, P + LOG_HPA + 0xffff, RW, PT_WB, PAGE_SIZE },
        { P + 0x100000000, P + 0x1bfffffff, RW, PT_WB, PAGE_1G },
        { w, w + 0xfff, RW, PT_UC, PAGE_SIZE },
        { w + 0x2000, w + 0x3fff, RW, PT_UC, PAGE_SIZE }, /* crosses a page border */
        { fb, fb + 0x3fffff, RW, PT_WC, PAGE_2M },
        { stack1 - CPU_STACK_SIZE, stack1 - 1, RW, PT_WB, PAGE_SIZE },
        { ist - HOSTMAP_IST_SIZE, ist - 1, RW, PT_WB, PAGE_SIZE },
        { K, K + 0x1ffff, RX, PT_WB, PAGE_SIZE },
        { K + 0x20000, K + 0x27fff, PT_R, PT_WB, PAGE_SIZE },
        { K + 0x28000, K + 0x3ffff, RW, PT_WB, PAGE_SIZE },
    };

    (void)state;
    assert_int_equal((uintptr_t)hostmap_mmio(0xfee00000, 0x1000), w);
    assert_int_equal((uintptr_t)hostmap_mmio(0xfed00ff8, 0x10), w + 0x2ff8);
    assert_int_equal((uintptr_t)hostmap_wc(0xe0000000, 0x400000), fb);
    assert_int_equal((uintptr_t)hostmap_stack(1), stack1);
    assert_int_equal((uintptr_t)hostmap_ist_stack(1, 1), ist);
    uint64_t free_pages = page_get_stats().free_pages;
    assert_int_equal((uintptr_t)hostmap_stack(1), stack1); /* again: the same one */
    assert_int_equal(page_get_stats().free_pages, free_pages);
    hostmap_trampoline(true);
    hostmap_check();
    assert_ranges(expected, ARRAY_SIZE(expected));
    hostmap_trampoline(false);
    assert_ranges(expected + 1, ARRAY_SIZE(expected) - 1);
    hostmap_trampoline(true);
    hostmap_trampoline(false);
}

/* Every stack of every CPU, each with something unmapped below. */
static void all_stacks_are_apart(void **state)
{
    struct pt_leaf leaf;

    (void)state;
    for (unsigned cpu = 0; cpu < CPU_MAX; cpu++) {
        assert_non_null(hostmap_stack(cpu));
        for (unsigned ist = 1; ist <= HOSTMAP_IST_COUNT; ist++)
            assert_non_null(hostmap_ist_stack(cpu, ist));
    }
    for (unsigned cpu = 0; cpu < CPU_MAX; cpu++) {
        uint64_t top = (uintptr_t)hostmap_stack(cpu);
        assert_true(pt_lookup(hostmap_pt(), top - CPU_STACK_SIZE, &leaf));
        assert_false(pt_lookup(hostmap_pt(), top - CPU_STACK_SIZE - 1, &leaf));
        for (unsigned ist = 1; ist <= HOSTMAP_IST_COUNT; ist++) {
            top = (uintptr_t)hostmap_ist_stack(cpu, ist);
            assert_true(pt_lookup(hostmap_pt(), top - HOSTMAP_IST_SIZE, &leaf));
            assert_false(pt_lookup(hostmap_pt(), top - HOSTMAP_IST_SIZE - 1, &leaf));
        }
    }
    expect_assert_failure(hostmap_stack(CPU_MAX));
    expect_assert_failure(hostmap_ist_stack(0, 0));
    expect_assert_failure(hostmap_ist_stack(0, HOSTMAP_IST_COUNT + 1));
}

static void check_finds_writable_code(void **state)
{
    struct pt pt = *hostmap_pt();

    (void)state;
    assert_int_equal(pt_map(&pt, PAGE_2M, 0, PAGE_SIZE, RW | PT_X, PT_WB, 0), 0);
    expect_assert_failure(hostmap_check());
}

static void activation_sets_the_cpu_up(void **state)
{
    (void)state;
    efer = EFER_LME | EFER_LMA;
    hostmap_activate();
    assert_int_equal(efer, EFER_LME | EFER_LMA | EFER_NXE);
    assert_int_equal(pat, HOSTMAP_PAT);
    assert_int_equal((pat >> 8) & 7, MEM_TYPE_WC); /* entry 1 */
    assert_int_equal(pat & 7, MEM_TYPE_WB);
    assert_int_equal((pat >> 24) & 7, MEM_TYPE_UC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(type_and_rights_of_every_range, setup),
        cmocka_unit_test(without_1g_leaves),
        cmocka_unit_test_setup(windows_stacks_and_trampoline, setup),
        cmocka_unit_test_setup(all_stacks_are_apart, setup),
        cmocka_unit_test_setup(check_finds_writable_code, setup),
        cmocka_unit_test_setup(activation_sets_the_cpu_up, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
