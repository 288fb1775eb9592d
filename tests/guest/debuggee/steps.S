/* SPDX-License-Identifier: MIT */
/* Instructions that a debugger steps over: one each that pushes flags, exits, casts a shadow. */
        .text
        .globl  stepped
        .type   stepped, @function
stepped:
        pushq   %rbx
        pushfq
        popq    %r8
        movl    $0x40000000, %eax
        xorl    %ecx, %ecx
        cpuid
        movl    %ss, %eax
        movl    %eax, %ss
        nop
        movq    %r8, %rax
        popq    %rbx
        ret
        .size   stepped, . - stepped
        .section .note.GNU-stack, "", @progbits
