/* SPDX-License-Identifier: MIT */
/* Ctrl-A on the physical console: what is typed after it (root mode, CPU 0). */
#ifndef KERNEL_CONSOLE_PREFIX_H
#define KERNEL_CONSOLE_PREFIX_H

#include "boot/bootinfo.h"
#include "kernel/types.h"

struct console_prefix {
    enum { PREFIX_NONE = 0, PREFIX_KEY, PREFIX_NAME } state;
    char name[BOOT_NAME_MAX];
    unsigned length;
};

/* Takes a typed byte. True: it is for what is on screen. */
bool console_prefix_take(struct console_prefix *prefix, uint8_t byte);

#endif
