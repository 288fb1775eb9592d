/* SPDX-License-Identifier: MIT */
/*
 * Guest images: what all kinds share, and the flat kind. Pure: runs in the UEFI loader and on the
 * build host.
 */
#include "boot/guest_image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "boot/machine_build.h"
#include "guests/abi.h"

int guest_refuse(struct guest_report *report, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(report->error, sizeof(report->error), format, args);
    va_end(args);
    return -EINVAL;
}

/* Both ranges are non-empty and don't wrap. */
static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

static int check_place(const struct boot_vm *vm, const struct boot_segment *s,
                       struct guest_report *report)
{
    const uint64_t end = machine_low_end(vm), low = machine_image_min(vm);

    if (s->gpa > end || s->mem_size > end - s->gpa)
        return guest_refuse(report,
                            "its part at %#" PRIx64 " needs %" PRIu64 " KiB and does not fit the "
                            "VM's %" PRIu64 " KiB of memory",
                            s->gpa, s->mem_size >> 10, vm->memory >> 10);
    if (s->gpa < low)
        return guest_refuse(report, "its part at %#" PRIx64 " lies below %#" PRIx64
                            ", where tables go", s->gpa, low);
    for (uint32_t i = 0; i < vm->range_count; i++) {
        const struct boot_range *range = &vm->ranges[i];

        if (range->kind != BOOT_RANGE_RAM && overlaps(s->gpa, s->mem_size, range->gpa, range->size))
            return guest_refuse(report,
                                "its part at %#" PRIx64 " lies over EBDA, video memory or ROMs "
                                "(%#" PRIx64 " to %#" PRIx64 "); link it at 0x100000 or above",
                                s->gpa, range->gpa, range->gpa + range->size - 1);
    }
    for (uint32_t i = 0; i < vm->segment_count; i++) {
        const struct boot_segment *other = &vm->segments[i];

        if (overlaps(s->gpa, s->mem_size, other->gpa, other->mem_size))
            return guest_refuse(report, "its parts at %#" PRIx64 " and %#" PRIx64 " overlap",
                                other->gpa, s->gpa);
    }
    return 0;
}

int guest_add_segment(struct boot_vm *vm, const struct guest_file *file, uint64_t offset,
                      struct boot_segment segment, struct guest_report *report)
{
    int result;

    if (offset > file->size || segment.size > file->size - offset)
        return guest_refuse(report,
                            "it is cut short: a part ends at byte %" PRIu64 ", the file at "
                            "%" PRIu64,
                            offset + segment.size, file->size);
    if (segment.size > segment.mem_size)
        return guest_refuse(report, "its part at %#" PRIx64 " is larger in the file than in memory",
                            segment.gpa);
    if (segment.mem_size == 0)
        return 0;
    if (vm->segment_count == GUEST_IMAGE_SEGMENTS_MAX)
        return guest_refuse(report, "it has more than %d parts", GUEST_IMAGE_SEGMENTS_MAX);
    result = check_place(vm, &segment, report);
    if (result != 0)
        return result;
    segment.hpa = file->hpa + offset;
    vm->segments[vm->segment_count++] = segment;
    return 0;
}

static int digest_flat(struct boot_vm *vm, const struct guest_file *file,
                       struct guest_report *report)
{
    struct boot_segment whole = {.gpa = MULLION_FLAT_LOAD_ADDRESS,
                                 .size = file->size,
                                 .mem_size = file->size};

    if (file->size >= 4 && memcmp(file->data, "\177ELF", 4) == 0)
        return guest_refuse(report,
                            "it is an ELF file; a flat image is raw bytes for %#x (objcopy "
                            "-O binary makes one), or say kind: multiboot",
                            MULLION_FLAT_LOAD_ADDRESS);
    vm->start.rip = MULLION_FLAT_LOAD_ADDRESS;
    return guest_add_segment(vm, file, 0, whole, report);
}

int guest_image_digest(struct boot_vm *vm, const struct guest_parts *parts,
                       struct guest_report *report)
{
    int result = -EINVAL;

    memset(report, 0, sizeof(*report));
    vm->segment_count = 0;
    if (parts->kernel.size == 0)
        return guest_refuse(report, "it is empty");
    if (vm->memory < MACHINE_1M)
        return guest_refuse(report, "a VM needs more than 1 MiB of memory");
    machine_map(vm);
    if (vm->kind == BOOT_VM_LINUX)
        result = guest_bzimage(vm, parts, report);
    else if (vm->kind == BOOT_VM_MULTIBOOT)
        result = guest_multiboot(vm, &parts->kernel, report);
    else if (vm->kind == BOOT_VM_FLAT)
        result = digest_flat(vm, &parts->kernel, report);
    return result;
}
