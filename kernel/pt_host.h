/* SPDX-License-Identifier: MIT */
/* The host's own page tables: x86-64, four levels, no-execute. */
#ifndef KERNEL_PT_HOST_H
#define KERNEL_PT_HOST_H

#include "kernel/pt.h"

/* Needs EFER.NXE, CR0.WP and IA32_PAT = HOSTMAP_PAT. */
extern const struct pt_format pt_host_format;    /* leaves up to 1 GiB */
extern const struct pt_format pt_host_format_2m; /* for CPUs without 1 GiB leaves */

#endif
