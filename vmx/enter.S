/* SPDX-License-Identifier: MIT */
/*
 * Into the guest and back (root mode). RBX is the vCPU, on entry and on return; all other registers
 * are lost (vmx/vmx_asm.h tells the compiler). The return is by RET with the flags of the refusal,
 * CF or ZF, or without them: a VM exit clears RFLAGS.
 *
 * struct vcpu starts with the guest's registers in the order of the instruction encoding; RSP is
 * in the VMCS. HOST_RSP is the vCPU's address, so that an exit finds it without a free register.
 * Nothing may use the stack until it is the host's again: interrupts are off, and NMI and machine
 * check have stacks of their own (IST).
 */
#include "vmx/offsets.h"

        .text
        .macro  load_guest
        movq    %rsp, VCPU_HOST_RSP(%rbx)
        movq    VCPU_GPR(0)(%rbx), %rax
        movq    VCPU_GPR(1)(%rbx), %rcx
        movq    VCPU_GPR(2)(%rbx), %rdx
        movq    VCPU_GPR(5)(%rbx), %rbp
        movq    VCPU_GPR(6)(%rbx), %rsi
        movq    VCPU_GPR(7)(%rbx), %rdi
        movq    VCPU_GPR(8)(%rbx), %r8
        movq    VCPU_GPR(9)(%rbx), %r9
        movq    VCPU_GPR(10)(%rbx), %r10
        movq    VCPU_GPR(11)(%rbx), %r11
        movq    VCPU_GPR(12)(%rbx), %r12
        movq    VCPU_GPR(13)(%rbx), %r13
        movq    VCPU_GPR(14)(%rbx), %r14
        movq    VCPU_GPR(15)(%rbx), %r15
        movq    VCPU_GPR(3)(%rbx), %rbx
        .endm

        .globl  vmx_enter_launch
        .type   vmx_enter_launch, @function
vmx_enter_launch:
        load_guest
        vmlaunch
        movq    %gs:CPU_CURRENT, %rbx
        ret
        .size   vmx_enter_launch, . - vmx_enter_launch

        .globl  vmx_enter_resume
        .type   vmx_enter_resume, @function
vmx_enter_resume:
        load_guest
        vmresume
        movq    %gs:CPU_CURRENT, %rbx
        ret

        .globl  vmx_exit_point
vmx_exit_point:
        movq    %rax, VCPU_GPR(0)(%rsp)
        movq    %rcx, VCPU_GPR(1)(%rsp)
        movq    %rdx, VCPU_GPR(2)(%rsp)
        movq    %rbx, VCPU_GPR(3)(%rsp)
        movq    %rbp, VCPU_GPR(5)(%rsp)
        movq    %rsi, VCPU_GPR(6)(%rsp)
        movq    %rdi, VCPU_GPR(7)(%rsp)
        movq    %r8, VCPU_GPR(8)(%rsp)
        movq    %r9, VCPU_GPR(9)(%rsp)
        movq    %r10, VCPU_GPR(10)(%rsp)
        movq    %r11, VCPU_GPR(11)(%rsp)
        movq    %r12, VCPU_GPR(12)(%rsp)
        movq    %r13, VCPU_GPR(13)(%rsp)
        movq    %r14, VCPU_GPR(14)(%rsp)
        movq    %r15, VCPU_GPR(15)(%rsp)
        movq    %rsp, %rbx
        movq    VCPU_HOST_RSP(%rbx), %rsp
        ret
        .size   vmx_enter_resume, . - vmx_enter_resume
        .section .note.GNU-stack, "", @progbits
