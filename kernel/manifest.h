/* SPDX-License-Identifier: MIT */
/* The VMs that the loader read from the manifest. */
#ifndef KERNEL_MANIFEST_H
#define KERNEL_MANIFEST_H

#include "boot/bootinfo.h"

/* Also reserves the CPUs that definitions list. On CPU 0, before anything is created. */
void manifest_init(const struct bootinfo *boot);
/* Creates all VMs, then starts those that are to start by themselves. On CPU 0. */
void manifest_start(void);

/* Definition number i, or NULL; by name. */
const struct boot_vm *manifest_get(uint32_t i);
const struct boot_vm *manifest_find(const char *name);

#endif
