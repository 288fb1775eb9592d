/* SPDX-License-Identifier: MIT */
/* Building a virtual machine and taking it apart (root mode, CPU 0). */
#include "kernel/vm.h"

#include <errno.h>
#include <string.h>

#include "kernel/console.h"
#include "kernel/gmem.h"
#include "kernel/log.h"
#include "kernel/machine.h"
#include "kernel/page.h"
#include "kernel/policy.h"
#include "kernel/report.h"
#include "kernel/sched.h"
#include "kernel/time.h"
#include "kernel/vdev.h"

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

int vm_map_add(struct vm *vm, gpa_t base, uint64_t size, enum gp_type type, const char *name)
{
    if (!size || (base | size) % PAGE_SIZE || base + size < base)
        return -EINVAL;
    if (vm->map_count == GP_REGIONS_MAX)
        return -ENOSPC;
    for (uint32_t i = 0; i < vm->map_count; i++) {
        if (base < vm->map[i].base + vm->map[i].size && vm->map[i].base < base + size)
            return -EINVAL;
    }
    vm->map[vm->map_count++] = (struct gp_region){ base, size, type, name };
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

static void arena_free(struct vm *vm)
{
    while (vm->arena.pages) {
        void *page = vm->arena.pages;
        vm->arena.pages = *(void **)page;
        page_zfree(page);
    }
    vm->arena.used = 0;
    vm->arena_pages = 0;
}

static int create_devices(struct vm *vm)
{
    unsigned machine = machine_of(vm);

    for (unsigned order = 0; order <= VDEV_ORDER_MAX; order++) {
        SET_FOREACH(p, vdev) {
            const struct vdev_type *type = *p;
            struct vdev *dev;
            int err;

            if (type->order != order || !(type->machines & machine))
                continue;
            dev = vm_alloc(vm, sizeof(*dev));
            if (!dev)
                return -ENOMEM;
            *dev = (struct vdev){ .type = type, .vm = vm, .next = vm->devices };
            if (type->state_size && !(dev->state = vm_alloc(vm, type->state_size)))
                return -ENOMEM;
            err = type->init(dev);
            if (err) {
                log_printf("%s: device %s: error %d\n", vm->name, type->name, err);
                return err;
            }
            vm->devices = dev;
        }
    }
    return 0;
}

static int create_vcpus(struct vm *vm)
{
    const struct boot_vm *config = vm->config;

    for (uint32_t i = 0; i < config->vcpu_count; i++) {
        struct cpu *cpu = config->exclusive ? cpu_get(config->cpus[i]) : sched_place();
        int err;

        if (!cpu || (config->exclusive && sched_reserve(cpu))) {
            log_printf("%s: CPU %u is not free\n", vm->name, cpu ? cpu->index : 0);
            return -EBUSY;
        }
        err = vcpu_create(vm, i, cpu, config->exclusive);
        if (err) {
            if (config->exclusive)
                sched_unreserve(cpu);
            return err;
        }
        vm->vcpu_count++;
    }
    return 0;
}

/* Runs on vCPU 0's CPU, which is what setting registers needs. */
static void load_guest(struct vcpu *v, void *arg)
{
    *(int *)arg = machine_load(v->vm);
}

static int load_on_cpu(struct vm *vm)
{
    int err = 0;

    vcpu_call(vm->vcpus[0], load_guest, &err);
    return err;
}

static int policy_all(struct vm *vm)
{
    int err = 0;

    for (uint32_t i = 0; i < vm->vcpu_count && !err; i++)
        err = policy_init(vm->vcpus[i]);
    return err;
}

int vm_build(struct vm *vm)
{
    uint64_t start = time_tsc();
    int err;

    vm->tsc_offset = 0 - start;
    if ((err = machine_map(vm)) || (err = pt_init(&vm->nested, backend->nested_format())))
        return err;
    if ((err = backend->vm_init(vm)) || (err = gmem_give_all(vm)) || (err = create_vcpus(vm)) ||
        (err = policy_all(vm)) || (err = create_devices(vm)) || (err = load_on_cpu(vm)))
        return err;
    vm->create_ticks = time_tsc() - start;
    return 0;
}

static void flush_cpu(void *arg)
{
    backend->flush(arg);
}

/* No CPU may hold a translation when the memory gets another owner. */
static void flush_everywhere(struct vm *vm)
{
    for (uint32_t i = 0; i < cpu_count(); i++) {
        if (cpu_get(i)->state == CPU_ONLINE)
            work_call(cpu_get(i), flush_cpu, vm);
    }
}

static void fini_devices(struct vm *vm)
{
    for (struct vdev *dev = vm->devices; dev; dev = dev->next) {
        if (dev->type->fini)
            dev->type->fini(dev);
    }
    vm->devices = NULL;
}

/* Also after a vm_build that failed half-way. */
void vm_unbuild(struct vm *vm)
{
    fini_devices(vm);
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        struct cpu *cpu = vm->vcpus[i]->cpu;

        vcpu_destroy(vm->vcpus[i]);
        if (vm->config->exclusive)
            sched_unreserve(cpu);
    }
    vm->vcpu_count = 0;
    vm->intc = NULL;
    vm->intc_state = NULL;
    if (vm->nested.format) {
        if (vm->backend)
            flush_everywhere(vm);
        gmem_take_all(vm);
        pt_destroy(&vm->nested);
        vm->nested = (struct pt){ 0 };
    }
    backend->vm_fini(vm);
    vm->map_count = 0;
    vm->pio.count = vm->mmio.count = 0;
    arena_free(vm);
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
