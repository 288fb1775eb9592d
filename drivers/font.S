/* SPDX-License-Identifier: MIT */
/* The 8x16 console font: 256 glyphs of 16 bytes, top row first, bit 7 left (kernel/kernel.mk). */
        .section .rodata
        .globl  font8x16
        .balign 16
font8x16:
        .incbin FONT_FILE
        .section .note.GNU-stack, "", @progbits
