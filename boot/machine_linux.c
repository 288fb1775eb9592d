/* SPDX-License-Identifier: MIT */
/*
 * Linux guests: the 64-bit boot protocol (Linux, Documentation/arch/x86/boot.rst and
 * zero-page.rst), with hardware-reduced ACPI tables. Pure.
 */
#include <inttypes.h>
#include <string.h>

#include "boot/machine_build.h"

#define ZERO_PAGE_GPA 0x7000ull
#define CMDLINE_GPA 0x20000ull

/* Offsets in the zero page. */
#define ZP_ACPI_RSDP 0x070u
#define ZP_E820_COUNT 0x1e8u
#define ZP_SETUP_HEADER 0x1f1u
#define ZP_TYPE_OF_LOADER 0x210u
#define ZP_RAMDISK_IMAGE 0x218u
#define ZP_RAMDISK_SIZE 0x21cu
#define ZP_CMDLINE 0x228u
#define ZP_INITRD_MAX 0x22cu
#define ZP_E820_TABLE 0x2d0u

#define LOADER_UNDEFINED 0xffu

#define E820_RAM 1u
#define E820_RESERVED 2u
struct __attribute__((packed)) e820_entry {
    uint64_t base, size;
    uint32_t type;
};

static uint32_t field(const uint8_t *zero_page, unsigned offset)
{
    uint32_t value;

    memcpy(&value, zero_page + offset, sizeof(value));
    return value;
}

static void set_field(uint8_t *zero_page, unsigned offset, uint64_t value, size_t size)
{
    memcpy(zero_page + offset, &value, size);
}

/* The initrd lies as high as it can: the kernel unpacks itself upwards from below. */
static int place_initrd(struct machine_build *build, uint8_t *zero_page)
{
    const struct boot_vm *vm = build->vm;
    const struct guest_file *initrd = &build->parts->initrd.file;
    uint64_t start = vm->segments[0].gpa + vm->segments[0].mem_size;
    uint64_t limit = (uint64_t)field(zero_page, ZP_INITRD_MAX) + 1, gpa;

    if (initrd->size == 0)
        return 0;
    limit = limit < machine_low_end(vm) ? limit : machine_low_end(vm);
    gpa = limit < initrd->size ? 0 : (limit - initrd->size) & ~(MACHINE_PAGE - 1);
    if (gpa < start)
        return guest_refuse(build->report,
                            "no room for its initrd of %" PRIu64 " KiB above the kernel: the "
                            "kernel works up to %" PRIu64 " KiB, the VM has %" PRIu64 " KiB",
                            initrd->size >> 10, start >> 10, vm->memory >> 10);
    set_field(zero_page, ZP_RAMDISK_IMAGE, gpa, sizeof(uint32_t));
    set_field(zero_page, ZP_RAMDISK_SIZE, initrd->size, sizeof(uint32_t));
    machine_file(build, gpa, initrd);
    return 0;
}

static void fill_e820(const struct boot_vm *vm, uint8_t *zero_page)
{
    uint8_t count = 0;

    for (uint32_t i = 0; i < vm->range_count; i++) {
        const struct boot_range *range = &vm->ranges[i];
        struct e820_entry entry = {range->gpa, range->size,
                                   range->kind == BOOT_RANGE_RAM ? E820_RAM : E820_RESERVED};

        if (range->kind == BOOT_RANGE_DEVICES)
            continue;
        memcpy(zero_page + ZP_E820_TABLE + count * sizeof(entry), &entry, sizeof(entry));
        count++;
    }
    zero_page[ZP_E820_COUNT] = count;
}

int machine_linux(struct machine_build *build)
{
    const struct guest_parts *parts = build->parts;
    uint8_t *zero_page = machine_table(build, ZERO_PAGE_GPA, MACHINE_PAGE);
    int result;

    memcpy(zero_page + ZP_SETUP_HEADER, parts->kernel.data + ZP_SETUP_HEADER,
           guest_bzimage_header_end(&parts->kernel) - ZP_SETUP_HEADER);
    zero_page[ZP_TYPE_OF_LOADER] = LOADER_UNDEFINED;
    result = place_initrd(build, zero_page);
    if (result != 0)
        return result;
    memcpy(machine_table(build, CMDLINE_GPA, sizeof(parts->cmdline)), parts->cmdline,
           sizeof(parts->cmdline));
    set_field(zero_page, ZP_CMDLINE, CMDLINE_GPA, sizeof(uint32_t));
    set_field(zero_page, ZP_ACPI_RSDP, MACHINE_ACPI_GPA, sizeof(uint64_t));
    fill_e820(build->vm, zero_page);
    machine_acpi(build);
    machine_enter_64(build, ZERO_PAGE_GPA);
    return 0;
}
