/* SPDX-License-Identifier: MIT */
/* Warm reset of the physical machine (root mode). */
#ifndef KERNEL_RESET_H
#define KERNEL_RESET_H

void reset_machine(void) __attribute__((noreturn));

#endif
