/* SPDX-License-Identifier: MIT */
/* sources: boot/machine.c boot/machine_start.c boot/machine_linux.c boot/machine_pc.c
 * boot/machine_flat.c boot/acpi_build.c boot/dsdt.c boot/aml.c boot/mptable.c
 * boot/guest_image.c boot/bzimage.c boot/multiboot.c */
/* Memory layout, boot data and first registers of each kind of machine (build host): the loader's
 * segments are copied to an array as the hypervisor copies them to a VM's memory. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "boot/machine_build.h"
#include "guests/abi.h"
#include "kernel/x86_regs.h"

#define MIB (1ull << 20)
#define RAM_MAX (1ull << 36)
#define ZERO_PAGE 0x7000ull

static struct boot_vm vm;
static struct guest_parts parts;
static struct guest_report report;
static _Alignas(4096) uint8_t tables[MACHINE_TABLES_SIZE];
static uint8_t *memory; /* the guest's, sparse */
static uint8_t image[0x3000], initrd[0x2000], header[0x300];

static uint64_t hpa(const void *bytes)
{
    return (uint64_t)(uintptr_t)bytes;
}

static void create(enum boot_vm_kind kind, uint64_t size)
{
    memset(&parts, 0, sizeof(parts));
    memset(image, 0x5a, sizeof(image));
    vm = (struct boot_vm){ .kind = kind, .vcpu_count = 2, .memory = size };
    vm.segment_count = 1;
    vm.segments[0] = (struct boot_segment){ hpa(image), MIB, 0x3000, 0x5000 };
    vm.start.rip = MIB;
    strcpy(parts.cmdline, "console=ttyS0 quiet");
}

static uint64_t ram(uint64_t gpa, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, memory + gpa, size);
    return value;
}

static void put_header(unsigned offset, uint64_t value, unsigned size)
{
    memcpy(header + offset, &value, size);
}

/* A kernel at 16 MiB that needs 32 MiB, initrd anywhere below 2 GiB. */
static void create_linux(uint64_t size)
{
    create(BOOT_VM_LINUX, size);
    put_header(0x201, 0x6a, 1);
    put_header(0x202, 0x53726448, 4);
    put_header(0x22c, 0x7fffffff, 4);
    parts.kernel = (struct guest_file){ header, sizeof(header), hpa(header) };
    vm.segments[0].gpa = 16 * MIB;
    vm.segments[0].mem_size = 32 * MIB;
    vm.start.rip = 16 * MIB + 0x200;
    parts.initrd.file = (struct guest_file){ initrd, 5000, hpa(initrd) };
    memset(initrd, 0x77, 5000);
}

static const struct boot_range *range_of(const struct boot_segment *s)
{
    for (uint32_t i = 0; i < vm.range_count; i++)
        if (s->gpa - vm.ranges[i].gpa < vm.ranges[i].size &&
            s->mem_size <= vm.ranges[i].size - (s->gpa - vm.ranges[i].gpa))
            return &vm.ranges[i];
    return NULL;
}

/* Every segment lies in memory, and none over another. */
static void check_segments(void)
{
    for (uint32_t i = 0; i < vm.segment_count; i++) {
        const struct boot_segment *s = &vm.segments[i];

        assert_non_null(range_of(s));
        assert_int_not_equal(range_of(s)->kind, BOOT_RANGE_DEVICES);
        assert_true(s->size <= s->mem_size);
        for (uint32_t n = 0; n < i; n++)
            assert_true(s->gpa >= vm.segments[n].gpa + vm.segments[n].mem_size ||
                        vm.segments[n].gpa >= s->gpa + s->mem_size);
    }
}

