/* SPDX-License-Identifier: MIT */
/* Boot options: words of the loader's option line, such as `panic=reset`. */
#ifndef KERNEL_OPTION_H
#define KERNEL_OPTION_H

#include "boot/bootinfo.h"
#include "kernel/types.h"

void option_init(const struct bootinfo *boot);
/* Was exactly this word given? False before option_init(). */
bool option_has(const char *word);

#endif
