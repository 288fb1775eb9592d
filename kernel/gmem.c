/* SPDX-License-Identifier: MIT */
/*
 * Guest memory (root mode): giving RAM to a VM, taking it back, and checked copies. Guest memory
 * is read and written page by page through the nested table, so that a copy can reach nothing
 * that the guest could not reach itself.
 */
#include "kernel/gmem.h"

#include <errno.h>
#include <string.h>

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

static const struct {
    unsigned level, order;
    uint64_t size;
} page_sizes[] = {
    { 3, PAGE_ORDER_1G, PAGE_1G },
    { 2, PAGE_ORDER_2M, PAGE_2M },
    { 1, PAGE_ORDER_4K, PAGE_SIZE },
};

/* Maps one page of page_sizes[i] at gpa. False: no memory, or part of it is mapped. */
static bool give_page(struct vm *vm, gpa_t gpa, size_t i)
{
    uint64_t size = page_sizes[i].size;
    hpa_t hpa = page_alloc(page_sizes[i].order);

    if (hpa == PAGE_NONE)
        return false;
    if (pt_map(&vm->nested, gpa, hpa, size, RAM_RIGHTS, PT_WB, page_sizes[i].level) == 0)
        return true;
    page_free(hpa, page_sizes[i].order);
    return false;
}

/* Maps one block at gpa, as large as alignment, `left` and free memory allow. Its size; 0: none. */
static uint64_t give_block(struct vm *vm, gpa_t gpa, uint64_t left, unsigned max_level)
{
    for (size_t i = 0; i < ARRAY_SIZE(page_sizes); i++) {
        uint64_t size = page_sizes[i].size;

        if (page_sizes[i].level <= max_level && gpa % size == 0 && left >= size &&
            give_page(vm, gpa, i))
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
}

int gmem_demand(struct vm *vm, gpa_t gpa)
{
    const struct gp_region *region = vm_map_find(vm, gpa);
    unsigned level = vm->config->backing == BOOT_BACKING_DEMAND_2M ? 2 : 1;

    if (!region || !is_ram(region) || vm->config->backing == BOOT_BACKING_EAGER)
        return -EFAULT;
    level = MIN(level, vm->nested.format->largest_level);
    for (size_t i = 0; i < ARRAY_SIZE(page_sizes); i++) {
        gpa_t base = ALIGN_DOWN(gpa, page_sizes[i].size);

        if (page_sizes[i].level <= level && base >= region->base &&
            page_sizes[i].size <= region->base + region->size - base && give_page(vm, base, i))
            return 0;
    }
    /* another vCPU may have been here first */
    return pt_translate(&vm->nested, gpa) == PAGE_NONE ? -ENOMEM : 0;
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

enum copy_kind { COPY_READ, COPY_WRITE, COPY_ZERO };

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

static int copy(struct vm *vm, gpa_t gpa, void *buffer, size_t size, enum copy_kind kind)
{
    uint8_t *bytes = buffer;

    if (!range_ok(vm, gpa, size))
        return -EFAULT;
    for (size_t done = 0; done < size;) {
        size_t length = in_page(gpa + done, size - done);
        void *page = gmem_page(vm, gpa + done);

        if (!page)
            return -EFAULT;
        if (kind == COPY_READ)
            x86_copy(bytes + done, page, length);
        else if (kind == COPY_WRITE)
            x86_copy(page, bytes + done, length);
        else
            memset(page, 0, length);
        done += length;
    }
    return 0;
}

int gmem_read(struct vm *vm, gpa_t gpa, void *to, size_t size)
{
    return copy(vm, gpa, to, size, COPY_READ);
}

int gmem_write(struct vm *vm, gpa_t gpa, const void *from, size_t size)
{
    return copy(vm, gpa, (void *)(uintptr_t)from, size, COPY_WRITE);
}

int gmem_zero(struct vm *vm, gpa_t gpa, size_t size)
{
    return copy(vm, gpa, NULL, size, COPY_ZERO);
}