static int load(void)
{
    struct machine_build build = { .vm = &vm, .parts = &parts, .report = &report,
                                   .bytes = tables, .hpa = hpa(tables) };
    int error;

    memset(tables, 0, sizeof(tables));
    machine_map(&vm);
    error = machine_build(&build);
    if (error)
        return error;
    check_segments();
    if (memory)
        munmap(memory, RAM_MAX);
    memory = mmap(NULL, RAM_MAX, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(memory != MAP_FAILED);
    for (uint32_t i = 0; i < vm.segment_count; i++)
        memcpy(memory + vm.segments[i].gpa, (void *)(uintptr_t)vm.segments[i].hpa,
               vm.segments[i].size);
    return 0;
}

static void refused(const char *says)
{
    assert_int_equal(load(), -EINVAL);
    if (!strstr(report.error, says))
        fail_msg("\"%s\", but \"%s\" expected", report.error, says);
}

static void assert_region(unsigned index, uint64_t base, uint64_t size, uint32_t type)
{
    assert_true(index < vm.range_count);
    assert_int_equal(vm.ranges[index].gpa, base);
    assert_int_equal(vm.ranges[index].size, size);
    assert_int_equal(vm.ranges[index].kind, type);
}

static void memory_map(void **state)
{
    (void)state;
    create(BOOT_VM_LINUX, 5ull << 30);
    machine_map(&vm);
    assert_int_equal(vm.range_count, 6);
    assert_region(0, 0, 0xa0000, BOOT_RANGE_RAM);
    assert_region(1, 0xa0000, 0x60000, BOOT_RANGE_FIRMWARE);
    assert_region(2, MIB, 0xc0000000 - MIB, BOOT_RANGE_RAM);
    assert_region(3, 0x100000000, 2ull << 30, BOOT_RANGE_RAM);
    assert_region(4, 0xfec00000, 0x1000, BOOT_RANGE_DEVICES);
    assert_region(5, 0xfee00000, 0x1000, BOOT_RANGE_DEVICES);
    create(BOOT_VM_MULTIBOOT, 64 * MIB);
    machine_map(&vm);
    assert_region(0, 0, 0x9f000, BOOT_RANGE_RAM);
    assert_region(1, 0x9f000, 0x61000, BOOT_RANGE_FIRMWARE);
    assert_region(2, MIB, 63 * MIB, BOOT_RANGE_RAM);
    create(BOOT_VM_FLAT, 3 * MIB);
    machine_map(&vm);
    assert_region(0, 0, 3 * MIB, BOOT_RANGE_RAM);
    assert_int_equal(vm.range_count, 3);
}

static void flat_start(void **state)
{
    struct mullion_flat_info info;

    (void)state;
    create(BOOT_VM_FLAT, 8 * MIB);
    assert_int_equal(load(), 0);
    memcpy(&info, memory + MULLION_FLAT_INFO_ADDRESS, sizeof(info));
    assert_int_equal(info.version, MULLION_ABI_VERSION);
    assert_int_equal(info.vcpus, 2);
    assert_int_equal(info.memory, 8 * MIB);
    assert_int_equal(vm.tsc_hz_gpa,
                     MULLION_FLAT_INFO_ADDRESS + offsetof(struct mullion_flat_info, tsc_hz));
    assert_string_equal((char *)memory + info.cmdline, "console=ttyS0 quiet");
    assert_int_equal(ram(MIB + 0x2fff, 1), 0x5a);
    assert_int_equal(ram(MIB + 0x3000, 1), 0);
    assert_int_equal(vm.start.rax, MULLION_FLAT_MAGIC);
    assert_int_equal(vm.start.rbx, MULLION_FLAT_INFO_ADDRESS);
    assert_int_equal(vm.start.rip, MIB);
    assert_int_equal(vm.start.cr0, CR0_PE | CR0_ET);
    assert_int_equal(vm.start.code_access, 0xc09b);
    assert_int_equal(vm.start.data_access, 0xc093);
    /* the selectors are valid in the GDT that the registers name */
    assert_int_equal(vm.start.gdt_limit, 31);
    assert_int_equal(ram(vm.start.gdt_base + vm.start.code_selector, 8),
                     0x00cf9b000000ffff);
    assert_int_equal(ram(vm.start.gdt_base + vm.start.data_selector, 8),
                     0x00cf93000000ffff);
}

static void linux_registers(void **state)
{
    (void)state;
    create_linux(512 * MIB);
    assert_int_equal(load(), 0);
    assert_int_equal(vm.start.rip, 16 * MIB + 0x200);
    assert_int_equal(vm.start.rsi, ZERO_PAGE);
    assert_int_equal(vm.start.cr0, CR0_PG | CR0_ET | CR0_PE);
    assert_int_equal(vm.start.cr4, CR4_PAE);
    assert_int_equal(vm.start.efer, EFER_LME | EFER_LMA);
    assert_int_equal(vm.start.code_selector, 0x10);
    assert_int_equal(vm.start.data_selector, 0x18);
    assert_int_equal(vm.start.code_access, 0xa09b);
}

static void linux_identity_map(void **state)
{
    (void)state;
    create_linux(512 * MIB);
    assert_int_equal(load(), 0);
    for (uint64_t address = 0; address < 4ull << 30; address += 2 * MIB) {
        uint64_t table = vm.start.cr3;

        table = ram(table, 8) & PTE_ADDRESS;
        table = ram(table + (address >> 30) * 8, 8) & PTE_ADDRESS;
        assert_int_equal(ram(table + (address >> 21 & 511) * 8, 8),
                         address | PTE_PS | PTE_W | PTE_P);
    }
}

static void linux_zero_page(void **state)
{
    uint64_t place = 512 * MIB - 0x2000;

    (void)state;
    create_linux(512 * MIB);
    assert_int_equal(load(), 0);
    assert_int_equal(ram(ZERO_PAGE + 0x202, 4), 0x53726448);
    assert_int_equal(ram(ZERO_PAGE + 0x210, 1), 0xff);
    assert_int_equal(ram(ZERO_PAGE + 0x1ef, 1), 0); /* sentinel: the fields are ours */
    assert_int_equal(ram(ZERO_PAGE + 0x218, 4), place);
    assert_int_equal(ram(ZERO_PAGE + 0x21c, 4), 5000);
    assert_int_equal(ram(place + 4999, 1), 0x77);
    assert_string_equal((char *)memory + ram(ZERO_PAGE + 0x228, 4), "console=ttyS0 quiet");
    assert_memory_equal(memory + ram(ZERO_PAGE + 0x70, 8), "RSD PTR ", 8);
    assert_int_equal(ram(ZERO_PAGE + 0x1e8, 1), 3);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t entry = ZERO_PAGE + 0x2d0 + 20 * i;

        assert_int_equal(ram(entry, 8), vm.ranges[i].gpa);
        assert_int_equal(ram(entry + 8, 8), vm.ranges[i].size);
        assert_int_equal(ram(entry + 16, 4), i == 1 ? 2 : 1);
    }
}

