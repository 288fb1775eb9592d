/* SPDX-License-Identifier: MIT */
/* Entry points of exceptions and interrupts, and the jumps of trap.c (guest). */

        .code64
/* Exceptions and interrupts: vector and error code on the stack, then guest_trap(frame). */
        .macro  stub vector
        .balign 16
        .if     \vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17 || \vector == 21
        .else
        pushq   $0
        .endif
        pushq   $\vector
        jmp     trap_common
        .endm

        .text
        .balign 16
        .globl  guest_stubs
guest_stubs:
        .set    number, 0
        .rept   256
        stub    number
        .set    number, number + 1
        .endr

trap_common:
        pushq   %rax
        pushq   %rcx
        pushq   %rdx
        pushq   %rbx
        pushq   %rbp
        pushq   %rsi
        pushq   %rdi
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, %rdi
        cld
        call    guest_trap
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rdi
        popq    %rsi
        popq    %rbp
        popq    %rbx
        popq    %rdx
        popq    %rcx
        popq    %rax
        addq    $16, %rsp
        iretq

/* int guest_save(struct guest_context *): 0; again 1 when guest_restore jumps back. */
        .globl  guest_save, guest_restore
guest_save:
        movq    %rbx, 0(%rdi)
        movq    %rbp, 8(%rdi)
        movq    %r12, 16(%rdi)
        movq    %r13, 24(%rdi)
        movq    %r14, 32(%rdi)
        movq    %r15, 40(%rdi)
        leaq    8(%rsp), %rax
        movq    %rax, 48(%rdi)
        movq    (%rsp), %rax
        movq    %rax, 56(%rdi)
        xorl    %eax, %eax
        ret
guest_restore:
        movq    0(%rdi), %rbx
        movq    8(%rdi), %rbp
        movq    16(%rdi), %r12
        movq    24(%rdi), %r13
        movq    32(%rdi), %r14
        movq    40(%rdi), %r15
        movq    48(%rdi), %rsp
        movl    $1, %eax
        jmp     *56(%rdi)

/* void guest_enter_user(fn, arg, stack top): a return from fn ends in USER_END of trap.c. */
        .globl  guest_enter_user
guest_enter_user:
        subq    $8, %rdx
        leaq    user_return(%rip), %rax
        movq    %rax, (%rdx)
        pushq   $43                     /* data, CPL 3 */
        pushq   %rdx
        pushq   $2                      /* RFLAGS: IOPL 0, interrupts off */
        pushq   $35                     /* 64-bit code, CPL 3 */
        pushq   %rdi
        movq    %rsi, %rdi
        iretq
user_return:
        int     $0x7f

        .section .note.GNU-stack, "", @progbits
