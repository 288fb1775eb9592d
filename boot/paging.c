/* SPDX-License-Identifier: MIT */
/*
 * The page tables that the hypervisor starts on: identity, and its image at its link address. It
 * replaces them at once, so all is writable and executable here. Runs in the UEFI loader.
 */
#include "boot/loader.h"

/* SDM 3A, 4-Level Paging and 5-Level Paging, 4.5. */
#define PTE_PRESENT             (1ull << 0)
#define PTE_WRITABLE            (1ull << 1)
#define PTE_PAGE_SIZE           (1ull << 7)
#define PTE_ADDRESS             0x000ffffffffff000ull
#define LEVEL_PML4              39u
#define LEVEL_PDPT              30u
#define LEVEL_PD                21u
#define CR4_LA57                (1ull << 12)
#define CPUID_EXTENDED_FEATURES 0x80000001u
#define CPUID_EDX_PAGE_1GB      (1u << 26)

/* Below: device windows and RAM lie close together, and a page shall have one memory type. */
#define SMALL_PAGES_END (4ull << 30)

static bool has_1g_pages(void)
{
    struct cpuid_result result;

    cpu_id(CPUID_EXTENDED_FEATURES, 0, &result);
    return (result.edx & CPUID_EDX_PAGE_1GB) != 0;
}

/* The table that an entry points to, made if there is none. */
static uint64_t *next_table(uint64_t *entry)
{
    if ((*entry & PTE_PRESENT) == 0)
        *entry = (uint64_t)(uintptr_t)memory_keep(PAGE, PAGE, "page tables") | PTE_PRESENT |
                 PTE_WRITABLE;
    return (uint64_t *)(uintptr_t)(*entry & PTE_ADDRESS);
}

/* Maps one page of 1 << level bytes (LEVEL_PDPT or LEVEL_PD). */
static void map_page(uint64_t *table, uint64_t virtual, uint64_t physical, unsigned level)
{
    unsigned at = LEVEL_PML4;

    for (; at > level; at -= 9)
        table = next_table(&table[virtual >> at & 511]);
    table[virtual >> at & 511] = physical | PTE_PRESENT | PTE_WRITABLE | PTE_PAGE_SIZE;
}

static void map_identity(uint64_t *root, uint64_t end)
{
    uint64_t at = 0;

    for (; at < SMALL_PAGES_END; at += 1ull << LEVEL_PD)
        map_page(root, at, at, LEVEL_PD);
    if (has_1g_pages()) {
        for (; at < end; at += 1ull << LEVEL_PDPT)
            map_page(root, at, at, LEVEL_PDPT);
    }
    for (; at < end; at += 1ull << LEVEL_PD)
        map_page(root, at, at, LEVEL_PD);
}

uint64_t paging_build(const struct bootinfo *info, uint64_t link_base)
{
    uint64_t *root = memory_keep(PAGE, PAGE, "page tables");
    uint64_t screen_end = info->fb.base + (uint64_t)info->fb.pitch * info->fb.height;
    uint64_t end;

    if ((cpu_cr4() & CR4_LA57) != 0)
        say_fatal("the firmware uses 5-level paging, which the hypervisor can't leave: switch it "
                  "off in the firmware's set-up");
    memory_usable(&end);
    map_identity(root, end > screen_end ? end : screen_end);
    for (uint64_t at = 0; at < info->kernel_size; at += PAGE_2M)
        map_page(root, link_base + at, info->kernel_hpa + at, LEVEL_PD);
    return (uint64_t)(uintptr_t)root;
}
