/* SPDX-License-Identifier: MIT */
/*
 * The machine that a VM finds: its memory layout and how an image gets into it (root mode).
 * What differs between kinds of guests is a row here and a file machine_<kind>.c.
 */
#include "kernel/machine.h"

#include <errno.h>

#include "guests/abi.h"
#include "kernel/machine_priv.h"
#include "kernel/page.h"

#define MEMORY_MAX (1ull << 35) /* 36 address bits: any CPU with nested paging has them */
#define EBDA_BASE 0x9f000ull

static const struct machine_kind kinds[] = {
    [BOOT_VM_LINUX] = { MACHINE_LINUX, 32ull << 20, MACHINE_LEGACY_HOLE, MACHINE_1M,
                        machine_linux_load },
    [BOOT_VM_MULTIBOOT] = { MACHINE_PC, 4ull << 20, EBDA_BASE, 0x10000, machine_pc_load },
    [BOOT_VM_FLAT] = { MACHINE_FLAT, 2ull << 20, MACHINE_1M, MULLION_FLAT_LOAD_ADDRESS,
                       machine_flat_load },
};

static const struct machine_kind *kind_of(const struct vm *vm)
{
    uint32_t kind = vm->config->kind;

    assert_bug(kind < ARRAY_SIZE(kinds) && kinds[kind].load);
    return &kinds[kind];
}

enum machine machine_of(const struct vm *vm)
{
    return kind_of(vm)->machine;
}

int machine_map(struct vm *vm)
{
    const struct machine_kind *kind = kind_of(vm);
    uint64_t memory = vm->config->memory;
    uint64_t low = MIN(memory, MACHINE_LOW_RAM_MAX);
    int error;

    if (memory < kind->min_memory || memory > MEMORY_MAX || memory % PAGE_SIZE) {
        log_printf("%s: memory of %llu KiB: this kind needs %llu KiB or more, whole pages\n",
                   vm->name, (unsigned long long)memory >> 10,
                   (unsigned long long)kind->min_memory >> 10);
        return -EINVAL;
    }
    vm->memory = memory;
    if (kind->low_end == MACHINE_1M) {
        error = vm_map_add(vm, 0, low, GP_RAM, "RAM");
    } else {
        error = vm_map_add(vm, 0, kind->low_end, GP_RAM, "base RAM");
        if (!error)
            error = vm_map_add(vm, kind->low_end, MACHINE_1M - kind->low_end, GP_RESERVED_RAM,
                               "VGA and firmware");
        if (!error)
            error = vm_map_add(vm, MACHINE_1M, low - MACHINE_1M, GP_RAM, "RAM");
    }
    if (!error && memory > low)
        error = vm_map_add(vm, MACHINE_HIGH_RAM, memory - low, GP_RAM, "RAM above 4 GiB");
    if (!error)
        error = vm_map_add(vm, MACHINE_IOAPIC_BASE, MACHINE_APIC_SIZE, GP_MMIO, "I/O APIC");
    return error ? error
                 : vm_map_add(vm, MACHINE_LAPIC_BASE, MACHINE_APIC_SIZE, GP_MMIO, "local APIC");
}

gpa_t machine_low_ram_end(const struct vm *vm)
{
    return MIN(vm->memory, MACHINE_LOW_RAM_MAX);
}

static bool in_ram(const struct vm *vm, gpa_t gpa, uint64_t size)
{
    const struct gp_region *region = vm_map_find(vm, gpa);

    return region && region->type == GP_RAM && size <= region->size - (gpa - region->base);
}

int machine_copy(struct vm *vm, gpa_t gpa, hpa_t from, uint64_t size, const char *what)
{
    if (gpa < kind_of(vm)->image_min || !in_ram(vm, gpa, size)) {
        log_printf("%s: %s at 0x%llx, size 0x%llx, is not in usable RAM\n", vm->name, what,
                   (unsigned long long)gpa, (unsigned long long)size);
        return -EFAULT;
    }
    return size ? gmem_write(vm, gpa, page_ptr(from), size) : 0;
}

int machine_write(struct vm *vm, gpa_t gpa, const void *from, size_t size)
{
    int error = gmem_write(vm, gpa, from, size);

    if (error)
        log_printf("%s: no memory at 0x%llx for firmware tables\n", vm->name,
                   (unsigned long long)gpa);
    return error;
}

/* Memory is clean when a VM gets it, so that what follows a segment's bytes is zero already. */
static int copy_segments(struct vm *vm)
{
    const struct boot_vm *config = vm->config;

    if (!config->segment_count || config->segment_count > BOOT_SEGMENTS_MAX)
        return -EINVAL;
    for (uint32_t i = 0; i < config->segment_count; i++) {
        const struct boot_segment *segment = &config->segments[i];
        int error = machine_copy(vm, segment->gpa, segment->hpa, segment->size, "image");

        if (error)
            return error;
        if (segment->mem_size > segment->size && !in_ram(vm, segment->gpa, segment->mem_size)) {
            log_printf("%s: the image needs 0x%llx bytes at 0x%llx\n", vm->name,
                       (unsigned long long)segment->mem_size, (unsigned long long)segment->gpa);
            return -ENOSPC;
        }
    }
    return 0;
}

int machine_load(struct vm *vm)
{
    int error = copy_segments(vm);

    if (!error && !in_ram(vm, vm->config->entry, 1)) {
        log_printf("%s: entry point 0x%llx is not in RAM\n", vm->name,
                   (unsigned long long)vm->config->entry);
        error = -EFAULT;
    }
    if (!error)
        error = kind_of(vm)->load(vm);
    return error;
}
