/* SPDX-License-Identifier: MIT */
/* ACPI tables as firmware should not make them (build host). */
/* sources: boot/acpi.c boot/acpi_board.c */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "boot/acpi.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MEMORY (1u << 20)
#define RSDP   0x2000
#define XSDT   0x3000
#define RSDT   0x4000
#define MADT   0x5000
#define FADT   0x6000
#define HPET   0x7000
#define END    0x10000 /* of the memory that the map knows */

static uint8_t *memory; /* below 4 GiB, where the RSDT can point to */
static struct boot_mem map[2];
static uint64_t rsdp;
static struct boot_board board;
static struct acpi acpi;

static void acpi_init(void)
{
    acpi_open(&acpi, rsdp, map, ARRAY_SIZE(map));
    acpi_read_board(&acpi, &board);
}

static uint64_t address(uint64_t offset)
{
    return (uint64_t)(uintptr_t)memory + offset;
}

static void put(uint64_t hpa, const void *data, size_t size)
{
    memcpy(memory + hpa, data, size);
}

static void put64(uint64_t hpa, uint64_t value, size_t size)
{
    put(hpa, &value, size);
}

static uint8_t sum(uint64_t hpa, size_t size)
{
    const uint8_t *bytes = memory + hpa;
    uint8_t total = 0;

    while (size--)
        total = (uint8_t)(total + *bytes++);
    return total;
}

static void seal(uint64_t hpa, size_t size, size_t at)
{
    put64(hpa + at, 0, 1);
    put64(hpa + at, (uint8_t)-sum(hpa, size), 1);
}

static void seal_table(uint64_t hpa)
{
    seal(hpa, ((struct acpi_header *)(void *)(memory + hpa))->length, 9);
}

static void make_table(uint64_t hpa, const char *signature, uint32_t length)
{
    memset(memory + hpa, 0, length);
    put(hpa, signature, 4);
    put64(hpa + 4, length, 4);
    seal_table(hpa);
}

static void make_madt(void)
{
    static const uint8_t entries[] = {
        0, 8,  0, 0,  1,    0,    0,    0,                   /* a CPU */
        1, 12, 0, 0,  0x00, 0x10, 0xc0, 0xfe, 0,    0, 0, 0, /* I/O APIC */
        2, 10, 0, 0,  2,    0,    0,    0,    0,    0,       /* the PIT is GSI 2 */
        2, 10, 0, 9,  20,   0,    0,    0,    0x0f, 0,       /* IRQ 9: GSI 20, level, low */
        2, 10, 0, 77, 1,    0,    0,    0,    0,    0,       /* no such ISA interrupt */
    };
    make_table(MADT, "APIC", 44 + sizeof entries);
    put(MADT + 44, entries, sizeof entries);
    seal_table(MADT);
}

static void make_roots(void)
{
    put(RSDP, "RSD PTR ", 8);
    put64(RSDP + 15, 2, 1);
    put64(RSDP + 16, address(RSDT), 4);
    put64(RSDP + 20, 36, 4);
    put64(RSDP + 24, address(XSDT), 8);
    seal(RSDP, 20, 8);
    make_table(XSDT, "XSDT", 36 + 24);
    put64(XSDT + 36, address(MADT), 8);
    put64(XSDT + 44, address(FADT), 8);
    put64(XSDT + 52, address(HPET), 8);
    seal_table(XSDT);
    make_table(RSDT, "RSDT", 36 + 4);
    put64(RSDT + 36, address(MADT), 4);
    seal_table(RSDT);
}

static int setup(void **state)
{
    (void)state;
    if (!memory)
        memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    assert_true(memory != MAP_FAILED);
    memset(memory, 0, MEMORY);
    map[0] = (struct boot_mem){address(0x1000), END - 0x1000, BOOT_MEM_ACPI, 0};
    map[1] = (struct boot_mem){address(END), 0x1000, BOOT_MEM_MMIO, 0};
    make_roots();
    make_madt();
    make_table(FADT, "FACP", 244);
    put64(FADT + 76, 0x608, 4);
    put64(FADT + 91, 4, 1);
    seal_table(FADT);
    make_table(HPET, "HPET", 56);
    put64(HPET + 44, 0xfed00000, 8);
    seal_table(HPET);
    rsdp = address(RSDP);
    return 0;
}

