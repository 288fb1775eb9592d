/* SPDX-License-Identifier: MIT */
/* Exit, reset and halt. */
#include "guests/tutor/power.h"

#include "guests/tutor/console.h"
#include "guests/tutor/io.h"

/* Not on a real PC. Mullion ends the VM with the value, QEMU's isa-debug-exit with 2 * value + 1 */
#define DEBUG_EXIT 0xF4

/* Intel chip sets, "Reset Control Register". */
#define RESET_CONTROL 0xCF9
#define RESET_FULL 0x02
#define RESET_NOW 0x04

#define I8042_COMMAND 0x64
#define I8042_PULSE_RESET 0xFE

void power_exit(uint8_t status)
{
    outb(DEBUG_EXIT, status);
}

void power_reboot(void)
{
    outb(RESET_CONTROL, RESET_FULL);
    outb(RESET_CONTROL, RESET_FULL | RESET_NOW);
    outb(I8042_COMMAND, I8042_PULSE_RESET);
}

_Noreturn void power_halt(void)
{
    cpu_stop();
}

_Noreturn void power_panic(const char *reason)
{
    (void)cpu_irq_save();
    kprintf("tutor: panic: %s\n", reason);
    power_exit(POWER_PANIC_STATUS);
    cpu_stop();
}
