/* SPDX-License-Identifier: MIT */
/* sources: kernel/machine.c kernel/machine_regs.c kernel/machine_linux.c kernel/machine_pc.c
 * kernel/machine_flat.c kernel/acpi_build.c kernel/dsdt.c
 * kernel/aml.c kernel/mptable.c kernel/page.c
 * kernel/iobus.c tests/unit/host_stubs.c tests/unit/fake_platform.c */
/* Memory layout, images, boot data and first registers of each kind of machine (build host). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guests/abi.h"
#include "kernel/machine_priv.h"
#include "kernel/page.h"
#include "kernel/x86_regs.h"
#include "tests/unit/fake_platform.h"

#define MIB (1ull << 20)
#define IMAGE_HPA 0x10000ull
#define HEADER_HPA 0x1000ull
#define INITRD_HPA 0x100000ull
#define ZERO_PAGE 0x7000ull

static unsigned handoffs[2];

static void record_handoff(struct vcpu *vcpu, enum intc_handoff how)
{
    (void)vcpu;
    handoffs[how]++;
}

static const struct intc_ops intc = { .handoff = record_handoff };

static void create(enum boot_vm_kind kind, uint64_t memory)
{
    fake_create(kind, 2, memory);
    fake.vm.intc = &intc;
    memset(handoffs, 0, sizeof(handoffs));
    memset(page_ptr(IMAGE_HPA), 0x5a, 0x3000);
    fake.config.segment_count = 1;
    fake.config.segments[0] = (struct boot_segment){ IMAGE_HPA, MIB, 0x3000, 0x5000 };
    fake.config.entry = MIB;
    strcpy(fake.config.cmdline, "console=ttyS0 quiet");
}

static uint64_t ram(gpa_t gpa, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, fake.ram + gpa, size);
    return value;
}

static void put_header(unsigned offset, uint64_t value, unsigned size)
{
    memcpy((uint8_t *)page_ptr(HEADER_HPA) + offset - 0x1f1, &value, size);
}

/* A kernel at 16 MiB that needs 32 MiB, initrd anywhere below 2 GiB. */
static void create_linux(uint64_t memory)
{
    create(BOOT_VM_LINUX, memory);
    put_header(0x202, 0x53726448, 4);
    put_header(0x206, 0x20f, 2);
    put_header(0x22c, 0x7fffffff, 4);
    put_header(0x236, 1, 2);
    put_header(0x260, 32 * MIB, 4);
    fake.config.setup_header_hpa = HEADER_HPA;
    fake.config.setup_header_size = 0x26c - 0x1f1;
    fake.config.segments[0].gpa = 16 * MIB;
    fake.config.entry = 16 * MIB + 0x200;
    fake.config.initrd = (struct boot_module){ .hpa = INITRD_HPA, .size = 5000 };
    memset(page_ptr(INITRD_HPA), 0x77, 5000);
}

static int load(void)
{
    int error = machine_map(&fake.vm);

    return error ? error : machine_load(&fake.vm);
}

static void assert_region(unsigned index, gpa_t base, uint64_t size, uint32_t type)
{
    assert_true(index < fake.vm.map_count);
    assert_int_equal(fake.vm.map[index].base, base);
    assert_int_equal(fake.vm.map[index].size, size);
    assert_int_equal(fake.vm.map[index].type, type);
}

static void memory_sizes(void **state)
{
    static const struct {
        enum boot_vm_kind kind;
        uint64_t memory;
        int error;
    } rows[] = {
        { BOOT_VM_LINUX, 31 * MIB, -EINVAL },     { BOOT_VM_LINUX, 32 * MIB, 0 },
        { BOOT_VM_MULTIBOOT, 3 * MIB, -EINVAL },  { BOOT_VM_MULTIBOOT, 4 * MIB, 0 },
        { BOOT_VM_FLAT, MIB, -EINVAL },           { BOOT_VM_FLAT, 2 * MIB, 0 },
        { BOOT_VM_FLAT, 0, -EINVAL },             { BOOT_VM_FLAT, 2 * MIB + 1, -EINVAL },
        { BOOT_VM_LINUX, 32ull << 30, 0 },        { BOOT_VM_LINUX, 33ull << 30, -EINVAL },
        { BOOT_VM_LINUX, ~0xfffull, -EINVAL },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        create(rows[i].kind, rows[i].memory);
        assert_int_equal(machine_map(&fake.vm), rows[i].error);
    }
}

