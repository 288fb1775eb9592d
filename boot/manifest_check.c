/* SPDX-License-Identifier: MIT */
/*
 * The manifest against the machine: CPUs that exist and are given to one VM only, and memory.
 * Pure: runs in the UEFI loader before any VM starts, and on the build host.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "boot/manifest.h"

#define MIB (UINT64_C(1) << 20)
/* The hypervisor's stacks, queues and device state, and its pool of clean pages. */
#define HYPERVISOR_RESERVE (48 * MIB)
/* A VM's nested page tables: 8 bytes for each 4 KiB page, doubled. */
#define TABLE_SHARE 256

static int refuse(struct manifest_error *error, struct manifest_mark at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(struct manifest_error *error, struct manifest_mark at, const char *format, ...)
{
    va_list args;

    error->at = at;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return -EINVAL;
}

static int check_exclusive(const struct manifest_vm *entry, unsigned cpu_count,
                           const struct manifest_vm **owners, struct manifest_error *error)
{
    const struct boot_vm *vm = &entry->vm;

    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        unsigned cpu = vm->cpus[i];

        if (cpu >= cpu_count)
            return refuse(error, entry->cpus_at,
                          "cpus: %s wants CPU %u, but the last of this machine's %u is CPU %u: "
                          "give it others, a plain number to share CPUs, or the machine more",
                          vm->name, cpu, cpu_count, cpu_count - 1);
        if (owners[cpu] != NULL)
            return refuse(error, entry->cpus_at,
                          "cpus: CPU %u is exclusive to %s (line %u) and can't be %s's too", cpu,
                          owners[cpu]->vm.name, owners[cpu]->at.line, vm->name);
        owners[cpu] = entry;
    }
    return 0;
}

static int check_cpus(const struct manifest *manifest, unsigned cpu_count,
                      struct manifest_error *error)
{
    const struct manifest_vm *owners[BOOT_CPUS_MAX] = {NULL};

    if (cpu_count > BOOT_CPUS_MAX)
        cpu_count = BOOT_CPUS_MAX;
    /* VMs that share need no check: CPU 0 is never exclusive, so there is always one to share. */
    for (unsigned i = 0; i < manifest->count; i++) {
        const struct manifest_vm *entry = &manifest->vms[i];
        int result = entry->vm.exclusive ? check_exclusive(entry, cpu_count, owners, error) : 0;

        if (result != 0)
            return result;
    }
    return 0;
}

/* What starts at boot must fit together; what is only defined must fit alone. */
static int check_memory(const struct manifest *manifest, uint64_t available,
                        struct manifest_error *error)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < manifest->count; i++) {
        const struct manifest_vm *entry = &manifest->vms[i];
        uint64_t need = entry->vm.memory + entry->vm.memory / TABLE_SHARE;
        uint64_t with_reserve = need + HYPERVISOR_RESERVE + (entry->vm.autostart ? sum : 0);

        if (with_reserve > available)
            return refuse(error, entry->memory_at,
                          "memory: %s asks for %" PRIu64 " MiB; with the VMs before it and the "
                          "hypervisor's own that makes %" PRIu64
                          " MiB, but this machine has %" PRIu64
                          " MiB free: give the VMs less or the machine more",
                          entry->vm.name, entry->vm.memory / MIB, with_reserve / MIB,
                          available / MIB);
        if (entry->vm.autostart)
            sum += need;
    }
    return 0;
}

int manifest_check(const struct manifest *manifest, const struct manifest_machine *machine,
                   struct manifest_error *error)
{
    int result = check_cpus(manifest, machine->cpus, error);

    return result != 0 ? result : check_memory(manifest, machine->memory, error);
}
