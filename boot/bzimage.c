/* SPDX-License-Identifier: MIT */
/*
 * Linux bzImage files (Linux, Documentation/arch/x86/boot.rst): checks the setup header and makes
 * one segment of the 64-bit kernel. Pure: runs in the UEFI loader and on the build host.
 */
#include <inttypes.h>
#include <string.h>

#include "boot/guest_image.h"

/* Offsets in the file, by boot.rst's field names. */
enum {
    SETUP_SECTS = 0x1f1,
    SYSSIZE = 0x1f4,
    BOOT_FLAG = 0x1fe,
    JUMP_LENGTH = 0x201,
    HEADER = 0x202,
    VERSION = 0x206,
    KERNEL_ALIGNMENT = 0x230,
    RELOCATABLE_KERNEL = 0x234,
    XLOADFLAGS = 0x236,
    CMDLINE_SIZE = 0x238,
    PREF_ADDRESS = 0x258,
    INIT_SIZE = 0x260,
    HEADER_NEEDED_END = 0x264, /* what protocol 2.12 has at least */
    HEADER_ROOM_END = 0x290,   /* in the zero page (zero-page.rst): edd_mbr_sig_buffer follows */
};

#define SECTOR              512u
#define DEFAULT_SETUP_SECTS 4u
#define BOOT_FLAG_MAGIC     0xaa55u
#define PROTOCOL_2_12       0x020cu
#define XLF_KERNEL_64       (1u << 0)
#define ENTRY_64            0x200u /* of the 64-bit entry, from the load address */
#define ONE_MIB             0x100000u
#define TWO_GIB             0x80000000u

/* Reads a little-endian field; the caller has checked that it is within the file. */
static uint64_t field(const struct guest_file *file, unsigned offset, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = bytes; i-- > 0;)
        value = value << 8 | file->data[offset + i];
    return value;
}

uint64_t guest_bzimage_header_end(const struct guest_file *file)
{
    return HEADER + field(file, JUMP_LENGTH, 1);
}

static int check_header(const struct guest_file *file, struct guest_report *report)
{
    uint64_t version, end;

    if (file->size < HEADER_ROOM_END || field(file, BOOT_FLAG, 2) != BOOT_FLAG_MAGIC ||
        memcmp(file->data + HEADER, "HdrS", 4) != 0)
        return guest_refuse(report, "it is no Linux bzImage (no \"HdrS\" at offset 0x202)");
    version = field(file, VERSION, 2);
    if (version < PROTOCOL_2_12)
        return guest_refuse(report,
                            "its boot protocol is %u.%02u; 2.12 or later (Linux 3.8) is "
                            "needed",
                            (unsigned)(version >> 8), (unsigned)(version & 0xff));
    end = guest_bzimage_header_end(file);
    if (end < HEADER_NEEDED_END || end > HEADER_ROOM_END)
        return guest_refuse(report,
                            "its setup header ends at %#" PRIx64 ", not between %#x and %#x",
                            end, HEADER_NEEDED_END, HEADER_ROOM_END);
    if ((field(file, XLOADFLAGS, 2) & XLF_KERNEL_64) == 0)
        return guest_refuse(report, "it has no 64-bit entry (xloadflags bit 0): a 32-bit kernel?");
    if (field(file, RELOCATABLE_KERNEL, 1) == 0)
        return guest_refuse(report, "it is not relocatable (CONFIG_RELOCATABLE)");
    return 0;
}

static int check_cmdline(const struct guest_parts *parts, struct guest_report *report)
{
    uint64_t limit = field(&parts->kernel, CMDLINE_SIZE, 4);

    if (strlen(parts->cmdline) > limit)
        return guest_refuse(report, "it takes a command line of at most %" PRIu64 " characters",
                            limit);
    return 0;
}

static int check_load_address(const struct guest_file *file, struct guest_report *report)
{
    uint64_t address = field(file, PREF_ADDRESS, 8), alignment = field(file, KERNEL_ALIGNMENT, 4);

    if (address < ONE_MIB || address >= TWO_GIB)
        return guest_refuse(report,
                            "its preferred address %#" PRIx64 " is not between 1 MiB and "
                            "2 GiB",
                            address);
    if (alignment == 0 || (alignment & (alignment - 1)) != 0 || address % alignment != 0)
        return guest_refuse(report,
                            "its preferred address %#" PRIx64 " is not aligned to %#" PRIx64,
                            address, alignment);
    return 0;
}

static int add_kernel(struct boot_vm *vm, const struct guest_file *file,
                      struct guest_report *report)
{
    uint64_t sectors = field(file, SETUP_SECTS, 1);
    uint64_t offset = ((sectors != 0 ? sectors : DEFAULT_SETUP_SECTS) + 1) * SECTOR;
    uint64_t size = field(file, SYSSIZE, 4) * 16;
    struct boot_segment kernel = {.gpa = field(file, PREF_ADDRESS, 8),
                                  .mem_size = field(file, INIT_SIZE, 4)};

    /* syssize counts paragraphs; a file may end within the last one, or go on with a signature. */
    if (offset >= file->size || size > file->size - offset + 15)
        return guest_refuse(report,
                            "it is cut short: %" PRIu64 " bytes of kernel expected at byte "
                            "%" PRIu64 ", the file ends at %" PRIu64,
                            size, offset, file->size);
    if (size <= ENTRY_64)
        return guest_refuse(report, "its kernel part (syssize) is empty");
    kernel.size = size < file->size - offset ? size : file->size - offset;
    return guest_add_segment(vm, file, offset, kernel, report);
}

int guest_bzimage(struct boot_vm *vm, const struct guest_parts *parts, struct guest_report *report)
{
    const struct guest_file *file = &parts->kernel;
    int result = check_header(file, report);

    if (result == 0)
        result = check_cmdline(parts, report);
    if (result == 0)
        result = check_load_address(file, report);
    if (result == 0)
        result = add_kernel(vm, file, report);
    if (result != 0)
        return result;
    vm->start.rip = vm->segments[0].gpa + ENTRY_64;
    return 0;
}
