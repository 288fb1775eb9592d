/* SPDX-License-Identifier: MIT */
/*
 * What a VM finds at its first instruction: where memory lies, what firmware would have left
 * behind, the registers of vCPU 0. All of it goes into struct boot_vm as ranges, segments and
 * register values, so that the hypervisor only copies. Pure: runs in the UEFI loader and on the
 * build host.
 */
#ifndef BOOT_MACHINE_BUILD_H
#define BOOT_MACHINE_BUILD_H

#include <stdbool.h>

#include "boot/guest_image.h"

#define MACHINE_PAGE 4096ull
#define MACHINE_1M 0x100000ull
#define MACHINE_LOW_RAM_MAX 0xc0000000ull /* RAM below the hole; the rest starts at 4 GiB */
#define MACHINE_HIGH_RAM 0x100000000ull
#define MACHINE_LEGACY_HOLE 0xa0000ull /* to 1 MiB: VGA and BIOS; memory of ours there */

/* Where tables lie in every machine that has them. */
#define MACHINE_GDT_GPA 0x6000ull
#define MACHINE_PML4_GPA 0x8000ull /* and PDPT, and four page directories: to 0xdfff */
#define MACHINE_ACPI_GPA 0xe0000ull
#define MACHINE_MPTABLE_GPA 0xf0000ull

/* Fills vm->ranges from kind and memory (more than 1 MiB, whole pages). They are the one source
 * for the memory map that the guest is told and for the nested page tables. */
void machine_map(struct boot_vm *vm);
/* Below it are tables of ours: no part of an image may lie there. */
uint64_t machine_image_min(const struct boot_vm *vm);
/* The end of RAM below 4 GiB. */
uint64_t machine_low_end(const struct boot_vm *vm);

/* The tables of one VM; what machine_build needs at most. */
#define MACHINE_TABLES_SIZE (48u << 10)

/* A machine in the making. The caller fills the first five: bytes are zeroed memory of
 * MACHINE_TABLES_SIZE, which lies at hpa when the hypervisor runs. */
struct machine_build {
    struct boot_vm *vm; /* with ranges, and segments of the image */
    const struct guest_parts *parts;
    struct guest_report *report;
    uint8_t *bytes;
    uint64_t hpa;
    size_t used;
    bool full; /* something did not fit: a mistake in the sizes above */
};

/* Adds the rest: initrd or modules, tables, registers. 0, or -EINVAL with report->error. */
int machine_build(struct machine_build *build);

/* The parts, one for each kind. */
int machine_linux(struct machine_build *build);
int machine_pc(struct machine_build *build);
int machine_flat(struct machine_build *build);

/* Zeroed bytes that will lie at gpa. Never NULL. */
void *machine_table(struct machine_build *build, uint64_t gpa, size_t size);
/* A whole file at gpa, where the caller has made room. */
void machine_file(struct machine_build *build, uint64_t gpa, const struct guest_file *file);

/* 32-bit protected mode, flat segments, paging off; EAX and EBX as given. */
void machine_enter_32(struct machine_build *build, uint32_t eax, uint64_t ebx);
/* 64-bit mode on an identity map of the first 4 GiB; RSI as given. */
void machine_enter_64(struct machine_build *build, uint64_t rsi);

/* Adds ACPI tables (boot/acpi_build.h) and, for a PC, the MP configuration table. */
void machine_acpi(struct machine_build *build);
/* MP configuration table 1.4 with its floating pointer first. Bytes used; 0: does not fit. */
size_t mptable_build(const struct boot_vm *vm, uint64_t base, void *buffer, size_t size);

#endif
