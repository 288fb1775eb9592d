/* SPDX-License-Identifier: MIT */
/* What the boot loader tells us, and our own copy of it. */
#ifndef TUTOR_MULTIBOOT_H
#define TUTOR_MULTIBOOT_H

#include <stdint.h>

#define MULTIBOOT_BOOTLOADER_MAGIC 0x2BADB002

/* Multiboot Specification 0.6.96, 3.3 "Boot information format", as far as it is used here. */
#define MULTIBOOT_INFO_CMDLINE 0x04
#define MULTIBOOT_INFO_MODS 0x08
#define MULTIBOOT_INFO_MEM_MAP 0x40
struct multiboot_info {
    uint32_t flags;
    uint32_t mem_lower, mem_upper; /* KiB from 0 and from 1 MiB */
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t mods_count, mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length, mmap_addr;
};

struct multiboot_mod {
    uint32_t mod_start, mod_end, cmdline, reserved;
};

#define MULTIBOOT_MEMORY_AVAILABLE 1
struct multiboot_mmap_entry {
    uint32_t size; /* of the rest: the next entry is size + 4 bytes on */
    uint64_t addr, len;
    uint32_t type;
} __attribute__((packed));

/* The copy. */
#define BOOT_TEXT_MAX 256
#define BOOT_RANGES_MAX 32
#define BOOT_MODULES_MAX 8
#define BOOT_NAME_MAX 48

struct boot_range {
    uint64_t start, length;
    uint32_t type;
};

struct boot_module {
    uint32_t start, end;
    char name[BOOT_NAME_MAX];
};

struct boot_info {
    char cmdline[BOOT_TEXT_MAX];
    unsigned range_count, module_count;
    struct boot_range ranges[BOOT_RANGES_MAX];
    struct boot_module modules[BOOT_MODULES_MAX];
};

void multiboot_save(const struct multiboot_info *info);
const struct boot_info *boot_info(void);
uint32_t boot_memory_kib(void); /* available memory, all ranges together */

#endif
