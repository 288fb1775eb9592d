/* SPDX-License-Identifier: MIT */
/*
 * svm_enter(RDI = vCPU, RSI = physical address of its VMCB, RDX = that of the host's): into the
 * guest and back (root mode). struct vcpu starts with the guest's registers in the order of the
 * instruction encoding; RAX and RSP are in the VMCB.
 *
 * V_INTR_MASKING makes RFLAGS.IF of VMRUN decide whether physical interrupts end the guest, so it
 * is set, where GIF = 0 still holds them back (APM 2, "Interrupt Masking in EFLAGS.IF", "Global
 * Interrupt Flag, STGI and CLGI Instructions").
 * From the exit until VMLOAD, FS, GS and TR are the guest's: GIF = 0 keeps NMIs out as well.
 * What was held back by GIF then comes by the IDT at STGI; interrupts wait for IF.
 */
#include "svm/offsets.h"

        .text
        .globl  svm_enter
        .type   svm_enter, @function
svm_enter:
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        pushq   %rdx
        pushq   %rdi
        movq    %rsi, %rax
        clgi
        sti
        movq    VCPU_GPR(1)(%rdi), %rcx
        movq    VCPU_GPR(2)(%rdi), %rdx
        movq    VCPU_GPR(3)(%rdi), %rbx
        movq    VCPU_GPR(5)(%rdi), %rbp
        movq    VCPU_GPR(6)(%rdi), %rsi
        movq    VCPU_GPR(8)(%rdi), %r8
        movq    VCPU_GPR(9)(%rdi), %r9
        movq    VCPU_GPR(10)(%rdi), %r10
        movq    VCPU_GPR(11)(%rdi), %r11
        movq    VCPU_GPR(12)(%rdi), %r12
        movq    VCPU_GPR(13)(%rdi), %r13
        movq    VCPU_GPR(14)(%rdi), %r14
        movq    VCPU_GPR(15)(%rdi), %r15
        movq    VCPU_GPR(7)(%rdi), %rdi
        vmload  %rax
        vmrun   %rax
        vmsave  %rax
        xchgq   %rdi, (%rsp)
        movq    %rcx, VCPU_GPR(1)(%rdi)
        movq    %rdx, VCPU_GPR(2)(%rdi)
        movq    %rbx, VCPU_GPR(3)(%rdi)
        movq    %rbp, VCPU_GPR(5)(%rdi)
        movq    %rsi, VCPU_GPR(6)(%rdi)
        movq    %r8, VCPU_GPR(8)(%rdi)
        movq    %r9, VCPU_GPR(9)(%rdi)
        movq    %r10, VCPU_GPR(10)(%rdi)
        movq    %r11, VCPU_GPR(11)(%rdi)
        movq    %r12, VCPU_GPR(12)(%rdi)
        movq    %r13, VCPU_GPR(13)(%rdi)
        movq    %r14, VCPU_GPR(14)(%rdi)
        movq    %r15, VCPU_GPR(15)(%rdi)
        popq    VCPU_GPR(7)(%rdi)
        popq    %rax
        vmload  %rax
        cli
        stgi
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        ret
        .size   svm_enter, . - svm_enter
        .section .note.GNU-stack, "", @progbits
