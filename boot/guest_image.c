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
    if (s->gpa > vm->memory || s->mem_size > vm->memory - s->gpa)
        return guest_refuse(report,
                            "its part at %#" PRIx64 " needs %" PRIu64 " KiB and does not fit the "
                            "VM's %" PRIu64 " KiB of memory",
                            s->gpa, s->mem_size >> 10, vm->memory >> 10);
    if (s->gpa < GUEST_LOW_TABLES_END)
        return guest_refuse(report, "its part at %#" PRIx64 " lies below %#x, where tables go",
                            s->gpa, GUEST_LOW_TABLES_END);
    if (overlaps(s->gpa, s->mem_size, GUEST_VIDEO_HOLE, GUEST_VIDEO_HOLE_END - GUEST_VIDEO_HOLE))
        return guest_refuse(report,
                            "its part at %#" PRIx64 " lies over EBDA, video memory or ROMs (%#x "
                            "to %#x); link it at 0x100000 or above",
                            s->gpa, GUEST_VIDEO_HOLE, GUEST_VIDEO_HOLE_END - 1);
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
    if (vm->segment_count == BOOT_SEGMENTS_MAX)
        return guest_refuse(report, "it has more than %d parts", BOOT_SEGMENTS_MAX);
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
    struct boot_segment whole = {.gpa = GUEST_FLAT_LOAD_ADDRESS,
                                 .size = file->size,
                                 .mem_size = file->size};

    if (file->size >= 4 && memcmp(file->data, "\177ELF", 4) == 0)
        return guest_refuse(report,
                            "it is an ELF file; a flat image is raw bytes for %#x (objcopy "
                            "-O binary makes one), or say kind: multiboot",
                            GUEST_FLAT_LOAD_ADDRESS);
    vm->entry = GUEST_FLAT_LOAD_ADDRESS;
    return guest_add_segment(vm, file, 0, whole, report);
}

/* A rough check, exact placing is the kernel's: all parts, initrd and modules within the memory. */
static int check_total(const struct boot_vm *vm, struct guest_report *report)
{
    uint64_t left = vm->memory - GUEST_VIDEO_HOLE_END;

    for (uint32_t i = 0; i < vm->segment_count + vm->module_count + 1; i++) {
        uint64_t need;

        if (i < vm->segment_count)
            need = vm->segments[i].gpa < GUEST_VIDEO_HOLE ? 0 : vm->segments[i].mem_size;
        else if (i < vm->segment_count + vm->module_count)
            need = vm->modules[i - vm->segment_count].size;
        else
            need = vm->initrd.size;
        if (need > left)
            return guest_refuse(report,
                                "it and its modules or initrd do not fit the VM's %" PRIu64
                                " KiB of memory",
                                vm->memory >> 10);
        left -= need;
    }
    return 0;
}

int guest_image_digest(struct boot_vm *vm, const struct guest_file *file,
                       struct guest_report *report)
{
    int result = -EINVAL;

    memset(report, 0, sizeof(*report));
    vm->segment_count = 0;
    if (file->size == 0)
        return guest_refuse(report, "it is empty");
    if (vm->memory < GUEST_VIDEO_HOLE_END)
        return guest_refuse(report, "a VM needs more than 1 MiB of memory");
    if (vm->kind == BOOT_VM_LINUX)
        result = guest_bzimage(vm, file, report);
    else if (vm->kind == BOOT_VM_MULTIBOOT)
        result = guest_multiboot(vm, file, report);
    else if (vm->kind == BOOT_VM_FLAT)
        result = digest_flat(vm, file, report);
    return result != 0 ? result : check_total(vm, report);
}
