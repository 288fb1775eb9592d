/* SPDX-License-Identifier: MIT */
/* Fuzzer: any bytes as a guest image of each kind, and as the hypervisor's ELF file. */
/* sources: boot/guest_image.c boot/bzimage.c boot/multiboot.c boot/elf64.c */
#include <stdlib.h>
#include <string.h>

#include "boot/elf64.h"
#include "boot/guest_image.h"

#define HPA 0x100000000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the kernel relies on for every accepted image. */
static void check_vm(const struct boot_vm *vm, uint64_t size)
{
    for (uint32_t i = 0; i < vm->segment_count; i++) {
        const struct boot_segment *s = &vm->segments[i];

        if (s->hpa < HPA || s->hpa - HPA > size || s->size > size - (s->hpa - HPA) ||
            s->size > s->mem_size || s->gpa < GUEST_LOW_TABLES_END || s->gpa > vm->memory ||
            s->mem_size > vm->memory - s->gpa ||
            (s->gpa < GUEST_VIDEO_HOLE_END && s->gpa + s->mem_size > GUEST_VIDEO_HOLE))
            abort();
    }
    if (vm->kind == BOOT_VM_LINUX &&
        (vm->setup_header_hpa < HPA || vm->setup_header_hpa - HPA > size ||
         vm->setup_header_size > size - (vm->setup_header_hpa - HPA) ||
         vm->setup_header_size > 0x290 - 0x1f1))
        abort();
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
    const struct guest_file file = {data, size, HPA};

    for (uint32_t kind = BOOT_VM_LINUX; kind <= BOOT_VM_FLAT; kind++) {
        struct boot_vm vm = {.kind = kind, .memory = 64u << 20, .initrd.size = 1u << 20};
        struct guest_report report;

        if (guest_image_digest(&vm, &file, &report) == 0)
            check_vm(&vm, size);
        else if (report.error[0] == '\0')
            abort();
    }
    load_elf(data, size);
    return 0;
}
