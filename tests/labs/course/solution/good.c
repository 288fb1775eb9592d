/* SPDX-License-Identifier: MIT */
/* For the grader's own test: the hypervisor's file is a solution (root mode). */
#include "kernel/course.c"
