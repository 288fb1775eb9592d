/* SPDX-License-Identifier: MIT */
/* Commands about memory and faults. */
#include <stddef.h>

#include "guests/tutor/console.h"
#include "guests/tutor/errno.h"
#include "guests/tutor/memory.h"
#include "guests/tutor/multiboot.h"
#include "guests/tutor/shell.h"
#include "guests/tutor/string.h"
#include "guests/tutor/trap.h"
#include "guests/tutor/words.h"

#define KIB_PER_FRAME (FRAME_SIZE / 1024)
#define ABSENT_ADDRESS 0xDEADB000u /* high above any memory of a small machine */

COMMAND(mem, "", "memory map and page frames")
{
    const struct frame_pool *pool = memory_frames();
    const struct boot_info *boot = boot_info();

    for (unsigned i = 0; i < boot->range_count; i++) {
        const struct boot_range *range = &boot->ranges[i];
        uint64_t last = range->start + range->length - 1;

        kprintf("%08x%08x-%08x%08x %s\n", (uint32_t)(range->start >> 32), (uint32_t)range->start,
                (uint32_t)(last >> 32), (uint32_t)last,
                range->type == MULTIBOOT_MEMORY_AVAILABLE ? "available" : "reserved");
    }
    kprintf("kernel at %p-%p\n", (const void *)image_start, (const void *)image_end);
    kprintf("%u of %u frames free (%u KiB)\n", pool->free, pool->total, pool->free * KIB_PER_FRAME);
    return 0;
}

COMMAND(modules, "", "the files that the loader brought along")
{
    const struct boot_info *boot = boot_info();

    for (unsigned i = 0; i < boot->module_count; i++)
        kprintf("%08x %8u bytes  %s\n", boot->modules[i].start,
                boot->modules[i].end - boot->modules[i].start, boot->modules[i].name);
    if (!boot->module_count)
        kprintf("no modules\n");
    return 0;
}

COMMAND(cat, "<module>", "prints a module")
{
    const struct boot_info *boot = boot_info();

    if (argc != 2)
        return -EINVAL;
    for (unsigned i = 0; i < boot->module_count; i++) {
        const struct boot_module *module = &boot->modules[i];

        if (strcmp(module->name, argv[1]) != 0)
            continue;
        for (uint32_t at = module->start; at < module->end; at++)
            console_put(*(const char *)at);
        return 0;
    }
    kprintf("%s: no such module\n", argv[1]);
    return -ENOENT;
}

COMMAND(peek, "<address>", "reads a 32-bit word")
{
    uint32_t address, value;

    if (argc != 2 || words_number(argv[1], &address) < 0)
        return -EINVAL;
    if (probe_read(address, &value) < 0) {
        kprintf("0x%08x can't be read\n", address);
        return -EFAULT;
    }
    kprintf("0x%08x: 0x%08x\n", address, value);
    return 0;
}

COMMAND(poke, "<address> <value>", "writes a 32-bit word")
{
    uint32_t address, value;

    if (argc != 3 || words_number(argv[1], &address) < 0 || words_number(argv[2], &value) < 0)
        return -EINVAL;
    if (probe_write(address, value) < 0) {
        kprintf("0x%08x can't be written\n", address);
        return -EFAULT;
    }
    return 0;
}

COMMAND(fault, "", "writes where there is no memory, and survives it")
{
    if (probe_write(ABSENT_ADDRESS, 0) == 0) {
        kprintf("no fault: paging does not work\n");
        return -EIO;
    }
    trap_print(trap_last());
    return 0;
}

COMMAND(divide, "", "divides by zero, and survives it")
{
    uint32_t quotient;

    if (probe_divide(1, 0, &quotient) == 0) {
        kprintf("no exception: 1 / 0 = %u\n", quotient);
        return -EIO;
    }
    trap_print(trap_last());
    return 0;
}
