/* SPDX-License-Identifier: MIT */
/*
 * Guest memory (root mode): giving RAM to a VM, taking it back, and checked copies. Guest memory
 * is read and written page by page through the nested table, so that a copy can reach nothing
 * that the guest could not reach itself.
 */
#include "kernel/gmem.h"

#include <errno.h>

#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

#define RAM_RIGHTS (PT_R | PT_W | PT_X)

static bool is_ram(const struct gp_region *region)
{
    return region->type == GP_RAM || region->type == GP_RESERVED_RAM;
}

enum { SIZE_1G, SIZE_2M, SIZE_4K };
static const struct {
    unsigned level, order;
    uint64_t size;
} page_sizes[] = {
    [SIZE_1G] = { 3, PAGE_ORDER_1G, PAGE_1G },
    [SIZE_2M] = { 2, PAGE_ORDER_2M, PAGE_2M },
    [SIZE_4K] = { 1, PAGE_ORDER_4K, PAGE_SIZE },
};

#define SPARE_ORDER 4u /* 64 KiB */

/* Single pages come from a small stock of the VM: its lock is held anyway, so that most faults
 * don't need that of all memory. */
static inline hpa_t take_small(struct vm *vm)
{
    if (unlikely(!vm->spares)) {
        hpa_t block = page_alloc(SPARE_ORDER);
        if (block == PAGE_NONE)
            return page_alloc(PAGE_ORDER_4K);
        page_split(block, SPARE_ORDER, PAGE_ORDER_4K);
        vm->spare = block;
        vm->spares = 1u << SPARE_ORDER;
    }
    vm->spares--;
    vm->spare += PAGE_SIZE;
    return vm->spare - PAGE_SIZE;
}

static void return_stock(struct vm *vm)
{
    for (; vm->spares; vm->spares--, vm->spare += PAGE_SIZE)
        page_free(vm->spare, PAGE_ORDER_4K);
}

static bool give_small(struct vm *vm, gpa_t gpa)
{
    hpa_t hpa = take_small(vm);

    if (unlikely(hpa == PAGE_NONE))
        return false;
    if (likely(pt_map_page(&vm->nested, gpa, hpa, RAM_RIGHTS, PT_WB) == 0))
        return true;
    page_free(hpa, PAGE_ORDER_4K);
    return false;
}

/* Maps one page of page_sizes[i] at gpa. False: no memory, or part of it is mapped. */
static bool give_page(struct vm *vm, gpa_t gpa, size_t i)
{
    uint64_t size = page_sizes[i].size;
    hpa_t hpa;

    if (i == SIZE_4K)
        return give_small(vm, gpa);
    hpa = page_alloc(page_sizes[i].order);
    if (hpa == PAGE_NONE)
        return false;
    if (pt_map(&vm->nested, gpa, hpa, size, RAM_RIGHTS, PT_WB, page_sizes[i].level) == 0)
        return true;
    page_free(hpa, page_sizes[i].order);
    return false;
}

/* Maps clean memory at gpa, 2 MiB pages in as few pieces as there are. Its size; 0: none. */
static uint64_t give_run(struct vm *vm, gpa_t gpa, uint64_t left)
{
    unsigned order = MIN(63u - (unsigned)__builtin_clzll(left) - PAGE_SHIFT, PAGE_ORDER_MAX);
    hpa_t block = page_alloc_clean(&order);
    uint64_t size = PAGE_SIZE << order;

    if (block == PAGE_NONE)
        return 0;
    page_split(block, order, PAGE_ORDER_2M);
    if (pt_map(&vm->nested, gpa, block, size, RAM_RIGHTS, PT_WB, 2) == 0)
        return size;
    for (uint64_t done = 0; done < size; done += PAGE_2M)
        page_free(block + done, PAGE_ORDER_2M);
    return 0;
}

/* Maps memory at gpa in the largest pages that alignment, `left` and free memory allow. Its size;
 * 0: none. */
static uint64_t give_block(struct vm *vm, gpa_t gpa, uint64_t left, unsigned max_level)
{
    for (size_t i = 0; i < ARRAY_SIZE(page_sizes); i++) {
        uint64_t size = page_sizes[i].size, run;

        if (page_sizes[i].level > max_level || gpa % size || left < size)
            continue;
        if (i == SIZE_2M && (run = give_run(vm, gpa, left)))
            return run;
        if (give_page(vm, gpa, i))
            return size;
    }
    return 0;
}

static int give_range(struct vm *vm, gpa_t gpa, gpa_t end)
{
    unsigned max_level = vm->nested.format->largest_level;

    while (gpa < end) {
        uint64_t size = give_block(vm, gpa, end - gpa, max_level);
        if (!size)
            return -ENOMEM;
        gpa += size;
    }
    return 0;
}

