/* SPDX-License-Identifier: MIT */
/*
 * Entry stubs of all 256 vectors (root mode), TRAP_STUB_SIZE bytes each, and the common path that
 * saves registers as struct trap_frame. GS needs no swap: it is ours whenever root code runs.
 */
#define TRAP_STUB_SIZE 16

        .text
        .globl  trap_stubs
        .balign TRAP_STUB_SIZE
trap_stubs:
        .set    vector, 0
        .rept   256
        .balign TRAP_STUB_SIZE
        /* #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP, #SX push an error code themselves */
        .if     !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || \
                  vector == 21 || vector == 30)
        pushq   $0
        .endif
        pushq   $vector
        jmp     trap_common
        .set    vector, vector + 1
        .endr

        .type   trap_common, @function
trap_common:
        pushq   %rax
        pushq   %rbx
        pushq   %rcx
        pushq   %rdx
        pushq   %rsi
        pushq   %rdi
        pushq   %rbp
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        cld
        movq    %rsp, %rdi
        call    trap_dispatch
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rbp
        popq    %rdi
        popq    %rsi
        popq    %rdx
        popq    %rcx
        popq    %rbx
        popq    %rax
        addq    $16, %rsp       /* vector and error code */
        iretq
        .size   trap_common, . - trap_common
        .section .note.GNU-stack, "", @progbits
