/* SPDX-License-Identifier: MIT */
/* Multiboot images: good ones, and one of each kind of wrong (build host). */
/* sources: boot/guest_image.c boot/bzimage.c boot/multiboot.c boot/machine.c
 * boot/machine_start.c boot/machine_linux.c boot/machine_pc.c boot/machine_flat.c
 * boot/acpi_build.c boot/dsdt.c boot/aml.c boot/mptable.c */
#include "tests/unit/guest_image_case.h"

#include <elf.h>

#define MB_HEADER 0x100u
#define MB_SIZE 0x2000u

static void multiboot_header(size_t offset, uint32_t flags)
{
    put(offset, 0x1badb002, 4);
    put(offset + 4, flags, 4);
    put(offset + 8, 0u - 0x1badb002u - flags, 4);
}

static void program_header(unsigned index, uint32_t offset, uint32_t vaddr, uint32_t paddr,
                           uint32_t filesz, uint32_t memsz)
{
    Elf32_Phdr ph = {.p_type = PT_LOAD, .p_offset = offset, .p_vaddr = vaddr, .p_paddr = paddr,
                     .p_filesz = filesz, .p_memsz = memsz};

    memcpy(image + sizeof(Elf32_Ehdr) + index * sizeof(ph), &ph, sizeof(ph));
}

/* A higher-half kernel: entry by virtual address, code at 1 MiB, data and BSS behind it. */
static Elf32_Ehdr *multiboot_new(void)
{
    static Elf32_Ehdr elf;

    vm_reset(BOOT_VM_MULTIBOOT, 4 * MIB);
    elf = (Elf32_Ehdr){.e_type = ET_EXEC, .e_machine = EM_386, .e_entry = 0xc0100010,
                       .e_phoff = sizeof(elf), .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 2};
    memcpy(elf.e_ident, ELFMAG, SELFMAG);
    elf.e_ident[EI_CLASS] = ELFCLASS32;
    elf.e_ident[EI_DATA] = ELFDATA2LSB;
    memcpy(image, &elf, sizeof(elf));
    program_header(0, 0x1000, 0xc0100000, 0x100000, 0x800, 0x800);
    program_header(1, 0x1800, 0xc0101000, 0x101000, 0x100, 0x5000);
    multiboot_header(MB_HEADER, 3);
    return &elf;
}

static void multiboot_elf(void **state)
{
    Elf32_Ehdr *elf = multiboot_new();

    (void)state;
    accepted(MB_SIZE);
    assert_int_equal(vm.start.rip, 0x100010);
    assert_int_equal(image_segments, 2);
    assert_int_equal(vm.segments[1].hpa, HPA + 0x1800);
    assert_int_equal(vm.segments[1].gpa, 0x101000);
    assert_int_equal(vm.segments[1].mem_size, 0x5000);
    assert_string_equal(report.note, "");
    elf->e_entry = 0x101010; /* physical */
    memcpy(image, elf, sizeof(*elf));
    accepted(MB_SIZE);
    assert_int_equal(vm.start.rip, 0x101010);
    multiboot_header(MB_HEADER, 7);
    accepted(MB_SIZE);
    assert_non_null(strstr(report.note, "video mode is ignored"));
    parts.module_count = 1;
    parts.modules[0].file.size = 3 * MIB;
    refused(MB_SIZE, "does not fit behind it");
}

static void multiboot_wrong(void **state)
{
    (void)state;
    multiboot_new();
    refused(20, "no Multiboot header");
    refused(MB_HEADER + 11, "no Multiboot header");
    put(MB_HEADER + 8, 0, 4);
    refused(MB_SIZE, "no Multiboot header");
    multiboot_header(8192, 3);
    refused(0x4000, "no Multiboot header");
    multiboot_new();
    multiboot_header(MB_HEADER, 0x13);
    refused(MB_SIZE, "demands features 0x10");
    multiboot_new();
    put(EI_CLASS, ELFCLASS64, 1);
    refused(MB_SIZE, "no 32-bit x86 executable");
    put(0, 0, 4);
    refused(MB_SIZE, "it is no ELF file");
    multiboot_new();
    put(offsetof(Elf32_Ehdr, e_phoff), 0xffffffff, 4);
    refused(MB_SIZE, "program headers");
    multiboot_new();
    put(offsetof(Elf32_Ehdr, e_entry), 0x200000, 4);
    refused(MB_SIZE, "outside what it loads");
}