int gmem_give_all(struct vm *vm)
{
    const struct gp_region *map = vm->map;
    uint32_t i = 0, last;
    int err = 0;

    if (vm->config->backing != BOOT_BACKING_EAGER)
        return 0;
    for (; i < vm->map_count && !err; i = last + 1) {
        last = i;
        if (!is_ram(&map[i]))
            continue;
        /* regions that touch share large pages: ours and the guest's differ by name only */
        while (last + 1 < vm->map_count && is_ram(&map[last + 1]) &&
               map[last].base + map[last].size == map[last + 1].base)
            last++;
        err = give_range(vm, map[i].base, map[last].base + map[last].size);
    }
    return_stock(vm);
    return err;
}

/* Blocks are mapped one leaf each, so a leaf tells what to give back. */
static int take_leaf(const struct pt_leaf *leaf, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < ARRAY_SIZE(page_sizes); i++) {
        if (page_sizes[i].size == leaf->size)
            page_free(leaf->hpa, page_sizes[i].order);
    }
    return 0;
}

void gmem_take_all(struct vm *vm)
{
    pt_foreach(&vm->nested, take_leaf, NULL);
    return_stock(vm);
}

int gmem_demand(struct vm *vm, gpa_t gpa)
{
    const struct gp_region *region = vm_map_find(vm, gpa);
    uint32_t backing = vm->config->backing;
    bool large = backing == BOOT_BACKING_DEMAND_2M && vm->nested.format->largest_level >= 2;

    if (!region || !is_ram(region) || backing == BOOT_BACKING_EAGER)
        return -EFAULT;
    if (large) {
        gpa_t base = ALIGN_DOWN(gpa, PAGE_2M);

        if (base >= region->base && PAGE_2M <= region->base + region->size - base &&
            give_page(vm, base, SIZE_2M))
            return 0;
    }
    if (likely(give_small(vm, ALIGN_DOWN(gpa, PAGE_SIZE))))
        return 0;
    /* another vCPU may have been here first */
    return pt_translate(&vm->nested, gpa) == PAGE_NONE ? -ENOMEM : 0;
}

/* Its 4 KiB pages are executable where the large one was not (kernel/mitigate.h). A vCPU with the
 * old translation can only fault once more; that has to go for the change of size (SDM 3C,
 * "Guidelines for Use of the INVEPT Instruction"). */
static int split_for_code(struct vm *vm, const struct pt_leaf *leaf, gpa_t gpa)
{
    int err = pt_protect(&vm->nested, ALIGN_DOWN(gpa, PAGE_SIZE), PAGE_SIZE, RAM_RIGHTS);

    if (err)
        return err;
    page_split(leaf->hpa, PAGE_ORDER_2M, PAGE_ORDER_4K);
    err = pt_protect(&vm->nested, leaf->base, leaf->size, RAM_RIGHTS);
    for (uint32_t i = 0; i < vm->vcpu_count; i++)
        vcpu_request(vm->vcpus[i], VCPU_REQ_FLUSH);
    return err;
}

int gmem_fetch(struct vm *vm, gpa_t gpa)
{
    struct pt_leaf leaf;

    if (!pt_lookup(&vm->nested, gpa, &leaf))
        return gmem_demand(vm, gpa);
    if (leaf.rights & PT_X)
        return 0; /* another vCPU was here first */
    return leaf.size == PAGE_2M ? split_for_code(vm, &leaf, gpa) : -EFAULT;
}

void *gmem_page(struct vm *vm, gpa_t gpa)
{
    hpa_t hpa = pt_translate(&vm->nested, gpa);

    if (unlikely(hpa == PAGE_NONE)) {
        bool held = lock_held(&vm->lock);

        if (!held)
            lock_acquire(&vm->lock);
        hpa = gmem_demand(vm, gpa) ? PAGE_NONE : pt_translate(&vm->nested, gpa);
        if (!held)
            lock_release(&vm->lock);
    }
    return hpa == PAGE_NONE ? NULL : page_ptr(hpa);
}

static size_t in_page(gpa_t gpa, size_t left)
{
    return MIN(left, (size_t)(PAGE_SIZE - (gpa & (PAGE_SIZE - 1))));
}

static bool range_ok(struct vm *vm, gpa_t gpa, size_t size)
{
    if (gpa + size < gpa)
        return false;
    if (size <= in_page(gpa, size))
        return true; /* one page: copy() looks it up */
    for (size_t done = 0; done < size; done += in_page(gpa + done, size - done)) {
        if (!gmem_page(vm, gpa + done))
            return false;
    }
    return true;
}

static int copy(struct vm *vm, gpa_t gpa, void *buffer, size_t size, bool write)
{
    uint8_t *bytes = buffer;

    if (!range_ok(vm, gpa, size))
        return -EFAULT;
    for (size_t done = 0; done < size;) {
        size_t length = in_page(gpa + done, size - done);
        void *page = gmem_page(vm, gpa + done);

        if (!page)
            return -EFAULT;
        if (write)
            x86_copy(page, bytes + done, length);
        else
            x86_copy(bytes + done, page, length);
        done += length;
    }
    return 0;
}

int gmem_read(struct vm *vm, gpa_t gpa, void *to, size_t size)
{
    return copy(vm, gpa, to, size, false);
}

int gmem_write(struct vm *vm, gpa_t gpa, const void *from, size_t size)
{
    return copy(vm, gpa, (void *)(uintptr_t)from, size, true);
}
