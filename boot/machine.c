/* SPDX-License-Identifier: MIT */
/*
 * Memory layout of guests' machines, and how tables get into it; see machine_build.h. What differs
 * between kinds of guests is a row here and a file machine_<kind>.c. Pure.
 */
#include "boot/machine.h"

#include <string.h>

#include "boot/machine_build.h"
#include "guests/abi.h"

#define EBDA_BASE 0x9f000ull
#define TABLE_ALIGN 16u

/* One row for each kind of guest. */
static const struct machine_kind {
    uint64_t low_end;   /* RAM below 1 MiB ends here; from there to 1 MiB it is firmware's */
    uint64_t image_min; /* below it are tables of ours */
    int (*build)(struct machine_build *build);
} kinds[] = {
    [BOOT_VM_LINUX] = {MACHINE_LEGACY_HOLE, MACHINE_1M, machine_linux},
    [BOOT_VM_MULTIBOOT] = {EBDA_BASE, 0x10000, machine_pc},
    [BOOT_VM_FLAT] = {MACHINE_1M, MULLION_FLAT_LOAD_ADDRESS, machine_flat},
};

uint64_t machine_low_end(const struct boot_vm *vm)
{
    return vm->memory < MACHINE_LOW_RAM_MAX ? vm->memory : MACHINE_LOW_RAM_MAX;
}

uint64_t machine_image_min(const struct boot_vm *vm)
{
    return kinds[vm->kind].image_min;
}

static void add(struct boot_vm *vm, uint64_t from, uint64_t end, enum boot_range_kind kind)
{
    if (from < end)
        vm->ranges[vm->range_count++] =
            (struct boot_range){.gpa = from, .size = end - from, .kind = kind};
}

void machine_map(struct boot_vm *vm)
{
    uint64_t low_end = kinds[vm->kind].low_end, low = machine_low_end(vm);

    vm->range_count = 0;
    if (low_end == MACHINE_1M) {
        add(vm, 0, low, BOOT_RANGE_RAM);
    } else {
        add(vm, 0, low_end, BOOT_RANGE_RAM);
        add(vm, low_end, MACHINE_1M, BOOT_RANGE_FIRMWARE);
        add(vm, MACHINE_1M, low, BOOT_RANGE_RAM);
    }
    add(vm, MACHINE_HIGH_RAM, MACHINE_HIGH_RAM + vm->memory - low, BOOT_RANGE_RAM);
    add(vm, MACHINE_IOAPIC_BASE, MACHINE_IOAPIC_BASE + MACHINE_APIC_SIZE, BOOT_RANGE_DEVICES);
    add(vm, MACHINE_LAPIC_BASE, MACHINE_LAPIC_BASE + MACHINE_APIC_SIZE, BOOT_RANGE_DEVICES);
}

static void add_segment(struct machine_build *build, struct boot_segment segment)
{
    struct boot_vm *vm = build->vm;

    if (vm->segment_count == BOOT_SEGMENTS_MAX)
        build->full = true;
    else
        vm->segments[vm->segment_count++] = segment;
}

void *machine_table(struct machine_build *build, uint64_t gpa, size_t size)
{
    size_t at = (build->used + TABLE_ALIGN - 1) & ~(size_t)(TABLE_ALIGN - 1);

    if (at > MACHINE_TABLES_SIZE || size > MACHINE_TABLES_SIZE - at) {
        build->full = true; /* machine_build refuses; until then the bytes serve as scratch */
        at = 0;
    }
    build->used = at + size;
    add_segment(build, (struct boot_segment){build->hpa + at, gpa, size, size});
    return build->bytes + at;
}

void machine_file(struct machine_build *build, uint64_t gpa, const struct guest_file *file)
{
    if (file->size > 0)
        add_segment(build, (struct boot_segment){file->hpa, gpa, file->size, file->size});
}

int machine_build(struct machine_build *build)
{
    int result = kinds[build->vm->kind].build(build);

    if (result == 0 && build->full)
        return guest_refuse(build->report, "its tables do not fit: a bug of this loader");
    return result;
}
