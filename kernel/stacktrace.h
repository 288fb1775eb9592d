/* SPDX-License-Identifier: MIT */
/* Stack traces of root mode, and the image's symbols. */
#ifndef KERNEL_STACKTRACE_H
#define KERNEL_STACKTRACE_H

#include "kernel/types.h"

/* Prints rip (0: unknown) and the return addresses on the stack from rsp up. There are no frame
 * pointers: what looks like a return address is printed, so a stale one may be among them. */
void stacktrace_print(uint64_t rip, uint64_t rsp);

/* The function at an address of root mode, with the offset in it; NULL: none. */
const char *symbol_find(uint64_t address, uint64_t *offset);

#endif
