/* SPDX-License-Identifier: MIT */
/* A VM's guest-physical map, and the arena of its small objects (root mode). */
#include <errno.h>

#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/vm.h"

int vm_map_add(struct vm *vm, gpa_t base, uint64_t size, uint32_t type)
{
    if (type < GP_RAM || type > GP_MMIO || !size || (base | size) % PAGE_SIZE || base + size < base)
        return -EINVAL;
    if (vm->map_count == BOOT_RANGES_MAX)
        return -ENOSPC;
    for (uint32_t i = 0; i < vm->map_count; i++) {
        if (base < vm->map[i].base + vm->map[i].size && vm->map[i].base < base + size)
            return -EINVAL;
    }
    vm->map[vm->map_count++] = (struct gp_region){ base, size, type };
    return 0;
}

const struct gp_region *vm_map_find(const struct vm *vm, gpa_t gpa)
{
    for (uint32_t i = 0; i < vm->map_count; i++) {
        if (gpa - vm->map[i].base < vm->map[i].size)
            return &vm->map[i];
    }
    return NULL;
}

/* The arena: pages chained through their first word, the newest first. */
#define ARENA_HEAD 16u

static size_t vm_alloc_limit(void)
{
    return PAGE_SIZE - ARENA_HEAD;
}

static bool arena_grow(struct vm *vm)
{
    void *page = page_zalloc();

    if (!page)
        return false;
    *(void **)page = vm->arena.pages;
    vm->arena.pages = page;
    vm->arena.used = ARENA_HEAD;
    vm->arena_pages++;
    return true;
}

void *vm_alloc(struct vm *vm, size_t size)
{
    void *object;

    size = ALIGN_UP(size, (size_t)16);
    assert_bug(size <= vm_alloc_limit());
    if ((!vm->arena.pages || vm->arena.used + size > PAGE_SIZE) && !arena_grow(vm))
        return NULL;
    object = (char *)vm->arena.pages + vm->arena.used;
    vm->arena.used += size;
    return object;
}

void *vm_page_alloc(void)
{
    return page_zalloc();
}

void vm_page_free(void *page)
{
    page_zfree(page);
}

void vm_arena_free(struct vm *vm)
{
    while (vm->arena.pages) {
        void *page = vm->arena.pages;
        vm->arena.pages = *(void **)page;
        page_zfree(page);
    }
    vm->arena.used = 0;
    vm->arena_pages = 0;
}