static void memory_map(void **state)
{
    (void)state;
    create(BOOT_VM_LINUX, 5ull << 30);
    assert_int_equal(machine_map(&fake.vm), 0);
    assert_int_equal(fake.vm.map_count, 6);
    assert_region(0, 0, 0xa0000, GP_RAM);
    assert_region(1, 0xa0000, 0x60000, GP_RESERVED_RAM);
    assert_region(2, MIB, 0xc0000000 - MIB, GP_RAM);
    assert_region(3, 0x100000000, 2ull << 30, GP_RAM);
    assert_region(4, 0xfec00000, 0x1000, GP_MMIO);
    assert_region(5, 0xfee00000, 0x1000, GP_MMIO);
    create(BOOT_VM_MULTIBOOT, 64 * MIB);
    assert_int_equal(machine_map(&fake.vm), 0);
    assert_region(0, 0, 0x9f000, GP_RAM);
    assert_region(1, 0x9f000, 0x61000, GP_RESERVED_RAM);
    assert_region(2, MIB, 63 * MIB, GP_RAM);
    create(BOOT_VM_FLAT, 3 * MIB);
    assert_int_equal(machine_map(&fake.vm), 0);
    assert_region(0, 0, 3 * MIB, GP_RAM);
    assert_int_equal(fake.vm.memory, 3 * MIB);
}

static void flat_start(void **state)
{
    struct mullion_flat_info info;

    (void)state;
    create(BOOT_VM_FLAT, 8 * MIB);
    assert_int_equal(load(), 0);
    memcpy(&info, fake.ram + MULLION_FLAT_INFO_ADDRESS, sizeof(info));
    assert_int_equal(info.version, MULLION_ABI_VERSION);
    assert_int_equal(info.vcpus, 2);
    assert_int_equal(info.memory, 8 * MIB);
    assert_int_equal(info.tsc_hz, 1000000000);
    assert_string_equal((char *)fake.ram + info.cmdline, "console=ttyS0 quiet");
    assert_int_equal(ram(MIB + 0x2fff, 1), 0x5a);
    assert_int_equal(ram(MIB + 0x3000, 1), 0);
    assert_int_equal(fake.vcpus[0].gpr[RAX], MULLION_FLAT_MAGIC);
    assert_int_equal(fake.vcpus[0].gpr[RBX], MULLION_FLAT_INFO_ADDRESS);
    assert_int_equal(fake.regs[VREG_RIP], MIB);
    assert_int_equal(fake.regs[VREG_CR0], CR0_PE | CR0_ET);
    assert_int_equal(fake.regs[VREG_RFLAGS], RFLAGS_FIXED1);
    assert_int_equal(fake.segments[VSEG_CS].access, 0xc09b);
    assert_int_equal(fake.segments[VSEG_SS].access, 0xc093);
    assert_int_equal(fake.segments[VSEG_DS].limit, 0xffffffff);
    assert_int_equal(fake.vcpus[0].state, VCPU_WAIT_SIPI); /* vm_start makes it runnable */
    assert_int_equal(fake.vcpus[1].state, VCPU_WAIT_SIPI);
    /* the selectors are valid in the GDT that the registers name */
    assert_int_equal(fake.segments[VSEG_GDTR].limit, 31);
    assert_int_equal(ram(fake.segments[VSEG_GDTR].base + fake.segments[VSEG_CS].selector, 8),
                     0x00cf9b000000ffff);
    assert_int_equal(ram(fake.segments[VSEG_GDTR].base + fake.segments[VSEG_DS].selector, 8),
                     0x00cf93000000ffff);
}

static void bad_images(void **state)
{
    static const struct {
        uint64_t gpa, size, mem_size, entry;
        int error;
    } rows[] = {
        { MIB, 0x1000, 0x1000, MIB, 0 },
        { 7 * MIB, MIB, MIB, 7 * MIB, 0 },
        { 7 * MIB, MIB + 1, MIB + 1, 7 * MIB, -EFAULT },
        { 7 * MIB, 0x1000, MIB + 1, 7 * MIB, -ENOSPC },
        { 7 * MIB, 0x1000, ~0ull, 7 * MIB, -ENOSPC },
        { 0x1000, 0x1000, 0x1000, 0x1000, -EFAULT },     /* over our tables */
        { 9 * MIB, 0x1000, 0x1000, 9 * MIB, -EFAULT },   /* past RAM */
        { ~0xfffull, 0x1000, 0x1000, MIB, -EFAULT },     /* wraps */
        { MIB, ~0ull, ~0ull, MIB, -EFAULT },
        { 0xfee00000, 0x1000, 0x1000, MIB, -EFAULT },    /* MMIO */
        { MIB, 0x1000, 0x1000, 8 * MIB, -EFAULT },       /* entry outside */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        create(BOOT_VM_FLAT, 8 * MIB);
        fake.config.segments[0] =
            (struct boot_segment){ IMAGE_HPA, rows[i].gpa, rows[i].size, rows[i].mem_size };
        fake.config.entry = rows[i].entry;
        assert_int_equal(load(), rows[i].error);
    }
    create(BOOT_VM_FLAT, 8 * MIB);
    fake.config.segment_count = 0;
    assert_int_equal(load(), -EINVAL);
    fake.config.segment_count = BOOT_SEGMENTS_MAX + 1;
    assert_int_equal(machine_load(&fake.vm), -EINVAL);
}

