/* SPDX-License-Identifier: MIT */
/* The hypervisor's own address space (root mode; hostmap.h shows what is where). */
#include "kernel/hostmap.h"

#include <errno.h>

#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/pt_host.h"
#include "kernel/x86.h"

#define ROOT_LIMIT (1ull << 32) /* a CPU loads CR3 in 32-bit mode when it starts */
#define STACK_SLOT (32ull << 10) /* a stack at its top, unmapped pages below */
#define STACKS_PER_CPU (HOSTMAP_IST_COUNT + 1)

static struct {
    struct pt pt;
    uint64_t window_next;
    hpa_t trampoline;
} host;

#define ROOT_ENTRIES 512u
#define ROOT_INDEX(address) (((address) >> 39) & (ROOT_ENTRIES - 1))

const struct bootinfo *hostmap_early(hpa_t bootinfo)
{
    hpa_t root = x86_read_cr3() & PTE_ADDRESS;
    uint64_t *entries = (uint64_t *)(uintptr_t)root; /* the loader's identity map */
    uint64_t first = ROOT_INDEX(PHYSMAP_BASE);

    if (x86_read_cr4() & CR4_LA57)
        panic("the loader left five-level paging on");
    for (uint64_t i = 0; first + i < ROOT_INDEX(HOSTMAP_WINDOW_BASE); i++)
        entries[first + i] = entries[i];
    return page_ptr(bootinfo);
}

/* Set-up can't go on without the range. */
static void map_must(uint64_t in, hpa_t hpa, uint64_t size, unsigned rights)
{
    int error = pt_map(&host.pt, in, hpa, size, rights, PT_WB, 0);

    if (error)
        panic("host map: %#llx to %#llx, %llu bytes: error %d", (unsigned long long)in,
              (unsigned long long)hpa, (unsigned long long)size, error);
}

static void physmap_add(hpa_t start, hpa_t end)
{
    if (start < end)
        map_must(PHYSMAP_BASE + start, start, end - start, PT_R | PT_W);
}

static bool physmap_wanted(uint32_t type)
{
    return type == BOOT_MEM_USABLE || type == BOOT_MEM_LOADER || type == BOOT_MEM_ACPI ||
           type == BOOT_MEM_RUNTIME;
}

/* Neighbours in the map are joined first, so that large leaves fit. */
static void map_physmap(const struct bootinfo *boot)
{
    const struct boot_mem *map = page_ptr(boot->mem_map);
    hpa_t start = 0, end = 0;

    for (uint32_t i = 0; i < boot->mem_count; i++) {
        if (!physmap_wanted(map[i].type))
            continue;
        if (map[i].base != end) {
            physmap_add(start, end);
            start = map[i].base;
        }
        end = map[i].base + map[i].size;
    }
    physmap_add(start, end);
    if (boot->log_hpa) {
        struct pt_leaf leaf;
        hpa_t log = ALIGN_DOWN(boot->log_hpa, PAGE_SIZE);

        if (!pt_lookup(&host.pt, PHYSMAP_BASE + log, &leaf))
            physmap_add(log, ALIGN_UP(boot->log_hpa + boot->log_size, PAGE_SIZE));
    }
}

/* The image at its link address; in the direct map its code and constants become read-only. */
static void map_image(const struct bootinfo *boot)
{
    for (const struct hostmap_part *part = hostmap_image; part->start; part++) {
        uint64_t in = (uint64_t)(uintptr_t)part->start;
        uint64_t size = (uint64_t)(part->end - part->start);
        hpa_t hpa = boot->kernel_hpa + (in - (uint64_t)(uintptr_t)hostmap_image[0].start);

        if (!size)
            continue;
        map_must(in, hpa, size, part->rights);
        if (!(part->rights & PT_W) &&
            pt_protect(&host.pt, PHYSMAP_BASE + hpa, size, PT_R))
            panic("host map: the image is not in the direct map");
    }
}

static const struct pt_format *host_format(void)
{
    if (x86_cpuid(CPUID_EXT_MAX, 0).eax >= CPUID_EXT_FEATURES_AMD &&
        (x86_cpuid(CPUID_EXT_FEATURES_AMD, 0).edx & CPUID_80000001_EDX_PAGE1GB))
        return &pt_host_format;
    return &pt_host_format_2m;
}

