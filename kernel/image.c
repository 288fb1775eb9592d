/* SPDX-License-Identifier: MIT */
/* The parts of the kernel's image, from linker.ld (root mode). */
#include "kernel/hostmap.h"

extern const char __text_start[], __rodata_start[], __data_start[], __kernel_end[];

const struct hostmap_part hostmap_image[] = {
    { __text_start, __rodata_start, PT_R | PT_X },
    { __rodata_start, __data_start, PT_R }, /* linker sets included */
    { __data_start, __kernel_end, PT_R | PT_W },
    { 0, 0, 0 },
};