static void linux_initrd_limits(void **state)
{
    (void)state;
    create_linux(48 * MIB + 0x2000); /* kernel 16..48 MiB: exactly two pages for the initrd */
    assert_int_equal(load(), 0);
    create_linux(48 * MIB + 0x1000);
    refused("no room for its initrd of 4 KiB");
    create_linux(48 * MIB);
    parts.initrd.file.size = 0;
    assert_int_equal(load(), 0);
    assert_int_equal(ram(ZERO_PAGE + 0x218, 8), 0);
    create_linux(512 * MIB);
    parts.initrd.file.size = ~0ull;
    refused("no room for its initrd");
    create_linux(512 * MIB);
    put_header(0x22c, 0x7ffffff, 4); /* initrd_addr_max: 128 MiB */
    assert_int_equal(load(), 0);
    assert_int_equal(ram(ZERO_PAGE + 0x218, 4), 128 * MIB - 0x2000);
    create_linux(4096 * MIB);
    assert_int_equal(load(), 0);
    assert_int_equal(ram(ZERO_PAGE + 0x218, 4), 2048 * MIB - 0x2000);
}

static void add_modules(void)
{
    memcpy(initrd, "first", 5);
    memcpy(initrd + 0x1000, "second", 6);
    parts.module_count = 2;
    parts.modules[0] = (struct guest_module){ { initrd, 5, hpa(initrd) }, "env.txt" };
    parts.modules[1] = (struct guest_module){ { NULL, 6, hpa(initrd + 0x1000) }, "b.bin" };
}

