/* SPDX-License-Identifier: MIT */
/*
 * In the hypervisor's place: starts the manifest's Linux on the machine itself, with the memory,
 * initrd and command line that its VM would have: what the loader made for the VM, with another
 * memory map and another place for the initrd. The benchmark compares the two: this program
 * tells the TSC to the emulator's debug port before it jumps, and init.S does so in the end.
 * Source: Linux, Documentation/arch/x86/boot.rst, "64-bit Boot Protocol". Runs in its own right.
 */
#include <stddef.h>
#include <stdint.h>

#include "boot/bootinfo.h"

void kernel_main(const struct bootinfo *info);

#define ZERO_PAGE 0x7000u
#define CMDLINE 0x20000u
#define PAGE 4096u
#define ZP_ACPI_RSDP 0x070u
#define ZP_E820_COUNT 0x1e8u
#define ZP_RAMDISK_IMAGE 0x218u
#define ZP_RAMDISK_SIZE 0x21cu
#define ZP_E820_TABLE 0x2d0u
#define E820_MAX 128u
#define E820_RAM 1u
#define E820_RESERVED 2u
#define DEBUG_PORT 0xe9

struct __attribute__((packed)) e820_entry {
    uint64_t base, size;
    uint32_t type;
};

static void copy(uint64_t to, uint64_t from, uint64_t size)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

static uint32_t get(uint32_t offset)
{
    return *(volatile uint32_t *)(uintptr_t)(ZERO_PAGE + offset);
}

static void set(uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)(ZERO_PAGE + offset) = value;
}

/* Copies the VM's segment at gpa to a place of ours. */
static void copy_segment(const struct boot_vm *vm, uint64_t gpa, uint64_t to)
{
    for (uint32_t i = 0; i < vm->segment_count; i++) {
        if (vm->segments[i].gpa == gpa)
            copy(to, vm->segments[i].hpa, vm->segments[i].size);
    }
}

/* The machine's memory, as far as the VM would have it. */
static void fill_e820(const struct bootinfo *info, uint64_t end)
{
    const struct boot_mem *mem = (const struct boot_mem *)(uintptr_t)info->mem_map;
    struct e820_entry *entries = (struct e820_entry *)(uintptr_t)(ZERO_PAGE + ZP_E820_TABLE);
    uint32_t count = 0;

    for (uint32_t i = 0; i < info->mem_count && count < E820_MAX; i++) {
        uint64_t size = mem[i].size;
        if (mem[i].type == BOOT_MEM_MMIO || mem[i].base >= end)
            continue;
        if (mem[i].base + size > end)
            size = end - mem[i].base;
        entries[count++] = (struct e820_entry){
            mem[i].base, size, mem[i].type == BOOT_MEM_USABLE ? E820_RAM : E820_RESERVED
        };
    }
    *(volatile uint8_t *)(uintptr_t)(ZERO_PAGE + ZP_E820_COUNT) = (uint8_t)count;
}

/* The initrd at the end of the highest usable memory below `end`. */
static uint64_t initrd_place(const struct bootinfo *info, uint64_t end, uint64_t size)
{
    const struct boot_mem *mem = (const struct boot_mem *)(uintptr_t)info->mem_map;
    uint64_t place = 0;

    for (uint32_t i = 0; i < info->mem_count; i++) {
        uint64_t top = mem[i].base + mem[i].size < end ? mem[i].base + mem[i].size : end;
        if (mem[i].type == BOOT_MEM_USABLE && mem[i].base + size <= top)
            place = (top - size) & ~(uint64_t)(PAGE - 1);
    }
    return place;
}

static void put(char c)
{
    __asm__ volatile("outb %0, %1" : : "a"(c), "N"(DEBUG_PORT));
}

/* As in init.S: 16 hexadecimal digits and the end of the line. */
static void tell_tsc(void)
{
    uint32_t low, high;
    uint64_t tsc;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    tsc = (uint64_t)high << 32 | low;
    for (unsigned shift = 64; shift; shift -= 4)
        put("0123456789abcdef"[tsc >> (shift - 4) & 15]);
    put('\n');
}

void kernel_main(const struct bootinfo *info)
{
    const struct boot_vm *vm = (const struct boot_vm *)(uintptr_t)info->vms;
    uint64_t initrd;

    copy_segment(vm, ZERO_PAGE, ZERO_PAGE);
    copy_segment(vm, CMDLINE, CMDLINE);
    copy_segment(vm, vm->segments[0].gpa, vm->segments[0].gpa);
    initrd = initrd_place(info, vm->memory, get(ZP_RAMDISK_SIZE));
    copy_segment(vm, get(ZP_RAMDISK_IMAGE), initrd);
    set(ZP_RAMDISK_IMAGE, (uint32_t)initrd);
    set(ZP_ACPI_RSDP, 0);
    fill_e820(info, vm->memory);
    tell_tsc();
    __asm__ volatile("jmp *%0" : : "r"(vm->start.rip), "S"((uint64_t)ZERO_PAGE) : "memory");
    __builtin_unreachable();
}
