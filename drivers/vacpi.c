/* SPDX-License-Identifier: MIT */
/*
 * What hardware-reduced ACPI leaves of the power management block: sleep registers and a generic
 * event device for the power button. Ports and values: boot/machine.h. Runs in root mode.
 */
#include "drivers/vacpi.h"

#include <stdio.h>

#include "kernel/vdev.h"

struct vacpi {
    uint8_t events; /* MACHINE_EVENT_PORT */
    uint32_t presses;
};

static uint64_t sleep_read(struct vdev *dev, uint64_t offset, unsigned size)
{
    (void)dev, (void)offset, (void)size;
    return 0; /* never asleep, so never woken: VACPI_WAK_STS stays clear */
}

static void sleep_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)
{
    unsigned type = (unsigned)(value >> VACPI_SLP_TYP_SHIFT) & VACPI_SLP_TYP_MASK;

    (void)size;
    if (offset != 0 || !(value & VACPI_SLP_EN))
        return;
    if (type == MACHINE_SLEEP_TYPE_S5)
        vm_exit(dev->vm, 0, "power off");
    else if (vm_may_log(dev->vm))
        log_printf("%s: ACPI sleep type %u is not offered\n", dev->vm->name, type);
}

static uint64_t ged_read(struct vdev *dev, uint64_t offset, unsigned size)
{
    struct vacpi *acpi = dev->state;
    uint8_t events = acpi->events;

    (void)offset, (void)size;
    acpi->events = 0;
    vdev_irq(dev, MACHINE_GSI_EVENT, false);
    return events;
}

static void ged_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)
{
    (void)dev, (void)offset, (void)size, (void)value;
}

/* A press while an older one waits gives a new edge: the guest may have lost the first. */
static bool vacpi_press(struct vdev *dev)
{
    struct vacpi *acpi = dev->state;

    acpi->events |= MACHINE_EVENT_POWER_BUTTON;
    acpi->presses++;
    vdev_irq(dev, MACHINE_GSI_EVENT, false);
    vdev_irq(dev, MACHINE_GSI_EVENT, true);
    return true;
}

static int vacpi_init(struct vdev *dev)
{
    int error = vdev_ports(dev, MACHINE_SLEEP_CONTROL_PORT, 2, sleep_read, sleep_write);

    if (!error)
        error = vdev_ports(dev, MACHINE_EVENT_PORT, 1, ged_read, ged_write);
    if (!error)
        vdev_power_attach(dev, vacpi_press);
    return error;
}

static void vacpi_describe(struct vdev *dev, char *buffer, size_t size)
{
    const struct vacpi *acpi = dev->state;

    snprintf(buffer, size, "hardware-reduced, power button pressed %u times%s", acpi->presses,
             acpi->events ? ", not yet seen" : "");
}

static const struct vdev_type vacpi = {
    .name = "acpi",
    .machines = MACHINE_LINUX,
    .state_size = sizeof(struct vacpi),
    .init = vacpi_init,
    .describe = vacpi_describe,
};
VDEV(vacpi);