static void linux_registers(void **state)
{
    (void)state;
    create_linux(512 * MIB);
    assert_int_equal(load(), 0);
    assert_int_equal(fake.regs[VREG_RIP], 16 * MIB + 0x200);
    assert_int_equal(fake.vcpus[0].gpr[RSI], ZERO_PAGE);
    assert_int_equal(fake.regs[VREG_CR0], CR0_PG | CR0_ET | CR0_PE);
    assert_int_equal(fake.regs[VREG_CR4], CR4_PAE);
    assert_int_equal(fake.regs[VREG_EFER], EFER_LME | EFER_LMA);
    assert_int_equal(fake.segments[VSEG_CS].selector, 0x10);
    assert_int_equal(fake.segments[VSEG_DS].selector, 0x18);
    assert_int_equal(fake.segments[VSEG_CS].access, 0xa09b);
    assert_int_equal(handoffs[INTC_HANDOFF_X2APIC], 2);
}

static void linux_identity_map(void **state)
{
    (void)state;
    create_linux(512 * MIB);
    assert_int_equal(load(), 0);
    for (uint64_t address = 0; address < 4ull << 30; address += PAGE_2M) {
        gpa_t table = fake.regs[VREG_CR3];

        table = ram(table, 8) & PTE_ADDRESS;
        table = ram(table + (address >> 30) * 8, 8) & PTE_ADDRESS;
        assert_int_equal(ram(table + (address >> 21 & 511) * 8, 8),
                         address | PTE_PS | PTE_W | PTE_P);
    }
}

static void linux_zero_page(void **state)
{
    gpa_t initrd = 512 * MIB - 0x2000;

    (void)state;
    create_linux(512 * MIB);
    assert_int_equal(load(), 0);
    assert_int_equal(ram(ZERO_PAGE + 0x202, 4), 0x53726448);
    assert_int_equal(ram(ZERO_PAGE + 0x210, 1), 0xff);
    assert_int_equal(ram(ZERO_PAGE + 0x1ef, 1), 0); /* sentinel: the fields are ours */
    assert_int_equal(ram(ZERO_PAGE + 0x218, 4), initrd);
    assert_int_equal(ram(ZERO_PAGE + 0x21c, 4), 5000);
    assert_int_equal(ram(initrd + 4999, 1), 0x77);
    assert_string_equal((char *)fake.ram + ram(ZERO_PAGE + 0x228, 4), "console=ttyS0 quiet");
    assert_memory_equal(fake.ram + ram(ZERO_PAGE + 0x70, 8), "RSD PTR ", 8);
    assert_int_equal(ram(ZERO_PAGE + 0x1e8, 1), 3);
    for (unsigned i = 0; i < 3; i++) {
        gpa_t entry = ZERO_PAGE + 0x2d0 + 20 * i;

        assert_int_equal(ram(entry, 8), fake.vm.map[i].base);
        assert_int_equal(ram(entry + 8, 8), fake.vm.map[i].size);
        assert_int_equal(ram(entry + 16, 4), i == 1 ? 2 : 1);
    }
}

static void linux_initrd_limits(void **state)
{
    (void)state;
    create_linux(48 * MIB + 0x2000); /* kernel 16..48 MiB: exactly two pages for the initrd */
    assert_int_equal(load(), 0);
    create_linux(48 * MIB + 0x1000);
    assert_int_equal(load(), -ENOSPC);
    create_linux(40 * MIB);
    fake.config.initrd.size = 0;
    assert_int_equal(load(), -ENOSPC);
    create_linux(48 * MIB);
    fake.config.initrd.size = 0;
    assert_int_equal(load(), 0);
    create_linux(512 * MIB);
    fake.config.initrd.size = ~0ull;
    assert_int_equal(load(), -ENOSPC);
    create_linux(512 * MIB);
    put_header(0x22c, 0x7ffffff, 4); /* initrd_addr_max: 128 MiB */
    assert_int_equal(load(), 0);
    assert_int_equal(ram(ZERO_PAGE + 0x218, 4), 128 * MIB - 0x2000);
    create_linux(4096 * MIB);
    assert_int_equal(load(), 0);
    assert_int_equal(ram(ZERO_PAGE + 0x218, 4), 2048 * MIB - 0x2000);
}

