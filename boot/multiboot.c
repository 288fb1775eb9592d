/* SPDX-License-Identifier: MIT */
/*
 * Multiboot-1 kernels (Multiboot Specification 0.6.96, 3.1): the header, then either the address
 * fields in it or the ELF32 program headers. Pure: runs in the UEFI loader and on the build host.
 */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "boot/guest_image.h"

#define HEADER_SEARCH       8192u /* the header lies in the first 8192 bytes, 4-byte aligned */
#define HEADER_MAGIC        0x1badb002u
#define FLAG_PAGE_ALIGN     (1u << 0)
#define FLAG_MEMORY_INFO    (1u << 1)
#define FLAG_VIDEO_MODE     (1u << 2)
#define FLAGS_REQUIRED      0xffffu /* a loader that does not know one of these must refuse */
#define FLAG_ADDRESSES      (1u << 16)
#define PROGRAM_HEADERS_MAX 64u

struct multiboot_header {
    uint32_t magic, flags, checksum;
    uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr; /* FLAG_ADDRESSES */
};
#define HEADER_MIN 12u

/* Copies the header out; returns its offset in the file, or a negative errno. */
static int64_t find_header(const struct guest_file *file, struct multiboot_header *header)
{
    uint64_t end = file->size < HEADER_SEARCH ? file->size : HEADER_SEARCH;

    for (uint64_t offset = 0; offset + HEADER_MIN <= end; offset += 4) {
        uint64_t size = end - offset < sizeof(*header) ? HEADER_MIN : sizeof(*header);

        memset(header, 0, sizeof(*header));
        memcpy(header, file->data + offset, size);
        if (header->magic != HEADER_MAGIC || header->magic + header->flags + header->checksum != 0)
            continue;
        if ((header->flags & FLAG_ADDRESSES) == 0 || size == sizeof(*header))
            return (int64_t)offset;
    }
    return -EINVAL;
}

static int check_flags(uint32_t flags, struct guest_report *report)
{
    uint32_t unknown =
        flags & FLAGS_REQUIRED & ~(FLAG_PAGE_ALIGN | FLAG_MEMORY_INFO | FLAG_VIDEO_MODE);

    if (unknown != 0)
        return guest_refuse(report,
                            "its Multiboot header demands features %#" PRIx32 " that this "
                            "loader does not have",
                            unknown);
    if ((flags & FLAG_VIDEO_MODE) != 0)
        snprintf(report->note, sizeof(report->note),
                 "its wish for a video mode is ignored: it gets VGA text");
    return 0;
}

static bool is_in_image(const struct boot_vm *vm, uint64_t gpa)
{
    for (uint32_t i = 0; i < vm->segment_count; i++) {
        if (gpa >= vm->segments[i].gpa && gpa - vm->segments[i].gpa < vm->segments[i].mem_size)
            return true;
    }
    return false;
}

/* The header's own addresses: one block of the file, then zeros. */
static int add_by_addresses(struct boot_vm *vm, const struct guest_file *file,
                            const struct multiboot_header *h, uint64_t header_offset,
                            struct guest_report *report)
{
    struct boot_segment block = {.gpa = h->load_addr};
    uint64_t before = (uint64_t)h->header_addr - h->load_addr; /* of the block, before the header */
    uint64_t offset;

    if (h->load_addr > h->header_addr || before > header_offset)
        return guest_refuse(report,
                            "its Multiboot header_addr %#" PRIx32 " and load_addr %#" PRIx32
                            " do not match the header's place in the file",
                            h->header_addr, h->load_addr);
    offset = header_offset - before;
    if (h->load_end_addr == 0)
        block.size = file->size - offset;
    else if (h->load_end_addr >= h->load_addr)
        block.size = h->load_end_addr - h->load_addr;
    else
        return guest_refuse(report, "its Multiboot load_end_addr lies below load_addr");
    block.mem_size = block.size;
    if (h->bss_end_addr != 0) {
        if (h->bss_end_addr < h->load_addr || h->bss_end_addr - h->load_addr < block.size)
            return guest_refuse(report,
                                "its Multiboot bss_end_addr lies below the end of its data");
        block.mem_size = h->bss_end_addr - h->load_addr;
    }
    vm->start.rip = h->entry_addr;
    return guest_add_segment(vm, file, offset, block, report);
}

static int check_elf(const struct guest_file *file, Elf32_Ehdr *elf, struct guest_report *report)
{
    if (file->size < sizeof(*elf) || memcmp(file->data, ELFMAG, SELFMAG) != 0)
        return guest_refuse(report, "it is no ELF file, and its Multiboot header has no addresses");
    memcpy(elf, file->data, sizeof(*elf));
    if (elf->e_ident[EI_CLASS] != ELFCLASS32 || elf->e_ident[EI_DATA] != ELFDATA2LSB ||
        elf->e_machine != EM_386 || elf->e_type != ET_EXEC)
        return guest_refuse(report,
                            "it is no 32-bit x86 executable; Multiboot starts one in 32-bit "
                            "mode (for 64-bit code: objcopy -O elf32-i386)");
    if (elf->e_phentsize != sizeof(Elf32_Phdr) || elf->e_phnum == 0 ||
        elf->e_phnum > PROGRAM_HEADERS_MAX || elf->e_phoff > file->size ||
        (uint64_t)elf->e_phnum * sizeof(Elf32_Phdr) > file->size - elf->e_phoff)
        return guest_refuse(report, "its ELF program headers are missing or cut short");
    return 0;
}

/* The entry is a virtual address; a kernel that turns paging on itself may give a physical one. */
static int add_by_elf(struct boot_vm *vm, const struct guest_file *file,
                      struct guest_report *report)
{
    Elf32_Ehdr elf;
    bool entry_found = false;
    int result = check_elf(file, &elf, report);

    if (result != 0)
        return result;
    vm->start.rip = elf.e_entry;
    for (unsigned i = 0; i < elf.e_phnum && result == 0; i++) {
        Elf32_Phdr ph;

        memcpy(&ph, file->data + elf.e_phoff + i * sizeof(ph), sizeof(ph));
        if (ph.p_type != PT_LOAD)
            continue;
        if (!entry_found && elf.e_entry >= ph.p_vaddr && elf.e_entry - ph.p_vaddr < ph.p_memsz) {
            vm->start.rip = (uint64_t)ph.p_paddr + (elf.e_entry - ph.p_vaddr);
            entry_found = true;
        }
        result = guest_add_segment(
            vm, file, ph.p_offset,
            (struct boot_segment){.gpa = ph.p_paddr, .size = ph.p_filesz, .mem_size = ph.p_memsz},
            report);
    }
    return result;
}

int guest_multiboot(struct boot_vm *vm, const struct guest_file *file, struct guest_report *report)
{
    struct multiboot_header header;
    int64_t offset = find_header(file, &header);
    int result;

    if (offset < 0)
        return guest_refuse(report, "it has no Multiboot header (magic 0x1badb002 with a matching "
                                    "checksum in the first 8192 bytes)");
    result = check_flags(header.flags, report);
    if (result != 0)
        return result;
    if ((header.flags & FLAG_ADDRESSES) != 0)
        result = add_by_addresses(vm, file, &header, (uint64_t)offset, report);
    else
        result = add_by_elf(vm, file, report);
    if (result == 0 && !is_in_image(vm, vm->start.rip))
        return guest_refuse(report, "its entry point %#" PRIx64 " is outside what it loads",
                            vm->start.rip);
    return result;
}
