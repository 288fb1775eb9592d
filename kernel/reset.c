/* SPDX-License-Identifier: MIT */
/* Warm reset (root mode), by each of the ways that PCs have until one works. */
#include "kernel/reset.h"

#include "kernel/x86.h"

#define RESET_CONTROL   0xcf9 /* Intel chipsets: bit 1 = full, bit 2 = now */
#define RESET_PREPARE   0x02
#define RESET_NOW       0x06
#define KBC_COMMAND     0x64
#define KBC_PULSE_RESET 0xfe

void reset_machine(void)
{
    static const struct x86_table_reg no_idt = {.limit = 0, .base = 0};

    x86_out8(RESET_CONTROL, RESET_PREPARE);
    x86_out8(RESET_CONTROL, RESET_NOW);
    x86_out8(KBC_COMMAND, KBC_PULSE_RESET);
    x86_lidt(&no_idt); /* last: a triple fault */
    for (;;)
        *(volatile char *)0 = 0;
}
