/* SPDX-License-Identifier: MIT */
/*
 * Copies the loader's information. It may lie anywhere in memory that the map calls available, so
 * it has to be saved before the first page frame is given away.
 */
#include "guests/tutor/multiboot.h"

#include <stddef.h>

#include "guests/tutor/string.h"

#define KIB 1024u
#define MIB (1024u * KIB)

static struct boot_info boot;

static void copy_text(char *to, size_t size, uint32_t from)
{
    const char *text = (const char *)from;
    size_t length = text ? strlen(text) : 0;

    if (length >= size)
        length = size - 1;
    memcpy(to, text, length);
    to[length] = '\0';
}

static void add_range(uint64_t start, uint64_t length, uint32_t type)
{
    if (boot.range_count < BOOT_RANGES_MAX)
        boot.ranges[boot.range_count++] = (struct boot_range){start, length, type};
}

static void save_ranges(const struct multiboot_info *info)
{
    uint32_t at = info->mmap_addr;

    if (!(info->flags & MULTIBOOT_INFO_MEM_MAP)) {
        add_range(0, (uint64_t)info->mem_lower * KIB, MULTIBOOT_MEMORY_AVAILABLE);
        add_range(MIB, (uint64_t)info->mem_upper * KIB, MULTIBOOT_MEMORY_AVAILABLE);
        return;
    }
    while (at - info->mmap_addr < info->mmap_length) {
        const struct multiboot_mmap_entry *entry = (const void *)at;

        add_range(entry->addr, entry->len, entry->type);
        at += entry->size + (uint32_t)sizeof(entry->size);
    }
}

/* A module's command line begins with its path; the name is what follows the last slash. */
static void save_module(const struct multiboot_mod *mod)
{
    struct boot_module *module = &boot.modules[boot.module_count++];
    char text[BOOT_TEXT_MAX];
    char *name = text;

    copy_text(text, sizeof(text), mod->cmdline);
    for (char *p = text; *p && *p != ' '; p++)
        if (*p == '/')
            name = p + 1;
    for (char *p = name; *p; p++)
        if (*p == ' ')
            *p = '\0';
    module->start = mod->mod_start;
    module->end = mod->mod_end;
    copy_text(module->name, sizeof(module->name), (uint32_t)name);
}

void multiboot_save(const struct multiboot_info *info)
{
    const struct multiboot_mod *mods = (const void *)info->mods_addr;

    if (info->flags & MULTIBOOT_INFO_CMDLINE)
        copy_text(boot.cmdline, sizeof(boot.cmdline), info->cmdline);
    save_ranges(info);
    if (info->flags & MULTIBOOT_INFO_MODS)
        for (uint32_t i = 0; i < info->mods_count && i < BOOT_MODULES_MAX; i++)
            save_module(&mods[i]);
}

const struct boot_info *boot_info(void)
{
    return &boot;
}

uint32_t boot_memory_kib(void)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < boot.range_count; i++)
        if (boot.ranges[i].type == MULTIBOOT_MEMORY_AVAILABLE)
            bytes += boot.ranges[i].length;
    return (uint32_t)(bytes / KIB);
}