static void multiboot_info(void **state)
{
    uint64_t info, mods, mmap;

    (void)state;
    create(BOOT_VM_MULTIBOOT, 64 * MIB);
    add_modules();
    assert_int_equal(load(), 0);
    assert_int_equal(vm.start.rax, 0x2badb002);
    info = vm.start.rbx;
    assert_int_equal(ram(info, 4), 1 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
    assert_int_equal(ram(info + 4, 4), 636);
    assert_int_equal(ram(info + 8, 4), 63 * 1024);
    assert_string_equal((char *)memory + ram(info + 16, 4), "console=ttyS0 quiet");
    assert_string_equal((char *)memory + ram(info + 64, 4), "Mullion");
    assert_int_equal(ram(info + 20, 4), 2);
    mods = ram(info + 24, 4);
    assert_int_equal(ram(mods, 4), MIB + 0x5000); /* after the kernel's zeroed part */
    assert_int_equal(ram(mods + 4, 4), MIB + 0x5005);
    assert_string_equal((char *)memory + ram(mods + 8, 4), "env.txt");
    assert_memory_equal(memory + ram(mods + 16, 4), "second", 6);
    assert_string_equal((char *)memory + ram(mods + 24, 4), "b.bin");
    assert_int_equal(ram(info + 44, 4), 3 * 24);
    mmap = ram(info + 48, 4);
    assert_int_equal(ram(mmap, 4), 20);
    assert_int_equal(ram(mmap + 24 + 4, 8), 0x9f000);
    assert_int_equal(ram(mmap + 24 + 20, 4), 2);
    assert_int_equal(ram(mmap + 48 + 4, 8), MIB);
    assert_int_equal(ram(mmap + 48 + 20, 4), 1);
}

static void bios_area(void **state)
{
    (void)state;
    create(BOOT_VM_MULTIBOOT, 64 * MIB);
    assert_int_equal(load(), 0);
    assert_int_equal(ram(0x40e, 2), 0x9f00);
    assert_int_equal(ram(0x413, 2), 636);
    assert_int_equal(ram(0x9f000, 1), 4);
    assert_memory_equal(memory + 0xe0000, "RSD PTR ", 8);
    assert_memory_equal(memory + 0xf0000, "_MP_", 4);
}

static void modules_that_do_not_fit(void **state)
{
    (void)state;
    create(BOOT_VM_MULTIBOOT, 4 * MIB);
    add_modules();
    parts.modules[1].file.size = 3 * MIB;
    refused("its module b.bin of 3072 KiB does not fit");
    parts.modules[1].file.size = ~0ull;
    create(BOOT_VM_MULTIBOOT, 4 * MIB);
    add_modules();
    parts.modules[1].file.size = ~0ull;
    refused("its module b.bin");
}

/* As many parts, modules, vCPUs and ranges as there can be, in each kind. */
static void everything_fits(void **state)
{
    (void)state;
    for (uint32_t kind = BOOT_VM_LINUX; kind <= BOOT_VM_FLAT; kind++) {
        create_linux(5ull << 30);
        vm.kind = kind;
        vm.vcpu_count = BOOT_VCPUS_MAX;
        vm.segment_count = GUEST_IMAGE_SEGMENTS_MAX;
        for (uint32_t i = 0; i < GUEST_IMAGE_SEGMENTS_MAX; i++)
            vm.segments[i] = (struct boot_segment){ hpa(image), (16 + i) * MIB, 0x3000, 0x5000 };
        parts.module_count = GUEST_MODULES_MAX;
        for (uint32_t i = 0; i < GUEST_MODULES_MAX; i++)
            parts.modules[i].file = (struct guest_file){ initrd, 5, hpa(initrd) };
        assert_int_equal(load(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_map),
        cmocka_unit_test(flat_start),
        cmocka_unit_test(linux_registers),
        cmocka_unit_test(linux_identity_map),
        cmocka_unit_test(linux_zero_page),
        cmocka_unit_test(linux_initrd_limits),
        cmocka_unit_test(multiboot_info),
        cmocka_unit_test(bios_area),
        cmocka_unit_test(modules_that_do_not_fit),
        cmocka_unit_test(everything_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
