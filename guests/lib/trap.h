/* SPDX-License-Identifier: MIT */
/* Between the files of the flat guests' library (guest). */
#ifndef GUESTS_LIB_TRAP_H
#define GUESTS_LIB_TRAP_H

/* Fills the IDT and the task state and loads both on the first CPU. */
void guest_trap_init(void);

#endif
