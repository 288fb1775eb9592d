/* SPDX-License-Identifier: MIT */
/* Decides which memory is free: what the loader's map calls available, less what is in use. */
#include "guests/tutor/memory.h"

#include "guests/tutor/multiboot.h"

#define LOW_MEMORY 0x100000 /* below 1 MiB live BIOS data, video memory and ROM */

static struct frame_pool frames;

void memory_init(void)
{
    const struct boot_info *boot = boot_info();

    frame_pool_init(&frames);
    for (unsigned i = 0; i < boot->range_count; i++)
        if (boot->ranges[i].type == MULTIBOOT_MEMORY_AVAILABLE)
            frame_add(&frames, boot->ranges[i].start, boot->ranges[i].length);

    frame_reserve(&frames, 0, LOW_MEMORY);
    frame_reserve(&frames, (uint32_t)image_start, (uint32_t)(image_end - image_start));
    for (unsigned i = 0; i < boot->module_count; i++)
        frame_reserve(&frames, boot->modules[i].start,
                      boot->modules[i].end - boot->modules[i].start);
}

struct frame_pool *memory_frames(void)
{
    return &frames;
}
