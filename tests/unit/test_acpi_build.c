/* SPDX-License-Identifier: MIT */
/* sources: boot/acpi_build.c boot/dsdt.c boot/aml.c boot/mptable.c boot/machine.c
 * boot/machine_start.c boot/machine_linux.c boot/machine_pc.c boot/machine_flat.c
 * boot/guest_image.c boot/bzimage.c boot/multiboot.c */
/*
 * ACPI and MP tables that guests get (build host): checksums, lengths, pointers, values. With
 * ACPI_DUMP=folder in the environment the tables are written there, for a disassembler.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/acpi.h"
#include "boot/acpi_build.h"
#include "boot/aml.h"
#include "boot/machine_build.h"

#define BASE 0xe0000ull

static struct boot_vm vm;
static uint8_t tables[MACHINE_PAGE];
static size_t used;

static void build(enum boot_vm_kind kind, uint32_t vcpus)
{
    memset(tables, 0, sizeof(tables));
    vm = (struct boot_vm){ .kind = kind, .vcpu_count = vcpus, .memory = 64ull << 20 };
    used = acpi_build(&vm, BASE, tables, sizeof(tables));
    assert_true(used > 0 && used <= sizeof(tables));
}

static uint8_t sum(const uint8_t *bytes, size_t size)
{
    uint8_t total = 0;

    while (size--)
        total = (uint8_t)(total + *bytes++);
    return total;
}

static uint32_t read32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static uint64_t read64(const uint8_t *at)
{
    return read32(at) | (uint64_t)read32(at + 4) << 32;
}

/* The table at a guest address, checked. */
static const uint8_t *table_at(uint64_t gpa, const char *signature)
{
    const uint8_t *table = tables + (gpa - BASE);
    uint32_t length;

    assert_true(gpa >= BASE && gpa + sizeof(struct acpi_header) <= BASE + used);
    length = read32(table + 4);
    assert_true(gpa + length <= BASE + used);
    assert_int_equal(sum(table, length), 0);
    if (signature)
        assert_memory_equal(table, signature, 4);
    return table;
}

static const uint8_t *find(const char *signature)
{
    const uint8_t *xsdt = table_at(read64(tables + 24), "XSDT");
    const uint8_t *rsdt = table_at(read32(tables + 16), "RSDT");
    uint32_t count = (read32(xsdt + 4) - 36) / 8;

    assert_int_equal((read32(rsdt + 4) - 36) / 4, count);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *table = table_at(read64(xsdt + 36 + 8 * i), NULL);

        assert_int_equal(read32(rsdt + 36 + 4 * i), read64(xsdt + 36 + 8 * i));
        if (memcmp(table, signature, 4) == 0)
            return table;
    }
    return NULL;
}

static void dump(const uint8_t *table)
{
    const char *folder = getenv("ACPI_DUMP");
    char path[512];
    FILE *file;

    if (!folder)
        return;
    snprintf(path, sizeof(path), "%s/%.4s.aml", folder, (const char *)table);
    file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(table, read32(table + 4), 1, file);
    fclose(file);
}

static void root_pointer(void **state)
{
    (void)state;
    build(BOOT_VM_LINUX, 1);
    assert_memory_equal(tables, "RSD PTR ", 8);
    assert_int_equal(sum(tables, 20), 0);
    assert_int_equal(sum(tables, 36), 0);
    assert_int_equal(tables[15], 2);
    assert_int_equal(read32(tables + 20), 36);
}

static void fixed_table(void **state)
{
    const uint8_t *fadt, *dsdt;

    (void)state;
    build(BOOT_VM_LINUX, 2);
    fadt = find("FACP");
    assert_non_null(fadt);
    assert_int_equal(read32(fadt + 4), 276);
    assert_int_equal(fadt[8], 6);
    assert_int_equal(read32(fadt + 112), 1u << 20 | 1u << 10 | 1u << 5 | 1u << 4 | 1);
    assert_int_equal(fadt[116], 1); /* reset register: system I/O, 8 bits */
    assert_int_equal(fadt[117], 8);
    assert_int_equal(read64(fadt + 120), 0xcf9);
    assert_int_equal(fadt[128], 6);
    assert_int_equal(read64(fadt + 140), read32(fadt + 40));
    assert_int_equal(read64(fadt + 248), 0x604);
    assert_int_equal(read64(fadt + 260), 0x605);
    for (unsigned i = 148; i < 244; i++) /* no PM1, PM timer or GPE blocks */
        assert_int_equal(fadt[i], 0);
    dsdt = table_at(read64(fadt + 140), "DSDT");
    dump(fadt);
    dump(dsdt);
}