static void multiboot_wrong_places(void **state)
{
    static const struct {
        uint32_t offset, paddr, filesz, memsz;
        const char *says;
    } cases[] = {
        {0x1800, 0x1007ff, 0x100, 0x100, "overlap"},
        {0x1800, 0xffff, 0x100, 0x100, "below 0x10000"},
        {0x1800, 0x9efff, 2, 2, "video memory"},
        {0x1800, 0xfffff, 2, 2, "video memory"},
        {0x1800, 0x400000, 1, 1, "does not fit"},
        {0x1800, 0xfffff000, 0x100, 0xffffffff, "does not fit"},
        {0xffffffff, 0x101000, 0x100, 0x100, "cut short"},
        {0x1f01, 0x101000, 0x100, 0x100, "cut short"},
        {0x1800, 0x101000, 0x100, 0xff, "larger in the file"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        multiboot_new();
        program_header(1, cases[i].offset, cases[i].paddr, cases[i].paddr, cases[i].filesz,
                       cases[i].memsz);
        refused(MB_SIZE, cases[i].says);
    }
    multiboot_new();
    program_header(1, 0x1800, 0x10000, 0x10000, 1, 0x8f000); /* up to 0x9f000: allowed */
    accepted(MB_SIZE);
    multiboot_new();
    put(offsetof(Elf32_Ehdr, e_phnum), BOOT_SEGMENTS_MAX + 1, 2);
    multiboot_header(0x1000, 3);
    for (unsigned i = 0; i <= BOOT_SEGMENTS_MAX; i++)
        program_header(i, 0, 0xc0100000 + i * 4096, 0x100000 + i * 4096, 0x20, 0x20);
    refused(MB_SIZE, "more than 8 parts");
}

static void addresses(uint32_t header, uint32_t load, uint32_t load_end, uint32_t bss_end,
                      uint32_t entry)
{
    uint32_t fields[] = {header, load, load_end, bss_end, entry};

    vm_reset(BOOT_VM_MULTIBOOT, 4 * MIB);
    multiboot_header(MB_HEADER, 0x10003);
    memcpy(image + MB_HEADER + 12, fields, sizeof(fields));
}

static void multiboot_addresses(void **state)
{
    (void)state;
    addresses(0x100080, 0x100000, 0x100400, 0x102000, 0x100200);
    accepted(MB_SIZE);
    assert_int_equal(vm.start.rip, 0x100200);
    assert_int_equal(vm.segments[0].hpa, HPA + MB_HEADER - 0x80);
    assert_int_equal(vm.segments[0].size, 0x400);
    assert_int_equal(vm.segments[0].mem_size, 0x2000);
    addresses(0x100100, 0x100000, 0, 0, 0x100200);
    accepted(MB_SIZE);
    assert_int_equal(vm.segments[0].size, MB_SIZE);
    assert_int_equal(vm.segments[0].mem_size, MB_SIZE);
    addresses(0x100101, 0x100000, 0, 0, 0x100200);
    refused(MB_SIZE, "do not match the header's place");
    addresses(0x100000, 0x100001, 0, 0, 0x100200);
    refused(MB_SIZE, "do not match the header's place");
    addresses(0x100100, 0x100000, 0xfffff, 0, 0x100200);
    refused(MB_SIZE, "load_end_addr");
    addresses(0x100100, 0x100000, 0x100400, 0x1003ff, 0x100200);
    refused(MB_SIZE, "bss_end_addr");
    addresses(0x100100, 0x100000, 0x200000, 0, 0x100200);
    refused(MB_SIZE, "cut short");
    addresses(0x100100, 0x100000, 0, 0, 0x103000);
    refused(MB_SIZE, "outside what it loads");
    addresses(0x100100, 0x100000, 0, 0, 0x100200);
    refused(MB_HEADER + 31, "no Multiboot header");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multiboot_elf),
        cmocka_unit_test(multiboot_wrong),
        cmocka_unit_test(multiboot_wrong_places),
        cmocka_unit_test(multiboot_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
