/* SPDX-License-Identifier: MIT */
/* Fuzzer: any bytes as a guest image of each kind, and as the hypervisor's ELF file. */
/* sources: boot/guest_image.c boot/bzimage.c boot/multiboot.c boot/elf64.c boot/machine.c
 * boot/machine_start.c boot/machine_linux.c boot/machine_pc.c boot/machine_flat.c
 * boot/acpi_build.c boot/dsdt.c boot/aml.c boot/mptable.c */
#include <stdlib.h>
#include <string.h>

#include "boot/elf64.h"
#include "boot/machine_build.h"

#define HPA 0x100000000ull
#define INITRD_HPA 0x200000000ull
#define INITRD_SIZE (1u << 20)
#define TABLES_HPA 0x300000000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int lies_in(uint64_t at, uint64_t size, uint64_t base, uint64_t length)
{
    return at >= base && size <= length && at - base <= length - size;
}

static int in_memory(const struct boot_vm *vm, const struct boot_segment *s)
{
    for (uint32_t i = 0; i < vm->range_count; i++)
        if (vm->ranges[i].kind != BOOT_RANGE_DEVICES &&
            lies_in(s->gpa, s->mem_size, vm->ranges[i].gpa, vm->ranges[i].size))
            return 1;
    return 0;
}

/* What the kernel relies on for every accepted image: nothing is copied but what the loader has,
 * into the VM's memory, each byte once. */
static void check_vm(const struct boot_vm *vm, uint64_t size)
{
    for (uint32_t i = 0; i < vm->segment_count; i++) {
        const struct boot_segment *s = &vm->segments[i];

        if (!(lies_in(s->hpa, s->size, HPA, size) ||
              lies_in(s->hpa, s->size, INITRD_HPA, INITRD_SIZE) ||
              lies_in(s->hpa, s->size, TABLES_HPA, MACHINE_TABLES_SIZE)) ||
            s->size > s->mem_size || !in_memory(vm, s))
            abort();
        for (uint32_t n = 0; n < i; n++)
            if (s->gpa < vm->segments[n].gpa + vm->segments[n].mem_size &&
                vm->segments[n].gpa < s->gpa + s->mem_size)
                abort();
    }
}

static void load_elf(const uint8_t *data, size_t size)
{
    struct elf64_plan plan;
    uint8_t *block;

    if (elf64_check(data, size, &plan) != NULL)
        return;
    block = calloc(1, plan.size);
    if (block == NULL)
        abort();
    elf64_load(data, &plan, block);
    free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(16) uint8_t tables[MACHINE_TABLES_SIZE];
    const struct guest_parts parts = {.kernel = {data, size, HPA},
                                      .initrd.file = {NULL, INITRD_SIZE, INITRD_HPA},
                                      .module_count = 1,
                                      .modules[0].file = {NULL, INITRD_SIZE, INITRD_HPA}};

    for (uint32_t kind = BOOT_VM_LINUX; kind <= BOOT_VM_FLAT; kind++) {
        struct boot_vm vm = {.kind = kind, .memory = 64u << 20, .vcpu_count = 2};
        struct guest_report report;
        struct machine_build build = {.vm = &vm, .parts = &parts, .report = &report,
                                      .bytes = tables, .hpa = TABLES_HPA};

        if (guest_image_digest(&vm, &parts, &report) == 0 && machine_build(&build) == 0)
            check_vm(&vm, size);
        else if (report.error[0] == '\0' || strstr(report.error, "a bug of this loader"))
            abort();
    }
    load_elf(data, size);
    return 0;
}