void hostmap_init(const struct bootinfo *boot)
{
    host.window_next = HOSTMAP_WINDOW_BASE;
    host.trampoline = boot->trampoline;
    page_boot_init(boot);
    page_boot_add(boot, 0, ROOT_LIMIT);
    if (pt_init(&host.pt, host_format()))
        panic("no memory below 4 GiB for page tables");
    page_boot_add(boot, ROOT_LIMIT, ~0ull);
    map_physmap(boot);
    map_image(boot);
    hostmap_check();
}

void hostmap_activate(void)
{
    x86_wrmsr(MSR_IA32_EFER, x86_rdmsr(MSR_IA32_EFER) | EFER_NXE);
    x86_wrmsr(MSR_IA32_PAT, HOSTMAP_PAT);
    x86_write_cr3(host.pt.root); /* also drops translations that were made by the old PAT */
    x86_write_cr0(x86_read_cr0() | CR0_WP);
}

const struct pt *hostmap_pt(void)
{
    return &host.pt;
}

/* Offsets within 2 MiB are kept for large ranges, so that large leaves fit. */
static void *window_map(hpa_t hpa, uint64_t size, enum pt_type type)
{
    hpa_t start = ALIGN_DOWN(hpa, PAGE_SIZE);
    uint64_t length = ALIGN_UP(hpa + size, PAGE_SIZE) - start;
    uint64_t in = host.window_next;

    if (length >= PAGE_2M)
        in = ALIGN_UP(in, PAGE_2M) + (start & (PAGE_2M - 1));
    if (in + length > HOSTMAP_STACK_BASE ||
        pt_map(&host.pt, in, start, length, PT_R | PT_W, type, 0))
        return NULL;
    host.window_next = in + length + PAGE_SIZE; /* one unmapped page between two devices */
    return (void *)(uintptr_t)(in + (hpa - start));
}

void *hostmap_mmio(hpa_t hpa, uint64_t size)
{
    return window_map(hpa, size, PT_UC);
}

void *hostmap_wc(hpa_t hpa, uint64_t size)
{
    return window_map(hpa, size, PT_WC);
}

/* Pages one by one: a stack needs no memory in one piece. */
static void *stack_map(unsigned cpu, unsigned which, uint64_t size)
{
    uint64_t top = HOSTMAP_STACK_BASE + (cpu * STACKS_PER_CPU + which + 1) * STACK_SLOT;
    struct pt_leaf leaf;

    for (uint64_t in = top - size; in < top; in += PAGE_SIZE) {
        if (pt_lookup(&host.pt, in, &leaf))
            continue;
        hpa_t page = page_alloc(PAGE_ORDER_4K);
        if (page == PAGE_NONE)
            return NULL;
        if (pt_map(&host.pt, in, page, PAGE_SIZE, PT_R | PT_W, PT_WB, 0)) {
            page_free(page, PAGE_ORDER_4K);
            return NULL;
        }
    }
    return (void *)(uintptr_t)top;
}

void *hostmap_stack(unsigned cpu)
{
    assert_bug(cpu < CPU_MAX);
    return stack_map(cpu, 0, CPU_STACK_SIZE);
}

void *hostmap_ist_stack(unsigned cpu, unsigned ist)
{
    assert_bug(cpu < CPU_MAX && ist >= 1 && ist <= HOSTMAP_IST_COUNT);
    return stack_map(cpu, ist, HOSTMAP_IST_SIZE);
}

void hostmap_trampoline(bool on)
{
    if (on) {
        map_must(host.trampoline, host.trampoline, PAGE_SIZE, PT_R | PT_X);
        return;
    }
    if (pt_unmap(&host.pt, host.trampoline, PAGE_SIZE))
        panic("host map: no trampoline");
    x86_invlpg(host.trampoline); /* no pt_reap: other CPUs may hold on to the three tables */
}

static int check_leaf(const struct pt_leaf *leaf, void *arg)
{
    (void)arg;
    if ((leaf->rights & PT_W) && (leaf->rights & PT_X))
        panic("host map: %#llx is writable and executable", (unsigned long long)leaf->base);
    return 0;
}

void hostmap_check(void)
{
    (void)pt_foreach(&host.pt, check_leaf, NULL);
}