static void interrupt_table(void **state)
{
    const uint8_t *madt, *at;

    (void)state;
    build(BOOT_VM_LINUX, 3);
    madt = find("APIC");
    assert_non_null(madt);
    dump(madt);
    assert_int_equal(read32(madt + 36), 0xfee00000);
    assert_int_equal(read32(madt + 40), 0); /* no PCAT_COMPAT */
    at = madt + 44;
    for (unsigned i = 0; i < 3; i++, at += 8) {
        const uint8_t lapic[] = { 0, 8, (uint8_t)i, (uint8_t)i, 1, 0, 0, 0 };
        assert_memory_equal(at, lapic, 8);
    }
    const uint8_t ioapic[] = { 1, 12, 3, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0 };
    assert_memory_equal(at, ioapic, 12);
    assert_int_equal(at + 12 - madt, read32(madt + 4));
}

static void pc_has_madt_only(void **state)
{
    const uint8_t override[] = { 2, 10, 0, 0, 2, 0, 0, 0, 0, 0 };
    const uint8_t *madt;

    (void)state;
    build(BOOT_VM_MULTIBOOT, 1);
    assert_null(find("FACP"));
    madt = find("APIC");
    assert_non_null(madt);
    assert_int_equal(read32(madt + 40), 1);
    assert_memory_equal(madt + 44 + 8 + 12, override, sizeof(override));
}

static void all_vcpus_fit(void **state)
{
    (void)state;
    build(BOOT_VM_LINUX, BOOT_VCPUS_MAX);
    assert_non_null(find("APIC"));
    assert_int_equal(acpi_build(&vm, BASE, tables, used), used);
    for (size_t size = 0; size < used; size += 7)
        assert_int_equal(acpi_build(&vm, BASE, tables, size), 0);
}

static void aml_refuses_what_does_not_fit(void **state)
{
    uint8_t bytes[64];
    struct aml aml = { .bytes = bytes, .size = sizeof(bytes) };

    (void)state;
    for (unsigned i = 0; i < AML_DEPTH_MAX + 1; i++)
        aml_open_scope(&aml, "_SB_");
    assert_true(aml.full);
    aml_close(&aml);
    aml = (struct aml){ .bytes = bytes, .size = sizeof(bytes) };
    aml_name_eisa(&aml, "_HID", "PNP0501");
    const uint8_t eisa[] = { 8, '_', 'H', 'I', 'D', 0xc, 0x41, 0xd0, 0x05, 0x01 };
    assert_int_equal(aml.used, sizeof(eisa));
    assert_memory_equal(bytes, eisa, sizeof(eisa));
}

static void mp_table(void **state)
{
    static uint8_t mp[MACHINE_PAGE];
    size_t size;

    (void)state;
    vm = (struct boot_vm){ .kind = BOOT_VM_MULTIBOOT, .vcpu_count = 2, .memory = 64ull << 20 };
    size = mptable_build(&vm, 0xf0000, mp, sizeof(mp));
    assert_memory_equal(mp, "_MP_", 4);
    assert_int_equal(sum(mp, 16), 0);
    assert_int_equal(read32(mp + 4), 0xf0010);
    assert_memory_equal(mp + 16, "PCMP", 4);
    assert_int_equal(read32(mp + 20) & 0xffff, size - 16);
    assert_int_equal(sum(mp + 16, size - 16), 0);
    assert_memory_equal(mp + 24, "MULLION PC          ", 20);
    assert_int_equal(read32(mp + 16 + 34) & 0xffff, 2 + 1 + 1 + 15 + 2);
    assert_int_equal(size, 16 + 44 + 2 * 20 + 8 * (1 + 1 + 15 + 2));
    for (size_t less = 0; less < size; less++)
        assert_int_equal(mptable_build(&vm, 0xf0000, mp, less), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_pointer),
        cmocka_unit_test(fixed_table),
        cmocka_unit_test(interrupt_table),
        cmocka_unit_test(pc_has_madt_only),
        cmocka_unit_test(all_vcpus_fit),
        cmocka_unit_test(aml_refuses_what_does_not_fit),
        cmocka_unit_test(mp_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
