/* SPDX-License-Identifier: MIT */
/*
 * The kernel's table of contents: kernel_main starts one part after the other. Each line needs
 * those above it. Runs in 32-bit protected mode as a Multiboot guest or on a PC.
 */
#include "guests/tutor/console.h"
#include "guests/tutor/devices.h"
#include "guests/tutor/io.h"
#include "guests/tutor/memory.h"
#include "guests/tutor/multiboot.h"
#include "guests/tutor/power.h"
#include "guests/tutor/race.h"
#include "guests/tutor/shell.h"
#include "guests/tutor/task.h"
#include "guests/tutor/trap.h"

_Noreturn void kernel_main(uint32_t magic, const struct multiboot_info *info);

_Noreturn void kernel_main(uint32_t magic, const struct multiboot_info *info)
{
    console_init();
    if (magic != MULTIBOOT_BOOTLOADER_MAGIC)
        power_panic("not started by a Multiboot loader");
    multiboot_save(info);
    kprintf("tutor: hello from a Multiboot kernel, %u KiB of memory\n", boot_memory_kib());

    gdt_init();                   /* segments */
    idt_init();                   /* exceptions */
    pic_init();                   /* interrupt lines */
    memory_init();                /* page frames */
    paging_init(memory_frames()); /* page tables */
    task_init();                  /* we are the idle task */
    pit_init();                   /* ticks */
    uart_enable_input();          /* serial input */
    keyboard_init();              /* key strokes */
    race_init();                  /* demo tasks */
    if (task_create("shell", shell_run, NULL) < 0)
        power_panic("no memory for the shell");

    for (;;)
        cpu_wait_for_interrupt();
}
