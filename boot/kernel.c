/* SPDX-License-Identifier: MIT */
/* The hypervisor's image and its boot options, from the ESP. Runs in the UEFI loader. */
#include <string.h>

#include "boot/elf64.h"
#include "boot/loader.h"
#include "boot/manifest_value.h"

#define KERNEL_PATH  "\\mullion\\kernel.elf"
#define OPTIONS_PATH "\\mullion\\options.txt"

/* One line of words; the file may be missing. */
static void read_options(struct bootinfo *info)
{
    struct file file;
    size_t length;

    if (!file_read(OPTIONS_PATH, false, &file))
        return;
    length = 0;
    while (length < file.size && file.data[length] != '\r' && file.data[length] != '\n')
        length++;
    if (length >= sizeof(info->options))
        say_fatal("%s: its line has %u characters; the limit is %u", OPTIONS_PATH, (unsigned)length,
                  (unsigned)sizeof(info->options) - 1);
    memcpy(info->options, file.data, length);
    if (!value_line(info->options, sizeof(info->options)))
        say_fatal("%s: it holds other characters than printable ASCII", OPTIONS_PATH);
}

uint64_t kernel_load(struct bootinfo *info, uint64_t *link_base)
{
    struct elf64_plan plan;
    struct file file;
    const char *why;
    uint8_t *block;

    read_options(info);
    if (!file_read(KERNEL_PATH, false, &file))
        say_fatal("%s, the hypervisor itself, is missing on the ESP: make the image again",
                  KERNEL_PATH);
    why = elf64_check(file.data, file.size, &plan);
    if (why != NULL)
        say_fatal("%s: %s: make the image again", KERNEL_PATH, why);
    block = memory_keep(plan.size, ELF64_BLOCK_ALIGN, KERNEL_PATH);
    elf64_load(file.data, &plan, block);
    info->kernel_hpa = (uint64_t)(uintptr_t)block;
    info->kernel_size = plan.size;
    *link_base = plan.link_base;
    return plan.entry;
}