static void test_good_tables(void **state)
{
    (void)state;
    acpi_init();
    assert_int_equal(board.ioapic_count, 1);
    assert_int_equal(board.ioapics[0].hpa, 0xfec01000);
    assert_int_equal(board.isa[0].gsi, 2);
    assert_int_equal(board.isa[4].gsi, 4);
    assert_int_equal(board.isa[9].gsi, 20);
    assert_true(board.isa[9].level && board.isa[9].active_low);
    assert_int_equal(board.pm_timer, 0x608);
    assert_int_equal(board.hpet, 0xfed00000);
}

static void test_no_tables(void **state)
{
    (void)state;
    rsdp = 0;
    acpi_init();
    assert_int_equal(board.ioapic_count, 0);
    assert_int_equal(board.isa[0].gsi, 2);
    assert_int_equal(board.isa[15].gsi, 15);
    assert_int_equal(board.pm_timer, 0);
    assert_null(acpi_find(&acpi, "APIC"));
}

static void test_damaged_xsdt_falls_back(void **state)
{
    (void)state;
    put64(XSDT + 40, 0xff, 1);
    acpi_init();
    assert_non_null(acpi_find(&acpi, "APIC"));
    assert_null(acpi_find(&acpi, "FACP")); /* the RSDT has no other */
    put64(RSDT + 9, 0x12, 1);
    acpi_init();
    assert_null(acpi_find(&acpi, "APIC"));
}

static void test_bad_checksum(void **state)
{
    (void)state;
    put64(MADT + 9, 0x55, 1);
    acpi_init();
    assert_int_equal(board.ioapic_count, 0);
    put64(RSDP + 8, 0x55, 1);
    acpi_init();
    assert_null(acpi_find(&acpi, "FACP"));
}

static void test_bad_lengths(void **state)
{
    static const uint32_t lengths[] = {0, 1, 35, 0x7fffffff, 0xffffffff, END - MADT + 1};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
        setup(NULL);
        put64(MADT + 4, lengths[i], 4);
        acpi_init();
        assert_null(acpi_find(&acpi, "APIC"));
        assert_non_null(acpi_find(&acpi, "FACP"));
    }
}

/* Lengths that the table's own header allows, but not what is inside. */
static void test_short_tables(void **state)
{
    (void)state;
    for (uint32_t length = 36; length < 44; length++) {
        make_table(MADT, "APIC", length);
        make_table(FADT, "FACP", length + 48);
        make_table(HPET, "HPET", length + 8);
        acpi_init();
        assert_int_equal(board.ioapic_count, 0);
        assert_int_equal(board.pm_timer, 0);
        assert_int_equal(board.hpet, 0);
    }
}

static void test_entries_end_the_walk(void **state)
{
    static const uint8_t lengths[] = {0, 1, 200};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
        setup(NULL);
        put64(MADT + 44 + 1, lengths[i], 1); /* of the first entry */
        seal_table(MADT);
        acpi_init();
        assert_int_equal(board.ioapic_count, 0);
    }
    setup(NULL);
    put64(MADT + 44 + 8 + 1, 4, 1); /* an I/O APIC entry that is too short to hold its address */
    seal_table(MADT);
    acpi_init();
    assert_int_equal(board.ioapic_count, 0);
}

static void test_pointers_out_of_memory(void **state)
{
    const uint64_t places[] = {0, address(END - 8), address(END), address(MEMORY), ~0ull,
                               ~0ull - 35};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        setup(NULL);
        put64(XSDT + 36, places[i], 8);
        seal_table(XSDT);
        acpi_init();
        assert_null(acpi_find(&acpi, "APIC"));
        rsdp = places[i];
        acpi_init();
        assert_null(acpi_find(&acpi, "FACP"));
    }
}

/* A root table among its own entries is a table like others, and is not followed. */
static void test_root_in_itself(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        put64(XSDT + 36 + i * 8, address(XSDT), 8);
    seal_table(XSDT);
    acpi_init();
    assert_null(acpi_find(&acpi, "APIC"));
    assert_non_null(acpi_find(&acpi, "XSDT"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_good_tables, setup),
        cmocka_unit_test_setup(test_no_tables, setup),
        cmocka_unit_test_setup(test_damaged_xsdt_falls_back, setup),
        cmocka_unit_test_setup(test_bad_checksum, setup),
        cmocka_unit_test_setup(test_bad_lengths, setup),
        cmocka_unit_test_setup(test_short_tables, setup),
        cmocka_unit_test_setup(test_entries_end_the_walk, setup),
        cmocka_unit_test_setup(test_pointers_out_of_memory, setup),
        cmocka_unit_test_setup(test_root_in_itself, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
