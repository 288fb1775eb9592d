/* SPDX-License-Identifier: MIT */
/* Two tasks that compete for the CPU; the command "race" starts them. */
#ifndef TUTOR_RACE_H
#define TUTOR_RACE_H

void race_init(void);

#endif
