/* SPDX-License-Identifier: MIT
 *
 * The first program of the Linux guest (/init in its initrd, static, no library). It writes one
 * byte to MARK_PORT, which tells the benchmark that the kernel has reached init, and becomes the
 * shell that runs /init.sh. Where the port is refused it goes on without the mark.
 */
#include <asm/unistd_64.h>

#define MARK_PORT 0xF5
#define MARK_BYTE 0x49 /* 'I' */

    .section .rodata
path:
    .asciz "/bin/busybox"
arg0:
    .asciz "sh"
arg1:
    .asciz "/init.sh"

    .section .data
    .balign 8
argv:
    .quad arg0, arg1, 0

    .text
    .globl _start
_start:
    mov $__NR_ioperm, %eax
    mov $MARK_PORT, %edi
    mov $1, %esi
    mov $1, %edx
    syscall
    test %rax, %rax
    jnz 1f
    mov $MARK_BYTE, %al
    out %al, $MARK_PORT
    /* The permission would outlive execve. */
    mov $__NR_ioperm, %eax
    xor %edx, %edx
    syscall
1:
    /* The environment follows argc, argv and a null pointer on the stack (System V ABI, AMD64
     * supplement, "Process Initialization"). */
    mov (%rsp), %rcx
    lea 16(%rsp, %rcx, 8), %rdx
    mov $path, %edi
    mov $argv, %esi
    mov $__NR_execve, %eax
    syscall
    mov $__NR_exit, %eax
    mov $127, %edi
    syscall

    .section .note.GNU-stack, "", @progbits
