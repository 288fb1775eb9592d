/* SPDX-License-Identifier: MIT */
/* Giving a virtual machine all that it runs on, and taking it back (root mode, CPU 0). */
#include <errno.h>

#include "kernel/gmem.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/policy.h"
#include "kernel/sched.h"
#include "kernel/time.h"
#include "kernel/vdev.h"
#include "kernel/vm.h"

static int create_devices(struct vm *vm)
{
    unsigned machine = machine_of(vm->config->kind);

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

        if (cpu->state != CPU_ONLINE) {
            log_printf("%s: CPU %u did not start\n", vm->name, cpu->index);
            return -ENODEV;
        }
        err = vcpu_create(vm, i, cpu, config->exclusive);
        if (err)
            return err;
        vm->vcpu_count++;
    }
    return 0;
}

/* Runs on vCPU 0's CPU, which is what setting registers needs. */
static void load_guest(struct vcpu *v, void *arg)
{
    *(int *)arg = vm_load(v->vm);
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
    if ((err = apicv_decide(vm)) || (err = vm_load_map(vm)) ||
        (err = pt_init(&vm->nested, backend->nested_format())))
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
    for (uint32_t i = 0; i < vm->vcpu_count; i++)
        vcpu_destroy(vm->vcpus[i]);
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
    vm_arena_free(vm);
}
