/* SPDX-License-Identifier: MIT */
/* The ways to end. */
#ifndef TUTOR_POWER_H
#define TUTOR_POWER_H

#include <stdint.h>

#define POWER_PANIC_STATUS 127

/* Ends the virtual machine with this status; returns only where there is no debug-exit port. */
void power_exit(uint8_t status);

void power_reboot(void); /* returns when nothing answers */
_Noreturn void power_halt(void);

/* The kernel found itself broken: says so, then ends with POWER_PANIC_STATUS or stops. */
_Noreturn void power_panic(const char *reason);

#endif
