/* SPDX-License-Identifier: MIT */
/* What else firmware knows: ACPI's root pointer and the frame buffer. Runs in the UEFI loader. */
#include <string.h>

#include "boot/loader.h"

/* UEFI Specification, EFI Configuration Table. */
#define ACPI_20_GUID {0x8868e871, 0xe4f1, 0x11d3, {0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81}}
#define ACPI_10_GUID {0xeb9d2d30, 0x2d88, 0x11d3, {0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}}

static uint64_t find_table(EFI_GUID guid)
{
    for (UINTN i = 0; i < loader_system->NumberOfTableEntries; i++) {
        const EFI_CONFIGURATION_TABLE *table = &loader_system->ConfigurationTable[i];

        if (memcmp(&table->VendorGuid, &guid, sizeof(guid)) == 0)
            return (uint64_t)(uintptr_t)table->VendorTable;
    }
    return 0;
}

uint64_t firmware_rsdp(void)
{
    uint64_t rsdp = find_table((EFI_GUID)ACPI_20_GUID);

    return rsdp != 0 ? rsdp : find_table((EFI_GUID)ACPI_10_GUID);
}

static uint32_t pixel_format(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode)
{
    const EFI_PIXEL_BITMASK *masks = &mode->PixelInformation;

    if (mode->PixelFormat == PixelRedGreenBlueReserved8BitPerColor)
        return BOOT_FB_RGBX;
    if (mode->PixelFormat == PixelBlueGreenRedReserved8BitPerColor)
        return BOOT_FB_BGRX;
    if (mode->PixelFormat != PixelBitMask || masks->GreenMask != 0xff00)
        return BOOT_FB_NONE;
    if (masks->RedMask == 0xff && masks->BlueMask == 0xff0000)
        return BOOT_FB_RGBX;
    return masks->BlueMask == 0xff && masks->RedMask == 0xff0000 ? BOOT_FB_BGRX : BOOT_FB_NONE;
}

void firmware_find_framebuffer(struct bootinfo *info)
{
    EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_GRAPHICS_OUTPUT_PROTOCOL *output;
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode;

    if (EFI_ERROR(BOOT_SERVICES->LocateProtocol(&guid, NULL, (VOID **)&output)) ||
        output->Mode == NULL || output->Mode->Info == NULL)
        return;
    mode = output->Mode->Info;
    if (pixel_format(mode) == BOOT_FB_NONE || output->Mode->FrameBufferBase == 0)
        return;
    info->fb = (struct boot_fb){.base = output->Mode->FrameBufferBase,
                                .width = mode->HorizontalResolution,
                                .height = mode->VerticalResolution,
                                .pitch = mode->PixelsPerScanLine * 4,
                                .format = pixel_format(mode)};
}
