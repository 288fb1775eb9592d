/* SPDX-License-Identifier: MIT */
/*
 * The CPUs: from the MADT; where firmware gives none, from the UEFI MP Services; else the boot CPU
 * alone. Runs in the UEFI loader.
 */
#include "boot/acpi.h"
#include "boot/loader.h"

/* UEFI PI Specification, volume 2, 13.4. gnu-efi does not declare it; what is used is typed. */
#define MP_SERVICES_GUID                                                                           \
    {0x3fdda605, 0xa76e, 0x4f46, {0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08}}
#define PROCESSOR_ENABLED_BIT (1u << 1)
#define PROCESSOR_HEALTH_STATUS_BIT (1u << 2)

struct processor_information {
    UINT64 processor_id; /* APIC id */
    UINT32 status_flag;
    UINT32 package, core, thread;
    UINT32 extended[6];
};

struct mp_services {
    EFI_STATUS(EFIAPI *get_number_of_processors)(struct mp_services *self, UINTN *all,
                                                 UINTN *enabled);
    EFI_STATUS(EFIAPI *get_processor_info)(struct mp_services *self, UINTN number,
                                           struct processor_information *information);
};

/* CPUID leaf 0xB gives 32 bits, leaf 1 eight (SDM 2A, CPUID). */
static uint32_t boot_apic_id(void)
{
    struct cpuid_result result;

    cpu_id(0, 0, &result);
    if (result.eax >= 0xb) {
        cpu_id(0xb, 0, &result);
        if (result.ebx != 0)
            return result.edx;
    }
    cpu_id(1, 0, &result);
    return result.ebx >> 24;
}

static uint32_t add_from_mp_services(struct bootinfo *info)
{
    EFI_GUID guid = MP_SERVICES_GUID;
    struct mp_services *services;
    uint32_t left_out = 0;
    UINTN all, enabled;

    if (EFI_ERROR(BOOT_SERVICES->LocateProtocol(&guid, NULL, (VOID **)&services)) ||
        EFI_ERROR(services->get_number_of_processors(services, &all, &enabled)))
        return 0;
    for (UINTN i = 0; i < all; i++) {
        const UINT32 usable = PROCESSOR_ENABLED_BIT | PROCESSOR_HEALTH_STATUS_BIT;
        struct processor_information cpu;

        if (EFI_ERROR(services->get_processor_info(services, i, &cpu)) ||
            (cpu.status_flag & usable) != usable || cpu.processor_id == info->cpus[0].apic_id)
            continue;
        if (info->cpu_count == BOOT_CPUS_MAX)
            left_out++;
        else
            info->cpus[info->cpu_count++] =
                (struct boot_cpu){.apic_id = (uint32_t)cpu.processor_id, .enabled = 1};
    }
    return left_out;
}

void cpus_find(struct bootinfo *info, const struct acpi *acpi)
{
    const struct acpi_header *madt = acpi_find(acpi, "APIC");
    uint32_t left_out;

    info->cpus[0] = (struct boot_cpu){.apic_id = boot_apic_id(), .enabled = 1};
    info->cpu_count = 1;
    info->cpus_from_madt = madt != NULL;
    if (madt != NULL)
        left_out = acpi_madt_cpus(madt, info->cpus, &info->cpu_count, BOOT_CPUS_MAX);
    else
        left_out = add_from_mp_services(info);
    say("mullion: %u CPU%s (%s)\n", info->cpu_count, info->cpu_count == 1 ? "" : "s",
        madt != NULL ? "ACPI MADT" : "UEFI MP Services");
    if (left_out > 0)
        say("mullion: %u more CPUs are not used: the limit is %d\n", left_out, BOOT_CPUS_MAX);
}
