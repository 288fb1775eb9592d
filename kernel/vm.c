/* SPDX-License-Identifier: MIT */
/* The table of virtual machines: records, creation, removal (root mode, CPU 0). */
#include "kernel/vm.h"

#include <errno.h>
#include <string.h>

#include "kernel/console.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/report.h"

#define VM_ORDER 1u
_Static_assert(sizeof(struct vm) <= PAGE_SIZE << VM_ORDER, "struct vm");

/* CPU 0 changes the table; others read pointers that stay valid while their VM runs. */
static struct vm *vms[VM_MAX];
static uint64_t serials;

struct vm *vm_get(uint32_t id)
{
    return id < VM_MAX ? vms[id] : NULL;
}

struct vm *vm_find(const char *name)
{
    for (uint32_t id = 0; id < VM_MAX; id++) {
        if (vms[id] && strcmp(vms[id]->name, name) == 0)
            return vms[id];
    }
    return NULL;
}

static int free_slot(void)
{
    for (int id = 0; id < VM_MAX; id++) {
        if (!vms[id])
            return id;
    }
    return -ENOSPC;
}

static void free_record(struct vm *vm)
{
    vms[vm->id] = NULL;
    console_destroy(vm);
    report_vm_gone(vm);
    page_free(page_hpa(vm), VM_ORDER);
}

static struct vm *new_record(const struct boot_vm *config, uint32_t id)
{
    hpa_t block = page_alloc(VM_ORDER);
    struct vm *vm;

    if (block == PAGE_NONE)
        return NULL;
    vm = page_ptr(block);
    vm->id = id;
    vm->serial = ++serials;
    vm->config = config;
    vm->memory = config->memory;
    memcpy(vm->name, config->name, sizeof(vm->name));
    lock_init(&vm->lock, LOCK_RANK_VM, "vm");
    if (console_create(vm)) {
        page_free(block, VM_ORDER);
        return NULL;
    }
    vms[id] = vm;
    return vm;
}

int vm_create(const struct boot_vm *config, struct vm **out)
{
    int id = free_slot(), err;
    struct vm *vm;

    if (!backend)
        return -ENOTSUP;
    if (vm_find(config->name))
        return -EEXIST;
    if (id < 0)
        return id;
    vm = new_record(config, (uint32_t)id);
    if (!vm)
        return -ENOMEM;
    err = vm_build(vm);
    if (err) {
        log_printf("%s: not created: error %d\n", vm->name, err);
        vm_unbuild(vm);
        free_record(vm);
        return err;
    }
    vm->state = VM_READY;
    report_vm_defined(vm);
    *out = vm;
    return 0;
}

int vm_destroy(struct vm *vm)
{
    if (vm->state == VM_RUNNING || vm->state == VM_STOPPING)
        return -EBUSY;
    if (vm->state == VM_READY)
        vm_unbuild(vm);
    free_record(vm);
    return 0;
}
