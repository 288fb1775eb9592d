/* SPDX-License-Identifier: MIT */
/* Switching off the board's bus masters (pci.c). Pure: access goes through struct pci_config. */
#ifndef BOOT_PCI_H
#define BOOT_PCI_H

#include <stdint.h>

/* Configuration space: 32 bits at an address in the format of CONFIG_ADDRESS (PCI Local Bus
 * Specification 3.0, 3.2.2.3.2). Where nothing is, all ones are read. */
struct pci_config {
    uint32_t (*read)(uint32_t address);
    void (*write)(uint32_t address, uint32_t value);
};

/*
 * Clears Bus Master in every function that nobody drives from now on, so that memory that firmware
 * gave to a device belongs to its next owner alone. Bridges keep theirs: they forward what others
 * send. Displays keep theirs: the picture may lie in memory. Returns how many had it set.
 */
uint32_t pci_stop_bus_masters(const struct pci_config *config);

#endif
