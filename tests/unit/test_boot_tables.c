/* SPDX-License-Identifier: MIT */
/* The hypervisor's ELF file, firmware's memory map and the MADT (build host). */
/* sources: boot/elf64.c boot/memmap.c boot/acpi.c */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/acpi.h"
#include "boot/elf64.h"
#include "boot/memmap.h"

static uint8_t image[0x10000];

static void kernel_new(Elf64_Phdr *ph)
{
    Elf64_Ehdr elf = {.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_phoff = sizeof(elf),
                      .e_entry = ELF64_LINK_BASE + 0x10, .e_phentsize = sizeof(*ph), .e_phnum = 1};

    memset(image, 0, sizeof(image));
    memcpy(elf.e_ident, ELFMAG, SELFMAG);
    elf.e_ident[EI_CLASS] = ELFCLASS64;
    *ph = (Elf64_Phdr){.p_type = PT_LOAD, .p_offset = 0x1000, .p_vaddr = ELF64_LINK_BASE,
                       .p_filesz = 0x20, .p_memsz = 0x1001};
    memcpy(image, &elf, sizeof(elf));
    memcpy(image + sizeof(elf), ph, sizeof(*ph));
    memset(image + 0x1000, 0xab, 0x20);
}

static void kernel_elf(void **state)
{
    static uint8_t block[0x2000];
    struct elf64_plan plan;
    Elf64_Phdr ph;

    (void)state;
    kernel_new(&ph);
    assert_null(elf64_check(image, 0x1020, &plan));
    assert_int_equal(plan.link_base, ELF64_LINK_BASE);
    assert_int_equal(plan.size, 0x2000);
    elf64_load(image, &plan, block);
    assert_int_equal(block[0x1f], 0xab);
    assert_int_equal(block[0x20], 0);
    assert_string_equal(elf64_check(image, 0x101f, &plan), "it is cut short");
    assert_string_equal(elf64_check(image, 10, &plan), "it is no ELF file");
    /* All but the first wrapped once, and got a block that was too small. */
    for (uint64_t back = 0x1000; back > 0; back >>= 1) {
        ph.p_vaddr = UINT64_MAX - back;
        memcpy(image + sizeof(Elf64_Ehdr), &ph, sizeof(ph));
        assert_non_null(strstr(elf64_check(image, 0x1020, &plan), "last 2 GiB"));
    }
    ph.p_vaddr = 0x100000;
    memcpy(image + sizeof(Elf64_Ehdr), &ph, sizeof(ph));
    assert_non_null(strstr(elf64_check(image, 0x1020, &plan), "last 2 GiB"));
}

static void memory_map(void **state)
{
    /* As firmware gives it: not sorted, overlapping, one entry that wraps. */
    const struct memmap_descriptor raw[] = {
        {.type = 7, .physical_start = 0x100000, .pages = 0x100},
        {.type = 4, .physical_start = 0, .pages = 2},
        {.type = MEMMAP_EFI_TYPE_LOADER, .physical_start = 0x200000, .pages = 1},
        {.type = 0, .physical_start = 0x180000, .pages = 1},
        {.type = 11, .physical_start = 0xfee00000, .pages = UINT64_MAX},
        {.type = 9, .physical_start = 0x202000, .pages = 1},
        {.type = 2, .physical_start = 0x201000, .pages = 1},
    };
    const struct boot_mem wanted[] = {
        {0, 0x1000, BOOT_MEM_RESERVED, 0},      {0x1000, 0x1000, BOOT_MEM_USABLE, 0},
        {0x100000, 0x80000, BOOT_MEM_USABLE, 0}, {0x180000, 0x1000, BOOT_MEM_RESERVED, 0},
        {0x181000, 0x7f000, BOOT_MEM_USABLE, 0}, {0x200000, 0x1000, BOOT_MEM_LOADER, 0},
        {0x201000, 0x1000, BOOT_MEM_USABLE, 0},  {0x202000, 0x1000, BOOT_MEM_ACPI, 0},
        {0xfee00000, (1ull << 52) - 0xfee00000, BOOT_MEM_MMIO, 0},
    };
    struct boot_mem out[16], scratch[16];
    uint32_t count = memmap_convert(raw, 7, sizeof(raw[0]), out, scratch, 16);

    (void)state;
    assert_int_equal(count, sizeof(wanted) / sizeof(wanted[0]));
    assert_memory_equal(out, wanted, sizeof(wanted));
    assert_int_equal(memmap_sum(out, count, BOOT_MEM_LOADER), 0x1000);
    assert_int_equal(memmap_end(out, count), 1ull << 52);
    assert_int_equal(memmap_convert(raw, 7, sizeof(raw[0]), out, scratch, 7), 0);
    assert_int_equal(memmap_convert(raw, 7, 8, out, scratch, 16), 0);
}

static void madt(void **state)
{
    static const uint8_t entries[] = {
        0, 8, 0, 0, 1, 0, 0, 0,                          /* the boot CPU */
        0, 8, 1, 4, 1, 0, 0, 0,                          /* enabled */
        0, 8, 2, 6, 2, 0, 0, 0,                          /* online capable only */
        0, 8, 3, 255, 1, 0, 0, 0,                        /* no APIC id */
        1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,       /* an I/O APIC */
        9, 16, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, /* the same CPU again */
        9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, /* id 0x100 */
        0, 8, 5, 7, 1, 0, 0, 0,                          /* one too many */
        0, 0, 0, 0,                                      /* would be endless */
    };
    struct {
        struct acpi_header header;
        uint8_t rest[8 + sizeof(entries)];
    } table = {.header = {.length = sizeof(table)}};
    struct boot_cpu cpus[3] = {{.apic_id = 0, .enabled = 1}};
    uint32_t count = 1;

    (void)state;
    memcpy(table.rest + 8, entries, sizeof(entries));
    assert_int_equal(acpi_madt_cpus(&table.header, cpus, &count, 3), 1);
    assert_int_equal(count, 3);
    assert_int_equal(cpus[1].apic_id, 4);
    assert_int_equal(cpus[2].apic_id, 0x100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_elf),
        cmocka_unit_test(memory_map),
        cmocka_unit_test(madt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
