/* SPDX-License-Identifier: MIT */
/* From the manifest's definitions to running VMs (root mode, CPU 0). */
#include "kernel/manifest.h"

#include <string.h>

#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/sched.h"
#include "kernel/vm.h"

static const struct boot_vm *definitions;
static uint32_t count;

/* Of a VM that is only defined, too: it can be created later, and must find its CPUs empty. */
static void reserve_cpus(const struct boot_vm *config)
{
    for (uint32_t i = 0; i < config->vcpu_count && config->exclusive; i++)
        sched_reserve(cpu_get(config->cpus[i]));
}

void manifest_init(const struct bootinfo *boot)
{
    definitions = boot->vm_count ? page_ptr(boot->vms) : NULL;
    count = boot->vm_count;
    for (uint32_t i = 0; i < count; i++)
        reserve_cpus(&definitions[i]);
}

const struct boot_vm *manifest_get(uint32_t i)
{
    return i < count ? &definitions[i] : NULL;
}

const struct boot_vm *manifest_find(const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(definitions[i].name, name) == 0)
            return &definitions[i];
    }
    return NULL;
}

/* All are created before any starts: a manifest that does not fit starts nothing. */
static bool create_all(void)
{
    for (uint32_t i = 0; i < count && backend; i++) {
        struct vm *vm;
        if (definitions[i].autostart && vm_create(&definitions[i], &vm)) {
            log_printf("manifest: \"%s\" could not be created: no VM is started\n",
                       definitions[i].name);
            return false;
        }
    }
    return true;
}

void manifest_start(void)
{
    bool fits = create_all();

    for (uint32_t id = 0; id < VM_MAX && fits; id++) {
        struct vm *vm = vm_get(id);
        if (vm)
            vm_start(vm);
    }
}
