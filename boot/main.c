/* SPDX-License-Identifier: MIT */
/*
 * BOOTX64.EFI: collects what the hypervisor needs to know and to have (bootinfo.h), leaves boot
 * services and enters it. Runs in the UEFI loader.
 */
#include "boot/acpi.h"
#include "boot/loader.h"
#include "boot/pci.h"

#define STACK_SIZE       (64u << 10)
#define CONFIG_ADDRESS   0xcf8u
#define CONFIG_DATA      0xcfcu
#define PIT_COMMAND      0x43u
#define PIT_CHANNEL0_OFF 0x30u /* mode 0, which waits for a count */
#define TRAMPOLINE_LIMIT 0x9ffffu /* below the EBDA's and video memory's usual place */

EFI_HANDLE loader_image;
EFI_SYSTEM_TABLE *loader_system;

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static struct bootinfo *bootinfo_new(void)
{
    struct bootinfo *info = memory_keep(sizeof(*info), PAGE, "bootinfo");

    info->magic = BOOTINFO_MAGIC;
    info->version = BOOTINFO_VERSION;
    info->size = sizeof(*info);
    info->tsc_at_entry = cpu_tsc();
    return info;
}

/* CPUs, interrupt controllers and clocks. */
static void find_board(struct bootinfo *info)
{
    struct acpi acpi;
    uint32_t count;
    const struct boot_mem *map = memory_map(&count);

    acpi_open(&acpi, firmware_rsdp(), map, count);
    acpi_read_board(&acpi, &info->board);
    cpus_find(info, &acpi);
}

/* PCI Local Bus Specification 3.0, 3.2.2.3.2. ECAM would reach more than the first segment group,
 * which few machines have. */
static uint32_t config_read(uint32_t address)
{
    cpu_out32(CONFIG_ADDRESS, address);
    return cpu_in32(CONFIG_DATA);
}

static void config_write(uint32_t address, uint32_t value)
{
    cpu_out32(CONFIG_ADDRESS, address);
    cpu_out32(CONFIG_DATA, value);
}

/* Intel 8254 data sheet, "Programming the 8254". What firmware lets tick has nobody to tick for,
 * and does harm in QEMU with -icount: docs/backends.md. */
static void stop_firmware_timer(void)
{
    cpu_out8(PIT_COMMAND, PIT_CHANNEL0_OFF);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
    static const struct pci_config ports = {config_read, config_write};
    struct bootinfo *info;
    uint64_t entry, link_base, cr3;
    uint8_t *stack;

    loader_image = image;
    loader_system = system;
    /* Firmware resets the machine after 5 minutes, even at an error message. */
    BOOT_SERVICES->SetWatchdogTimer(0, 0, 0, NULL);
    say("mullion: loader\n");
    info = bootinfo_new();
    memory_prepare_map();
    file_open_volume();
    ramlog_open(info);
    firmware_find_framebuffer(info);
    find_board(info);
    entry = kernel_load(info, &link_base);
    hwtest_gate(info);
    vms_load(info);
    info->trampoline = memory_keep_below(TRAMPOLINE_LIMIT, "starting other CPUs");
    stack = memory_keep(STACK_SIZE, PAGE, "the first stack");
    cr3 = paging_build(info, link_base);
    say("mullion: %u VM%s, starting the hypervisor\n", info->vm_count,
        info->vm_count == 1 ? "" : "s");
    memory_leave_boot_services(info);
    /* Firmware's drivers, its USB keyboard's among them, have come to their end. */
    stop_firmware_timer();
    info->bus_masters_stopped = pci_stop_bus_masters(&ports);
    enter_kernel(cr3, (uint64_t)(uintptr_t)(stack + STACK_SIZE), info, entry);
}
