/* SPDX-License-Identifier: MIT */
/* The 8254 timer: channel 0 interrupts PIT_HZ times per second. Source: Intel 8254 data sheet. */
#include "guests/tutor/devices.h"
#include "guests/tutor/io.h"
#include "guests/tutor/task.h"
#include "guests/tutor/trap.h"

#define PIT_CHANNEL0 0x40
#define PIT_COMMAND 0x43
#define PIT_INPUT_HZ 1193182
#define PIT_LINE 0

/* Control word: channel 0, low byte then high byte, mode 2 (rate generator), binary. */
#define PIT_CHANNEL0_RATE 0x34

static volatile uint32_t ticks;

static void pit_interrupt(void)
{
    ticks++;
    task_wake_sleepers(ticks);
}

void pit_init(void)
{
    const uint16_t divisor = (PIT_INPUT_HZ + PIT_HZ / 2) / PIT_HZ;

    outb(PIT_COMMAND, PIT_CHANNEL0_RATE);
    outb(PIT_CHANNEL0, divisor & 0xFF);
    outb(PIT_CHANNEL0, divisor >> 8);
    trap_set_irq(PIT_LINE, pit_interrupt);
}

uint32_t pit_ticks(void)
{
    return ticks;
}
