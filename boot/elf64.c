/* SPDX-License-Identifier: MIT */
/* The hypervisor's ELF file (see elf64.h). Pure: runs in the UEFI loader and on the build host. */
#include "boot/elf64.h"

#include <elf.h>
#include <stddef.h>
#include <string.h>

#define PAGE                4096ull
#define PROGRAM_HEADERS_MAX 64u
#define BLOCK_MAX           (64ull << 20)
#define LINK_END            (UINT64_MAX - PAGE) /* so that rounding up to a page does not wrap */

static Elf64_Phdr program_header(const uint8_t *file, unsigned index)
{
    Elf64_Ehdr elf;
    Elf64_Phdr ph;

    memcpy(&elf, file, sizeof(elf));
    memcpy(&ph, file + elf.e_phoff + index * sizeof(ph), sizeof(ph));
    return ph;
}

static const char *check_file_header(const uint8_t *file, uint64_t size, Elf64_Ehdr *elf)
{
    if (size < sizeof(*elf) || memcmp(file, ELFMAG, SELFMAG) != 0)
        return "it is no ELF file";
    memcpy(elf, file, sizeof(*elf));
    if (elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_machine != EM_X86_64 ||
        elf->e_type != ET_EXEC)
        return "it is no x86-64 executable with fixed addresses";
    if (elf->e_phentsize != sizeof(Elf64_Phdr) || elf->e_phnum == 0 ||
        elf->e_phnum > PROGRAM_HEADERS_MAX || elf->e_phoff > size ||
        elf->e_phnum * sizeof(Elf64_Phdr) > size - elf->e_phoff)
        return "its program headers are missing or cut short";
    return NULL;
}

static const char *check_segment(const Elf64_Phdr *ph, uint64_t file_size)
{
    if (ph->p_offset > file_size || ph->p_filesz > file_size - ph->p_offset)
        return "it is cut short";
    if (ph->p_filesz > ph->p_memsz)
        return "a segment is larger in the file than in memory";
    if (ph->p_vaddr < ELF64_LINK_BASE || ph->p_vaddr > LINK_END ||
        ph->p_memsz > LINK_END - ph->p_vaddr)
        return "a segment is not linked in the last 2 GiB of addresses";
    return NULL;
}

const char *elf64_check(const uint8_t *file, uint64_t size, struct elf64_plan *plan)
{
    uint64_t low = UINT64_MAX, high = 0;
    Elf64_Ehdr elf;
    const char *why = check_file_header(file, size, &elf);

    for (unsigned i = 0; why == NULL && i < elf.e_phnum; i++) {
        Elf64_Phdr ph = program_header(file, i);

        if (ph.p_type != PT_LOAD || ph.p_memsz == 0)
            continue;
        why = check_segment(&ph, size);
        low = ph.p_vaddr < low ? ph.p_vaddr : low;
        high = ph.p_vaddr + ph.p_memsz > high ? ph.p_vaddr + ph.p_memsz : high;
    }
    if (why != NULL)
        return why;
    if (low >= high || elf.e_entry < low || elf.e_entry >= high)
        return "its entry point is outside its segments";
    plan->link_base = low & ~(ELF64_BLOCK_ALIGN - 1);
    plan->size = (high - plan->link_base + PAGE - 1) & ~(PAGE - 1);
    plan->entry = elf.e_entry;
    return plan->size <= BLOCK_MAX ? NULL : "its segments span more than 64 MiB";
}

void elf64_load(const uint8_t *file, const struct elf64_plan *plan, uint8_t *block)
{
    Elf64_Ehdr elf;

    memcpy(&elf, file, sizeof(elf));
    for (unsigned i = 0; i < elf.e_phnum; i++) {
        Elf64_Phdr ph = program_header(file, i);

        if (ph.p_type == PT_LOAD && ph.p_memsz != 0)
            memcpy(block + (ph.p_vaddr - plan->link_base), file + ph.p_offset, ph.p_filesz);
    }
}
