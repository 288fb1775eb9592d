/* SPDX-License-Identifier: MIT */
/*
 * Bits in the registers of drivers/vacpi.c; ports, values and interrupts are in boot/machine.h, as
 * the ACPI tables name them. Source: ACPI 6.5, "Sleep Control and Status Registers" (4.8.3.7).
 */
#ifndef DRIVERS_VACPI_H
#define DRIVERS_VACPI_H

#include "boot/machine.h"

#define VACPI_SLP_TYP_SHIFT 2
#define VACPI_SLP_TYP_MASK 0x7u
#define VACPI_SLP_EN 0x20u
#define VACPI_WAK_STS 0x80u

#endif
