/* SPDX-License-Identifier: MIT */
/*
 * int vmx_enter(struct vcpu *vcpu, bool launched): into the guest and back (root mode).
 *
 * struct vcpu starts with the guest's registers in the order of the instruction encoding. RSP
 * walks over them: entry pops RAX to R15, and as HOST_RSP is the end of that array, the exit
 * pushes R15 to RAX into their places again. Nothing else may use the stack meanwhile: interrupts
 * are off, and NMI and machine check have stacks of their own (IST).
 */
#include "vmx/offsets.h"

        .text
        .globl  vmx_enter
        .type   vmx_enter, @function
vmx_enter:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, VCPU_HOST_RSP(%rdi)
        movq    %rdi, %rsp
        testb   %sil, %sil      /* the pops leave the flags alone */
        popq    %rax
        popq    %rcx
        popq    %rdx
        popq    %rbx
        popq    %rbp            /* the slot of RSP, which the VMCS holds */
        popq    %rbp
        popq    %rsi
        popq    %rdi
        popq    %r8
        popq    %r9
        popq    %r10
        popq    %r11
        popq    %r12
        popq    %r13
        popq    %r14
        popq    %r15
        jz      1f
        vmresume
        jmp     2f
1:      vmlaunch
2:      /* refused: RSP is the end of the register array */
        movq    (VCPU_HOST_RSP - VCPU_GPRS_SIZE)(%rsp), %rsp
        movl    $1, %eax
        jmp     3f

        .globl  vmx_exit_point
vmx_exit_point:
        pushq   %r15
        pushq   %r14
        pushq   %r13
        pushq   %r12
        pushq   %r11
        pushq   %r10
        pushq   %r9
        pushq   %r8
        pushq   %rdi
        pushq   %rsi
        pushq   %rbp
        pushq   %rbp
        pushq   %rbx
        pushq   %rdx
        pushq   %rcx
        pushq   %rax
        movq    VCPU_HOST_RSP(%rsp), %rsp
        xorl    %eax, %eax
3:      popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        ret
        .size   vmx_enter, . - vmx_enter
        .section .note.GNU-stack, "", @progbits