static void linux_refusals(void **state)
{
    (void)state;
    create_linux(512 * MIB);
    put_header(0x236, 0, 2);
    assert_int_equal(load(), -EINVAL);
    create_linux(512 * MIB);
    put_header(0x206, 0x20b, 2);
    assert_int_equal(load(), -EINVAL);
    create_linux(512 * MIB);
    put_header(0x202, 0, 4);
    assert_int_equal(load(), -EINVAL);
    create_linux(512 * MIB);
    fake.config.setup_header_size = 0xa0;
    assert_int_equal(load(), -EINVAL);
}

static void add_modules(void)
{
    memcpy(page_ptr(INITRD_HPA), "first", 5);
    memcpy(page_ptr(INITRD_HPA + PAGE_SIZE), "second", 6);
    fake.config.module_count = 2;
    fake.config.modules[0] = (struct boot_module){ INITRD_HPA, 5, "env.txt" };
    fake.config.modules[1] = (struct boot_module){ INITRD_HPA + PAGE_SIZE, 6, "b.bin" };
}

static void multiboot_info(void **state)
{
    gpa_t info, mods, mmap;

    (void)state;
    create(BOOT_VM_MULTIBOOT, 64 * MIB);
    add_modules();
    assert_int_equal(load(), 0);
    assert_int_equal(fake.vcpus[0].gpr[RAX], 0x2badb002);
    info = fake.vcpus[0].gpr[RBX];
    assert_int_equal(ram(info, 4), 1 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
    assert_int_equal(ram(info + 4, 4), 636);
    assert_int_equal(ram(info + 8, 4), 63 * 1024);
    assert_string_equal((char *)fake.ram + ram(info + 16, 4), "console=ttyS0 quiet");
    assert_string_equal((char *)fake.ram + ram(info + 64, 4), "Mullion");
    assert_int_equal(ram(info + 20, 4), 2);
    mods = ram(info + 24, 4);
    assert_int_equal(ram(mods, 4), MIB + 0x5000); /* after the kernel's zeroed part */
    assert_int_equal(ram(mods + 4, 4), MIB + 0x5005);
    assert_string_equal((char *)fake.ram + ram(mods + 8, 4), "env.txt");
    assert_memory_equal(fake.ram + ram(mods + 16, 4), "second", 6);
    assert_string_equal((char *)fake.ram + ram(mods + 24, 4), "b.bin");
    assert_int_equal(ram(info + 44, 4), 3 * 24);
    mmap = ram(info + 48, 4);
    assert_int_equal(ram(mmap, 4), 20);
    assert_int_equal(ram(mmap + 24 + 4, 8), 0x9f000);
    assert_int_equal(ram(mmap + 24 + 20, 4), 2);
    assert_int_equal(ram(mmap + 48 + 4, 8), MIB);
    assert_int_equal(ram(mmap + 48 + 20, 4), 1);
    assert_int_equal(handoffs[INTC_HANDOFF_VIRTUAL_WIRE], 1);
}

static void bios_area(void **state)
{
    (void)state;
    create(BOOT_VM_MULTIBOOT, 64 * MIB);
    assert_int_equal(load(), 0);
    assert_int_equal(ram(0x40e, 2), 0x9f00);
    assert_int_equal(ram(0x413, 2), 636);
    assert_int_equal(ram(0x9f000, 1), 4);
    assert_memory_equal(fake.ram + 0xe0000, "RSD PTR ", 8);
    assert_memory_equal(fake.ram + 0xf0000, "_MP_", 4);
}

static void modules_that_do_not_fit(void **state)
{
    (void)state;
    create(BOOT_VM_MULTIBOOT, 4 * MIB);
    add_modules();
    fake.config.modules[1].size = 3 * MIB;
    assert_int_equal(load(), -ENOSPC);
    fake.config.modules[1].size = ~0ull;
    assert_int_equal(machine_load(&fake.vm), -ENOSPC);
    fake.config.module_count = BOOT_MODULES_MAX + 1;
    assert_int_equal(machine_load(&fake.vm), -EINVAL);
}

static int teardown(void **state)
{
    (void)state;
    fake_destroy();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_sizes),
        cmocka_unit_test(memory_map),
        cmocka_unit_test(flat_start),
        cmocka_unit_test(bad_images),
        cmocka_unit_test(linux_registers),
        cmocka_unit_test(linux_identity_map),
        cmocka_unit_test(linux_zero_page),
        cmocka_unit_test(linux_initrd_limits),
        cmocka_unit_test(linux_refusals),
        cmocka_unit_test(multiboot_info),
        cmocka_unit_test(bios_area),
        cmocka_unit_test(modules_that_do_not_fit),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
