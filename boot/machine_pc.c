/* SPDX-License-Identifier: MIT */
/*
 * Multiboot guests on a small PC: Multiboot Specification 0.6.96 (version 1), "Machine state" and
 * "Boot information format", and what a BIOS leaves below 1 MiB. Pure.
 */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "boot/machine_build.h"

#define BDA_EBDA_SEGMENT 0x40eull
#define BDA_BASE_MEMORY 0x413ull /* KiB below the EBDA */
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

/* All that the guest's EBX leads to, in one page-> */
struct mb_page {
    struct mb_info info;
    struct mb_module modules[GUEST_MODULES_MAX];
    struct mb_mmap mmap[BOOT_RANGES_MAX];
    char loader_name[8];
    char cmdline[GUEST_CMDLINE_MAX];
    char names[GUEST_MODULES_MAX][GUEST_MODULE_NAME_MAX];
};
_Static_assert(sizeof(struct mb_page) <= MACHINE_PAGE, "one page");
#define MB_GPA(member) ((uint32_t)(INFO_GPA + offsetof(struct mb_page, member)))

static void fill_mmap(const struct boot_vm *vm, struct mb_page *page)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < vm->range_count; i++) {
        const struct boot_range *range = &vm->ranges[i];

        if (range->kind == BOOT_RANGE_DEVICES)
            continue;
        page->mmap[count++] = (struct mb_mmap){
            sizeof(struct mb_mmap) - sizeof(uint32_t), range->gpa, range->size,
            range->kind == BOOT_RANGE_RAM ? MMAP_AVAILABLE : MMAP_RESERVED};
    }
    page->info.mmap_length = (uint32_t)(count * sizeof(struct mb_mmap));
    page->info.mmap_addr = MB_GPA(mmap);
}

static uint64_t image_end(const struct boot_vm *vm)
{
    uint64_t end = MACHINE_1M;

    for (uint32_t i = 0; i < vm->segment_count; i++) {
        uint64_t here = vm->segments[i].gpa + vm->segments[i].mem_size;

        end = here > end ? here : end;
    }
    return end;
}

/* Modules follow the kernel, each on a page boundary. */
static int place_modules(struct machine_build *build, struct mb_page *page, uint64_t at)
{
    const struct guest_parts *parts = build->parts;
    uint64_t limit = machine_low_end(build->vm);

    for (uint32_t i = 0; i < parts->module_count; i++) {
        const struct guest_module *module = &parts->modules[i];

        at = (at + MACHINE_PAGE - 1) & ~(MACHINE_PAGE - 1);
        if (at > limit || module->file.size > limit - at)
            return guest_refuse(build->report,
                                "its module %s of %" PRIu64 " KiB does not fit behind it: the VM "
                                "has %" PRIu64 " KiB of memory",
                                module->name, module->file.size >> 10, build->vm->memory >> 10);
        machine_file(build, at, &module->file);
        memcpy(page->names[i], module->name, sizeof(page->names[i]));
        page->modules[i] = (struct mb_module){(uint32_t)at, (uint32_t)(at + module->file.size),
                                              MB_GPA(names[0]) + i * GUEST_MODULE_NAME_MAX, 0};
        at += module->file.size;
    }
    page->info.mods_count = parts->module_count;
    page->info.mods_addr = MB_GPA(modules);
    return 0;
}

static int add_info(struct machine_build *build)
{
    const struct boot_vm *vm = build->vm;
    uint64_t end = image_end(vm);
    struct mb_page *page = machine_table(build, INFO_GPA, sizeof(*page));
    int result = place_modules(build, page, end);

    if (result != 0)
        return result;
    page->info.flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODS | INFO_MMAP | INFO_LOADER_NAME;
    page->info.mem_lower = (uint32_t)(vm->ranges[0].size >> 10);
    page->info.mem_upper = (uint32_t)((machine_low_end(vm) - MACHINE_1M) >> 10);
    page->info.cmdline = MB_GPA(cmdline);
    page->info.loader_name = MB_GPA(loader_name);
    memcpy(page->cmdline, build->parts->cmdline, sizeof(page->cmdline));
    memcpy(page->loader_name, "Mullion", sizeof(page->loader_name));
    fill_mmap(vm, page);
    return 0;
}

static void add_value(struct machine_build *build, uint64_t gpa, uint16_t value, size_t size)
{
    memcpy(machine_table(build, gpa, size), &value, size);
}

/* What old kernels look up below 1 MiB. */
static void add_bios_area(struct machine_build *build)
{
    const uint64_t ebda = build->vm->ranges[0].size;
    void *mp;

    machine_acpi(build);
    mp = machine_table(build, MACHINE_MPTABLE_GPA, MACHINE_PAGE);
    if (mptable_build(build->vm, MACHINE_MPTABLE_GPA, mp, MACHINE_PAGE) == 0)
        build->full = true;
    add_value(build, BDA_EBDA_SEGMENT, (uint16_t)(ebda >> 4), sizeof(uint16_t));
    add_value(build, BDA_BASE_MEMORY, (uint16_t)(ebda >> 10), sizeof(uint16_t));
    add_value(build, ebda, (uint16_t)((MACHINE_LEGACY_HOLE - ebda) >> 10), sizeof(uint8_t));
}

int machine_pc(struct machine_build *build)
{
    int result = add_info(build);

    if (result != 0)
        return result;
    add_bios_area(build);
    machine_enter_32(build, BOOTLOADER_MAGIC, INFO_GPA);
    return 0;
}
