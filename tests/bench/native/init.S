/* SPDX-License-Identifier: MIT */
/*
 * The first program of a Linux that runs on the machine itself: tells the TSC to the emulator's
 * debug port, 16 hexadecimal digits, and waits for the machine's end (static, no library).
 */
#include <asm/unistd_64.h>

#define DEBUG_PORT 0xE9

    .text
    .globl _start
_start:
    mov $__NR_ioperm, %eax
    mov $DEBUG_PORT, %edi
    mov $1, %esi
    mov $1, %edx
    syscall
    rdtsc
    shl $32, %rdx
    or %rax, %rdx
    mov $16, %ecx
1:  rol $4, %rdx
    mov %edx, %eax
    and $15, %eax
    movzbl digits(%rax), %eax
    out %al, $DEBUG_PORT
    loop 1b
    mov $'\n', %al
    out %al, $DEBUG_PORT
2:  mov $__NR_pause, %eax
    syscall
    jmp 2b

    .section .rodata
digits:
    .ascii "0123456789abcdef"
    .section .note.GNU-stack, "", @progbits
