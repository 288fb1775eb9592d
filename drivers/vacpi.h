/* SPDX-License-Identifier: MIT */
/*
 * Ports and interrupts of drivers/vacpi.c and drivers/vreset.c, for the ACPI tables that name them.
 * Sources: ACPI 6.5, "Sleep Control and Status Registers" (4.8.3.7), "Reset Register" (4.8.3.6),
 * "Interrupt-based ACPI Event Signaling" (5.6.9).
 */
#ifndef DRIVERS_VACPI_H
#define DRIVERS_VACPI_H

/* SLEEP_CONTROL_REG and SLEEP_STATUS_REG of the FADT: one byte each. */
#define VACPI_SLEEP_CONTROL 0x604
#define VACPI_SLEEP_STATUS 0x605
#define VACPI_SLP_TYP_SHIFT 2
#define VACPI_SLP_TYP_MASK 0x7u
#define VACPI_SLP_EN 0x20u
#define VACPI_WAK_STS 0x80u
#define VACPI_SLP_TYP_S5 5u /* first element of \_S5 */

/* Generic event device: a byte that reading clears, and its edge-triggered interrupt. */
#define VACPI_GED_STATUS 0x608
#define VACPI_GED_POWER_BUTTON 0x01u
#define VACPI_GED_GSI 9

/* RESET_REG and RESET_VALUE of the FADT. */
#define VACPI_RESET_PORT 0xCF9
#define VACPI_RESET_VALUE 0x06u

#endif
