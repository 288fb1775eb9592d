/* SPDX-License-Identifier: MIT */
/*
 * Multiboot guests on a small PC: Multiboot Specification 0.6.96 (version 1), "Machine state" and
 * "Boot information format", and what a BIOS leaves below 1 MiB. Root mode.
 */
#include <errno.h>
#include <string.h>

#include "kernel/acpi_build.h"
#include "kernel/machine_priv.h"
#include "kernel/page.h"

#define BDA_EBDA_SEGMENT 0x40eull
#define BDA_BASE_MEMORY 0x413ull /* KiB below the EBDA */
#define ACPI_GPA 0xe0000ull
#define MPTABLE_GPA 0xf0000ull
#define INFO_GPA 0x1000ull

#define BOOTLOADER_MAGIC 0x2badb002u
#define INFO_MEMORY (1u << 0)
#define INFO_CMDLINE (1u << 2)
#define INFO_MODS (1u << 3)
#define INFO_MMAP (1u << 6)
#define INFO_LOADER_NAME (1u << 9)
#define MMAP_AVAILABLE 1u
#define MMAP_RESERVED 2u

struct mb_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
    uint32_t symbols[4];
    uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table, loader_name;
    uint32_t apm_table;
    uint32_t video[11]; /* VBE and framebuffer: none */
};

struct mb_module {
    uint32_t start, end, string, reserved;
};

struct __attribute__((packed)) mb_mmap {
    uint32_t size; /* of the rest */
    uint64_t base, length;
    uint32_t type;
};

/* All that the guest's EBX leads to, in one page. */
struct mb_page {
    struct mb_info info;
    struct mb_module modules[BOOT_MODULES_MAX];
    struct mb_mmap mmap[GP_REGIONS_MAX];
    char loader_name[8];
    char cmdline[BOOT_CMDLINE_MAX];
    char names[BOOT_MODULES_MAX][BOOT_MODULE_NAME_MAX];
};
_Static_assert(sizeof(struct mb_page) <= PAGE_SIZE, "one page");
#define MB_GPA(member) ((uint32_t)(INFO_GPA + offsetof(struct mb_page, member)))

static void fill_mmap(const struct vm *vm, struct mb_page *page)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < vm->map_count; i++) {
        const struct gp_region *region = &vm->map[i];

        if (region->type == GP_MMIO)
            continue;
        page->mmap[count++] = (struct mb_mmap){
            sizeof(struct mb_mmap) - sizeof(uint32_t), region->base, region->size,
            region->type == GP_RAM ? MMAP_AVAILABLE : MMAP_RESERVED };
    }
    page->info.mmap_length = (uint32_t)(count * sizeof(struct mb_mmap));
    page->info.mmap_addr = MB_GPA(mmap);
}

static gpa_t image_end(const struct boot_vm *config)
{
    gpa_t end = MACHINE_1M;

    for (uint32_t i = 0; i < config->segment_count; i++) {
        const struct boot_segment *segment = &config->segments[i];

        end = MAX(end, segment->gpa + MAX(segment->size, segment->mem_size));
    }
    return end;
}

/* Modules follow the kernel, each on a page boundary. */
static int load_modules(struct vm *vm, struct mb_page *page)
{
    const struct boot_vm *config = vm->config;
    gpa_t at = image_end(config);

    if (config->module_count > BOOT_MODULES_MAX)
        return -EINVAL;
    for (uint32_t i = 0; i < config->module_count; i++) {
        const struct boot_module *module = &config->modules[i];
        int error;

        at = ALIGN_UP(at, PAGE_SIZE);
        error = machine_copy(vm, at, module->hpa, module->size, module->name);
        if (error)
            return error == -EFAULT ? -ENOSPC : error;
        memcpy(page->names[i], module->name, sizeof(page->names[i]));
        page->modules[i] = (struct mb_module){ (uint32_t)at, (uint32_t)(at + module->size),
                                               MB_GPA(names[0]) + i * BOOT_MODULE_NAME_MAX, 0 };
        at += module->size;
    }
    page->info.mods_count = config->module_count;
    page->info.mods_addr = MB_GPA(modules);
    return 0;
}

static int write_info(struct vm *vm, struct mb_page *page)
{
    int error = load_modules(vm, page);

    if (error)
        return error;
    page->info.flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODS | INFO_MMAP | INFO_LOADER_NAME;
    page->info.mem_lower = (uint32_t)(vm->map[0].size >> 10);
    page->info.mem_upper = (uint32_t)((machine_low_ram_end(vm) - MACHINE_1M) >> 10);
    page->info.cmdline = MB_GPA(cmdline);
    page->info.loader_name = MB_GPA(loader_name);
    memcpy(page->cmdline, vm->config->cmdline, sizeof(page->cmdline));
    memcpy(page->loader_name, "Mullion", sizeof(page->loader_name));
    fill_mmap(vm, page);
    return machine_write(vm, INFO_GPA, page, sizeof(*page));
}

/* What old kernels look up below 1 MiB. `page` is scratch memory. */
static int write_bios_area(struct vm *vm, uint8_t *page)
{
    const gpa_t ebda = vm->map[0].size;
    const uint16_t base_memory = (uint16_t)(ebda >> 10);
    const uint16_t segment = (uint16_t)(ebda >> 4);
    const uint8_t ebda_size = (uint8_t)((MACHINE_LEGACY_HOLE - ebda) >> 10); /* KiB */
    size_t used = acpi_build(vm, ACPI_GPA, page, PAGE_SIZE);
    int error;

    assert_bug(used);
    error = machine_write(vm, ACPI_GPA, page, used);
    used = mptable_build(vm, MPTABLE_GPA, page, PAGE_SIZE);
    assert_bug(used);
    if (!error)
        error = machine_write(vm, MPTABLE_GPA, page, used);
    if (!error)
        error = machine_write(vm, BDA_EBDA_SEGMENT, &segment, sizeof(segment));
    if (!error)
        error = machine_write(vm, BDA_BASE_MEMORY, &base_memory, sizeof(base_memory));
    return error ? error : machine_write(vm, ebda, &ebda_size, sizeof(ebda_size));
}

int machine_pc_load(struct vm *vm)
{
    void *page = page_zalloc();
    int error = page ? write_info(vm, page) : -ENOMEM;

    if (!error) {
        memset(page, 0, PAGE_SIZE);
        error = write_bios_area(vm, page);
    }
    page_zfree(page);
    if (!error)
        error = machine_enter_32(vm->vcpus[0], BOOTLOADER_MAGIC, (uint32_t)INFO_GPA,
                                 vm->config->entry);
    if (!error)
        vm->intc->handoff(vm->vcpus[0], INTC_HANDOFF_VIRTUAL_WIRE);
    return error;
}
