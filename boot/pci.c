/* SPDX-License-Identifier: MIT */
/*
 * PCI functions lose the right to reach memory (see pci.h). PCI Local Bus Specification 3.0,
 * chapter 6. Every bus number is tried, as only AML tells which of them are roots.
 */
#include "boot/pci.h"

#include <stdbool.h>

#define ADDRESS_ENABLE (1u << 31)
#define BUSES 256u
#define DEVICES 32u
#define FUNCTIONS 8u

/* Registers, 32 bits each. */
#define REG_ID 0x00u
#define REG_COMMAND 0x04u
#define REG_CLASS 0x08u
#define REG_HEADER 0x0cu

#define ID_NONE 0xffffu
#define COMMAND_BUS_MASTER (1u << 2)
#define COMMAND_MASK 0xffffu /* the upper half is Status, whose bits a 1 clears */
#define CLASS_SHIFT 24u
#define CLASS_DISPLAY 0x03u
#define CLASS_BRIDGE 0x06u
#define HEADER_SHIFT 16u
#define HEADER_MULTI 0x80u
#define HEADER_TYPE 0x7fu
#define HEADER_ENDPOINT 0u

/* Both were left to firmware's settings on purpose; the reasons are in pci.h. */
static bool keeps_bus_master(uint32_t class, uint32_t header)
{
    return class == CLASS_BRIDGE || class == CLASS_DISPLAY ||
           (header & HEADER_TYPE) != HEADER_ENDPOINT;
}

static bool stop_function(const struct pci_config *config, uint32_t function, uint32_t header)
{
    uint32_t command = config->read(function | REG_COMMAND);

    if ((command & COMMAND_BUS_MASTER) == 0 ||
        keeps_bus_master(config->read(function | REG_CLASS) >> CLASS_SHIFT, header))
        return false;
    config->write(function | REG_COMMAND, command & COMMAND_MASK & ~COMMAND_BUS_MASTER);
    return true;
}

static uint32_t stop_device(const struct pci_config *config, uint32_t device)
{
    uint32_t stopped = 0;

    for (uint32_t i = 0; i < FUNCTIONS; i++) {
        uint32_t function = device | i << 8, header;

        if ((config->read(function | REG_ID) & ID_NONE) == ID_NONE) {
            if (i == 0)
                return 0; /* every device has a function 0 */
            continue;
        }
        header = config->read(function | REG_HEADER) >> HEADER_SHIFT & 0xff;
        stopped += stop_function(config, function, header);
        if (i == 0 && (header & HEADER_MULTI) == 0)
            break;
    }
    return stopped;
}

uint32_t pci_stop_bus_masters(const struct pci_config *config)
{
    uint32_t stopped = 0;

    for (uint32_t i = 0; i < BUSES * DEVICES; i++)
        stopped += stop_device(config, ADDRESS_ENABLE | i << 11);
    return stopped;
}
