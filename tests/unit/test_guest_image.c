/* SPDX-License-Identifier: MIT */
/* Flat images and bzImages: good ones, and one of each kind of wrong (build host). */
/* sources: boot/guest_image.c boot/bzimage.c boot/multiboot.c boot/machine.c
 * boot/machine_start.c boot/machine_linux.c boot/machine_pc.c boot/machine_flat.c
 * boot/acpi_build.c boot/dsdt.c boot/aml.c boot/mptable.c */
#include "tests/unit/guest_image_case.h"

#include <elf.h>

static void flat(void **state)
{
    (void)state;
    vm_reset(BOOT_VM_FLAT, 2 * MIB);
    refused(0, "empty");
    accepted(3);
    assert_int_equal(vm.start.rip, 0x100000);
    assert_int_equal(image_segments, 1);
    assert_int_equal(vm.segments[0].hpa, HPA);
    assert_int_equal(vm.segments[0].gpa, 0x100000);
    assert_int_equal(vm.segments[0].size, 3);
    memcpy(image, ELFMAG, SELFMAG);
    refused(100, "it is an ELF file");
    vm_reset(BOOT_VM_FLAT, MIB + 0x8000);
    accepted(0x8000);
    refused(0x8001, "does not fit the VM's 1056 KiB");
    vm.memory = 4096;
    refused(1, "more than 1 MiB");
}

#define BZ_SIZE 0x3000u
#define BZ_SETUP_SECTS 3u
#define BZ_KERNEL ((BZ_SETUP_SECTS + 1) * 512)

static void bzimage_new(void)
{
    vm_reset(BOOT_VM_LINUX, 64 * MIB);
    put(0x1f1, BZ_SETUP_SECTS, 1);
    put(0x1f4, (BZ_SIZE - BZ_KERNEL) / 16, 4);
    put(0x1fe, 0xaa55, 2);
    put(0x200, 0x6aeb, 2);
    memcpy(image + 0x202, "HdrS", 4);
    put(0x206, 0x020f, 2);
    put(0x22c, 0x7fffffff, 4);
    put(0x230, 2 * MIB, 4);
    put(0x234, 1, 1);
    put(0x236, 0x3f, 2);
    put(0x238, 2047, 4);
    put(0x258, 16 * MIB, 8);
    put(0x260, 24 * MIB, 4);
}

static void bzimage(void **state)
{
    (void)state;
    bzimage_new();
    accepted(BZ_SIZE);
    assert_int_equal(vm.start.rip, 16 * MIB + 0x200);
    assert_int_equal(image_segments, 1);
    assert_int_equal(vm.segments[0].hpa, HPA + BZ_KERNEL);
    assert_int_equal(vm.segments[0].gpa, 16 * MIB);
    assert_int_equal(vm.segments[0].size, BZ_SIZE - BZ_KERNEL);
    assert_int_equal(vm.segments[0].mem_size, 24 * MIB);
    image[0x26b] = 0xaa; /* the header's last byte, and the one behind it */
    image[0x26c] = 0xbb;
    accepted(BZ_SIZE);
    assert_int_equal(tables[0x26b], 0xaa); /* the zero page is the first of the tables */
    assert_int_equal(tables[0x26c], 0);
    accepted(BZ_SIZE + 0x100); /* a signature behind the kernel is not loaded */
    assert_int_equal(vm.segments[0].size, BZ_SIZE - BZ_KERNEL);
}

static void bzimage_wrong(void **state)
{
    static const struct {
        size_t offset;
        uint64_t value;
        unsigned bytes;
        const char *says;
    } cases[] = {
        {0x1fe, 0, 2, "no Linux bzImage"},
        {0x202, 0, 4, "no Linux bzImage"},
        {0x206, 0x020b, 2, "boot protocol is 2.11"},
        {0x201, 0x10, 1, "setup header ends at 0x212"},
        {0x201, 0x90, 1, "setup header ends at 0x292"},
        {0x236, 0x3e, 2, "no 64-bit entry"},
        {0x234, 0, 1, "not relocatable"},
        {0x258, 0x10000, 8, "preferred address"},
        {0x258, 1ull << 63, 8, "preferred address"},
        {0x258, 16 * MIB + 4096, 8, "not aligned"},
        {0x230, 0, 4, "not aligned"},
        {0x230, 3, 4, "not aligned"},
        {0x260, 100, 4, "larger in the file than in memory"},
        {0x260, 0xffffffff, 4, "does not fit"},
        {0x1f4, 0xffffffff, 4, "cut short"},
        {0x1f4, 0, 4, "is empty"},
        {0x1f1, 64, 1, "cut short"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bzimage_new();
        put(cases[i].offset, cases[i].value, cases[i].bytes);
        refused(BZ_SIZE, cases[i].says);
    }
    bzimage_new();
    refused(0x1ff, "no Linux bzImage");
    refused(0x700, "cut short");
    refused(BZ_SIZE - 16, "cut short");
    put(0x238, 3, 4);
    strcpy(parts.cmdline, "quiet");
    refused(BZ_SIZE, "at most 3 characters");
}

static void bzimage_initrd(void **state)
{
    (void)state;
    bzimage_new();
    parts.initrd.file.size = 24 * MIB;
    accepted(BZ_SIZE);
    parts.initrd.file.size = 24 * MIB + 1;
    refused(BZ_SIZE, "no room for its initrd");
    parts.initrd.file.size = UINT64_MAX;
    refused(BZ_SIZE, "no room for its initrd");
    parts.initrd.file.size = 4096;
    put(0x22c, 30 * MIB, 4);
    refused(BZ_SIZE, "no room for its initrd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flat),
        cmocka_unit_test(bzimage),
        cmocka_unit_test(bzimage_wrong),
        cmocka_unit_test(bzimage_initrd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
