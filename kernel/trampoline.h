/* SPDX-License-Identifier: MIT */
/* The page below 1 MiB where a started CPU wakes up in real mode (kernel/trampoline.S). */
#ifndef KERNEL_TRAMPOLINE_H
#define KERNEL_TRAMPOLINE_H

#include "kernel/types.h"

/* Copies the code to `page`, which lies at physical address hpa. root: page tables, below 4 GiB. */
void trampoline_copy(void *page, hpa_t hpa, hpa_t root);
/* What the next CPU to be started shall do: call fn(arg) on this stack. */
void trampoline_aim(void *page, uint64_t stack, void (*fn)(void *arg), void *arg);

#endif
