/* SPDX-License-Identifier: MIT */
/* As demand-4k, with another step. */
#include "tests/guest/demand-4k/main.c"
