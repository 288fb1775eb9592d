/* SPDX-License-Identifier: MIT */
/* Formats of AMD-V nested page tables. */
#ifndef SVM_NPT_H
#define SVM_NPT_H

#include "kernel/pt.h"

extern const struct pt_format npt_format, npt_format_2m;

#endif
