/* SPDX-License-Identifier: MIT */
/*
 * What a VM looks like when its first instruction runs: where memory lies, what firmware would
 * have left behind, and the registers of vCPU 0. Root mode; life-cycle calls, on CPU 0.
 */
#ifndef KERNEL_MACHINE_H
#define KERNEL_MACHINE_H

#include "kernel/types.h"
#include "kernel/vdev.h"

/* Guest-physical space of every machine. */
#define MACHINE_LOW_RAM_MAX 0xc0000000ull /* RAM below the hole; the rest starts at 4 GiB */
#define MACHINE_HIGH_RAM 0x100000000ull
#define MACHINE_LEGACY_HOLE 0xa0000ull /* to 1 MiB: VGA and BIOS; memory of ours there */
#define MACHINE_1M 0x100000ull
#define MACHINE_IOAPIC_BASE 0xfec00000ull
#define MACHINE_LAPIC_BASE 0xfee00000ull
#define MACHINE_APIC_SIZE 0x1000ull

/* Ports that the ACPI tables name; the device's side is drivers/vacpi.h, a unit test compares. */
#define ACPI_PORT_SLEEP_CONTROL 0x604u
#define ACPI_PORT_SLEEP_STATUS 0x605u
#define ACPI_PORT_EVENT 0x608u /* bit 0: power button; reading clears it */
#define ACPI_PORT_RESET 0xcf9u
#define ACPI_EVENT_POWER_BUTTON 1u
#define ACPI_RESET_VALUE 6u
#define ACPI_SLEEP_TYPE_S5 5u

/* Global system interrupts. All are edge-triggered, active high. */
#define MACHINE_GSI_PIT 2u /* IRQ 0 is wired to pin 2 of the I/O APIC, as on every PC */
#define MACHINE_GSI_COM1 4u
#define MACHINE_GSI_RTC 8u
#define MACHINE_GSI_EVENT 9u /* generic event device */

/* The kind of machine that the VM's kind of guest gets. */
enum machine machine_of(const struct vm *vm);

/* Before RAM is given: describes memory in vm->map from config->memory, and sets vm->memory.
 * -EINVAL: too small or too large for this kind (the reason is in the log). */
int machine_map(struct vm *vm);

/* After RAM, vCPUs and devices exist: copies the guest in, writes the firmware's tables, sets
 * vCPU 0's registers (vm_start makes it runnable, the others wait for SIPI). vCPU 0 is where
 * vcpu_set is allowed. -EINVAL: the image asks for what this machine lacks; -ENOSPC: it does not
 * fit; -EFAULT: it lies outside RAM; -ENOMEM. The reason is in the log. */
int machine_load(struct vm *vm);

/* The APIC ID of the I/O APIC: one that no vCPU has, where 4 bits allow. */
static inline unsigned machine_ioapic_id(const struct vm *vm)
{
    return vm->vcpu_count & 0xf;
}

#endif
