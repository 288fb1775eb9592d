/* SPDX-License-Identifier: MIT */
/* Instructions that cause exits, to be single-stepped, with the addresses around them (guest). */
#include "guests/abi.h"

#define RFLAGS_TF 0x100
#define SEL_DATA 16
#define MSR_APIC_TPR 0x808
#define IOAPIC 0xfec00000

        .macro  step text:vararg
77777:  \text
77778:  nop
        .pushsection .rodata.steps, "a"
        .quad   77777b, 77778b
        .popsection
        .endm

        .section .rodata.steps, "a"
        .balign 8
        .globl  exceptions_steps
exceptions_steps:

        .text
        .code64
        .globl  exceptions_run_steps
exceptions_run_steps:
        pushq   %rbx
        leaq    scratch(%rip), %rsi
        leaq    scratch(%rip), %rdi
        movl    $IOAPIC, %r8d
        pushfq
        orl     $RFLAGS_TF, (%rsp)
        popfq
        step    nop
        xorl    %eax, %eax
        step    cpuid
        movl    $0x5a, %eax
        step    outb %al, $0xe0
        step    inb $0xe0, %al
        movl    $0xe0, %edx
        step    outsb
        step    insb
        movl    $MSR_APIC_TPR, %ecx
        step    rdmsr
        step    wrmsr
        movl    $MULLION_HC_NOP, %eax
        .globl  exceptions_hypercall
exceptions_hypercall:
        step    vmcall
        step    movl (%r8), %eax
        step    movl %eax, (%r8)
        step    movq %cr8, %rax
        step    movq %rax, %cr8
        step    wbinvd
        movq    %cr4, %rax
        step    movq %rax, %cr4
        movq    %cr3, %rax
        step    movq %rax, %cr3
        step    rdtsc
        step    clts
        sti                     # a #DB comes in its shadow, but in QEMU
        cli
        step    hlt             # interrupts are off: only the #DB ends it
        pushfq
        andl    $~RFLAGS_TF, (%rsp)
        popfq
        popq    %rbx
        ret
        .pushsection .rodata.steps, "a"
steps_end:
        .globl  exceptions_step_count
exceptions_step_count:
        .quad   (steps_end - exceptions_steps) / 16
        .popsection

        .globl  exceptions_mov_ss, after_mov_ss
exceptions_mov_ss:
        pushq   %rbx
        movl    $SEL_DATA, %ecx
        xorl    %eax, %eax
        pushfq
        orl     $RFLAGS_TF, (%rsp)
        popfq
        movl    %ecx, %ss
        cpuid
after_mov_ss:
        pushfq
        andl    $~RFLAGS_TF, (%rsp)
        popfq
        popq    %rbx
        ret

        .globl  exceptions_sti, after_sti
exceptions_sti:
        pushq   %rbx
        xorl    %eax, %eax
        sti
        cpuid
after_sti:
        nop
        cli
        popq    %rbx
        ret

        .globl  exceptions_breakpoint, breakpoint_here, breakpoint_next
exceptions_breakpoint:
        pushq   %rbx
        xorl    %eax, %eax
breakpoint_here:
        cpuid
breakpoint_next:
        nop
        popq    %rbx
        ret

        .globl  exceptions_icebp, after_icebp
exceptions_icebp:
        .byte   0xf1
after_icebp:
        ret

        .bss
scratch: .skip 16
        .section .note.GNU-stack, "", @progbits
