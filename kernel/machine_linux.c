/* SPDX-License-Identifier: MIT */
/*
 * Linux guests: the 64-bit boot protocol (Linux, Documentation/arch/x86/boot.rst and
 * zero-page.rst), with hardware-reduced ACPI tables. Root mode.
 */
#include <errno.h>
#include <string.h>

#include "kernel/acpi_build.h"
#include "kernel/machine_priv.h"
#include "kernel/page.h"

#define ZERO_PAGE_GPA 0x7000ull
#define CMDLINE_GPA 0x20000ull
#define ACPI_GPA 0xe0000ull

/* Offsets in the zero page. */
#define ZP_ACPI_RSDP 0x070u
#define ZP_E820_COUNT 0x1e8u
#define ZP_SETUP_HEADER 0x1f1u
#define ZP_VERSION 0x206u
#define ZP_MAGIC 0x202u
#define ZP_TYPE_OF_LOADER 0x210u
#define ZP_RAMDISK_IMAGE 0x218u
#define ZP_RAMDISK_SIZE 0x21cu
#define ZP_CMDLINE 0x228u
#define ZP_INITRD_MAX 0x22cu
#define ZP_XLOADFLAGS 0x236u
#define ZP_INIT_SIZE 0x260u
#define ZP_SETUP_HEADER_END 0x290u
#define ZP_E820_TABLE 0x2d0u

#define HEADER_MAGIC 0x53726448u /* "HdrS" */
#define VERSION_MIN 0x020cu      /* the first with xloadflags */
#define LOADER_UNDEFINED 0xffu
#define XLF_KERNEL_64 1u
#define ENTRY_64 0x200u /* of the loaded kernel */

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

static void set_field(uint8_t *zero_page, unsigned offset, uint32_t value)
{
    memcpy(zero_page + offset, &value, sizeof(value));
}

static int copy_header(struct vm *vm, uint8_t *zero_page)
{
    const struct boot_vm *config = vm->config;

    if (config->setup_header_size > ZP_SETUP_HEADER_END - ZP_SETUP_HEADER)
        return -EINVAL;
    memcpy(zero_page + ZP_SETUP_HEADER, page_ptr(config->setup_header_hpa),
           config->setup_header_size);
    if (field(zero_page, ZP_MAGIC) != HEADER_MAGIC ||
        (field(zero_page, ZP_VERSION) & 0xffff) < VERSION_MIN ||
        !(field(zero_page, ZP_XLOADFLAGS) & XLF_KERNEL_64)) {
        log_printf("%s: this kernel has no 64-bit entry point (boot protocol 2.12)\n", vm->name);
        return -EINVAL;
    }
    zero_page[ZP_TYPE_OF_LOADER] = LOADER_UNDEFINED;
    return 0;
}

/* The initrd lies as high as it can: the kernel unpacks itself upwards from below. */
static int place_initrd(struct vm *vm, uint8_t *zero_page)
{
    const struct boot_module *initrd = &vm->config->initrd;
    uint64_t limit = MIN(machine_low_ram_end(vm), (uint64_t)field(zero_page, ZP_INITRD_MAX) + 1);
    uint64_t kernel_end = vm->config->entry - ENTRY_64 + field(zero_page, ZP_INIT_SIZE);
    gpa_t gpa;

    if (kernel_end > machine_low_ram_end(vm) || initrd->size > limit ||
        ALIGN_DOWN(limit - initrd->size, PAGE_SIZE) < kernel_end) {
        log_printf("%s: kernel (to 0x%llx) and initrd (0x%llx bytes) do not fit into memory\n",
                   vm->name, (unsigned long long)kernel_end, (unsigned long long)initrd->size);
        return -ENOSPC;
    }
    if (!initrd->size)
        return 0;
    gpa = ALIGN_DOWN(limit - initrd->size, PAGE_SIZE);
    set_field(zero_page, ZP_RAMDISK_IMAGE, (uint32_t)gpa);
    set_field(zero_page, ZP_RAMDISK_SIZE, (uint32_t)initrd->size);
    return machine_copy(vm, gpa, initrd->hpa, initrd->size, "initrd");
}

static void fill_e820(const struct vm *vm, uint8_t *zero_page)
{
    uint8_t count = 0;

    for (uint32_t i = 0; i < vm->map_count; i++) {
        const struct gp_region *region = &vm->map[i];
        struct e820_entry entry = { region->base, region->size,
                                    region->type == GP_RAM ? E820_RAM : E820_RESERVED };

        if (region->type == GP_MMIO)
            continue;
        memcpy(zero_page + ZP_E820_TABLE + count * sizeof(entry), &entry, sizeof(entry));
        count++;
    }
    zero_page[ZP_E820_COUNT] = count;
}

static int write_acpi(struct vm *vm, uint8_t *zero_page)
{
    uint8_t *tables = page_zalloc();
    uint64_t rsdp = ACPI_GPA;
    int error = -ENOMEM;

    if (tables) {
        size_t used = acpi_build(vm, ACPI_GPA, tables, PAGE_SIZE);

        assert_bug(used);
        error = machine_write(vm, ACPI_GPA, tables, used);
    }
    memcpy(zero_page + ZP_ACPI_RSDP, &rsdp, sizeof(rsdp));
    page_zfree(tables);
    return error;
}

static int write_boot_data(struct vm *vm, uint8_t *zero_page)
{
    const struct boot_vm *config = vm->config;
    int error = copy_header(vm, zero_page);

    if (!error)
        error = place_initrd(vm, zero_page);
    if (!error)
        error = write_acpi(vm, zero_page);
    if (!error)
        error = machine_write(vm, CMDLINE_GPA, config->cmdline, sizeof(config->cmdline));
    if (error)
        return error;
    set_field(zero_page, ZP_CMDLINE, (uint32_t)CMDLINE_GPA);
    fill_e820(vm, zero_page);
    return machine_write(vm, ZERO_PAGE_GPA, zero_page, PAGE_SIZE);
}

int machine_linux_load(struct vm *vm)
{
    uint8_t *zero_page = page_zalloc();
    int error = zero_page ? write_boot_data(vm, zero_page) : -ENOMEM;

    page_zfree(zero_page);
    if (!error)
        error = machine_enter_64(vm->vcpus[0], ZERO_PAGE_GPA, vm->config->entry);
    /* Firmware that starts in x2APIC mode saves the guest every MMIO access to its APIC. */
    for (uint32_t i = 0; !error && i < vm->vcpu_count; i++)
        vm->intc->handoff(vm->vcpus[i], INTC_HANDOFF_X2APIC);
    return error;
}
