/* SPDX-License-Identifier: MIT */
/*
 * The machines that guests find: addresses, ports and interrupt lines that the loader writes into
 * tables and maps, and that drivers/ answer at. Beside bootinfo.h the only header of boot/ that
 * the hypervisor may include, so that each of these numbers is said once.
 */
#ifndef BOOT_MACHINE_H
#define BOOT_MACHINE_H

#include <stdint.h>

#define MACHINE_IOAPIC_BASE 0xfec00000ull
#define MACHINE_LAPIC_BASE 0xfee00000ull
#define MACHINE_APIC_SIZE 0x1000ull

#define MACHINE_COM1_PORT 0x3f8u
#define MACHINE_COM1_PORTS 8u
#define MACHINE_RTC_PORT 0x70u
#define MACHINE_RTC_PORTS 2u

/* SLEEP_CONTROL_REG and SLEEP_STATUS_REG of the FADT (ACPI 6.5, 4.8.3.7): one byte each. */
#define MACHINE_SLEEP_CONTROL_PORT 0x604u
#define MACHINE_SLEEP_STATUS_PORT 0x605u
#define MACHINE_SLEEP_TYPE_S5 5u /* first element of \_S5 */

/* Generic event device (5.6.9): a byte that reading clears, and its interrupt. */
#define MACHINE_EVENT_PORT 0x608u
#define MACHINE_EVENT_POWER_BUTTON 1u

/* RESET_REG and RESET_VALUE of the FADT (4.8.3.6). */
#define MACHINE_RESET_PORT 0xcf9u
#define MACHINE_RESET_VALUE 6u

/* Global system interrupts. All are edge-triggered, active high. */
#define MACHINE_GSI_PIT 2u /* IRQ 0 is wired to pin 2 of the I/O APIC, as on every PC */
#define MACHINE_GSI_COM1 4u
#define MACHINE_GSI_RTC 8u
#define MACHINE_GSI_EVENT 9u

/* The APIC ID of the I/O APIC: one that no vCPU has, where 4 bits allow. vCPU n has APIC ID n. */
static inline unsigned machine_ioapic_id(uint32_t vcpus)
{
    return vcpus & 0xf;
}

#endif
