/* SPDX-License-Identifier: MIT */
/* The devices that a Linux guest finds in its DSDT (pure). Source: ACPI 6.5. */
#include "boot/aml.h"
#include "boot/machine.h"

static void dsdt_cpus(struct aml *aml, uint32_t count)
{
    static const char digits[] = "0123456789ABCDEF";

    for (uint32_t i = 0; i < count; i++) {
        const char name[] = { 'C', 'P', digits[i >> 4 & 0xf], digits[i & 0xf], '\0' };

        aml_open_device(aml, name);
        aml_name_text(aml, "_HID", "ACPI0007");
        aml_name_integer(aml, "_UID", i);
        aml_close(aml);
    }
}

static void dsdt_isa(struct aml *aml)
{
    aml_open_device(aml, "COM1");
    aml_name_eisa(aml, "_HID", "PNP0501");
    aml_name_integer(aml, "_UID", 0);
    aml_resources(aml, MACHINE_COM1_PORT, MACHINE_COM1_PORTS, MACHINE_GSI_COM1);
    aml_close(aml);
    aml_open_device(aml, "RTC_");
    aml_name_eisa(aml, "_HID", "PNP0B00");
    aml_resources(aml, MACHINE_RTC_PORT, MACHINE_RTC_PORTS, MACHINE_GSI_RTC);
    aml_close(aml);
}

/* The power button: an interrupt, and a byte that says why (5.6.9, 4.8.2.2.1.2). */
static void dsdt_button(struct aml *aml)
{
    aml_open_device(aml, "PWRB");
    aml_name_eisa(aml, "_HID", "PNP0C0C");
    aml_name_integer(aml, "_UID", 0);
    aml_close(aml);
    aml_open_device(aml, "GED_");
    aml_name_text(aml, "_HID", "ACPI0013");
    aml_name_integer(aml, "_UID", 0);
    aml_resources(aml, 0, 0, MACHINE_GSI_EVENT);
    aml_byte_port(aml, "EVTR", "EVST", MACHINE_EVENT_PORT);
    aml_open_method(aml, "_EVT", 1);
    aml_open_if_bit(aml, "EVST", MACHINE_EVENT_POWER_BUTTON);
    aml_notify(aml, "PWRB", 0x80);
    aml_close(aml);
    aml_close(aml);
    aml_close(aml);
}

void dsdt_devices(struct aml *aml, uint32_t cpus)
{
    dsdt_cpus(aml, cpus);
    dsdt_isa(aml);
    dsdt_button(aml);
}
