/* SPDX-License-Identifier: MIT */
/* What a panic does besides printing registers; panic() itself is in kernel/log.h. */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include "kernel/set.h"

#define PANIC_MESSAGE_MAX 256
/* What happened and where. */
extern char panic_message[PANIC_MESSAGE_MAX];

/* Prints more about the state of things (last exits). All other CPUs stand still; locks may be
 * held by anyone and must not be taken. */
struct panic_hook {
    const char *name;
    void (*print)(void);
};
SET_DECLARE(panic_hook, struct panic_hook);

#endif
