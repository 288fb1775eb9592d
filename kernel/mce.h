/* SPDX-License-Identifier: MIT */
/* Machine checks (root mode): reported; fatal unless the CPU says that nothing was lost. */
#ifndef KERNEL_MCE_H
#define KERNEL_MCE_H

#include "kernel/trap.h"

/* Switches reporting on for the calling CPU, and logs what the banks hold from before a reset. */
void mce_init_cpu(void);
/* frame may be NULL: it came while a guest ran. Takes no lock unless it panics. */
void mce_handle(const struct trap_frame *frame);
/* Logs what the calling CPU's banks hold, and clears them. */
void mce_report(void);

#endif
