/* SPDX-License-Identifier: MIT */
/*
 * What a CPU runs after INIT and a start-up IPI, from a copy in a page below 1 MiB: real mode,
 * protected mode, long mode, then C (start of root mode). It is entered with CS = page / 16 and
 * IP = 0 (SDM 3A, Multiple-Processor Initialization, 9.4.4). EBX holds the page's address.
 */
#include "kernel/x86_regs.h"

#define SEL_CODE32 0x08
#define SEL_FLAT_DATA 0x10
#define SEL_CODE64 0x18
#define AT(symbol) ((symbol) - trampoline_start)

        .section .rodata
        .globl  trampoline_start, trampoline_params, trampoline_end
        .globl  trampoline_code32, trampoline_code64, trampoline_gdt
        .balign 16
        .code16
trampoline_start:
        cli
        cld
        movw    %cs, %ax
        movw    %ax, %ds
        movzwl  %ax, %ebx
        shll    $4, %ebx
        lgdtl   AT(params_gdt_limit)
        movl    $(CR0_PE | CR0_ET), %eax
        movl    %eax, %cr0
        ljmpl   *AT(params_far32)

        .code32
trampoline_code32:
        movw    $SEL_FLAT_DATA, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $CR4_PAE, %eax
        movl    %eax, %cr4
        movl    AT(params_cr3)(%ebx), %eax
        movl    %eax, %cr3
        movl    $MSR_IA32_EFER, %ecx
        rdmsr
        orl     $(EFER_LME | EFER_NXE), %eax
        wrmsr
        movl    $(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE), %eax
        movl    %eax, %cr0
        ljmpl   *AT(params_far64)(%ebx)

        .code64
trampoline_code64:
        movl    %ebx, %ebx
        movq    AT(params_stack)(%rbx), %rsp
        movq    AT(params_arg)(%rbx), %rdi
        movq    AT(params_fn)(%rbx), %rax
        xorl    %ebp, %ebp
        pushq   $0              /* ends stack traces; aligns the call */
        pushq   $0
        call    *%rax
        ud2

/* Code and data descriptors have the accessed bit set: the page is not writable here. */
        .balign 8
trampoline_gdt:
        .quad   0
        .quad   0x00cf9b000000ffff
        .quad   0x00cf93000000ffff
        .quad   0x00af9b000000ffff

/* struct trampoline_params of kernel/trampoline.c, which fills in the addresses */
        .balign 8
trampoline_params:
        .word   0
params_gdt_limit:
        .word   4 * 8 - 1
        .long   0
params_far32:
        .long   0
        .word   SEL_CODE32, 0
params_far64:
        .long   0
        .word   SEL_CODE64, 0
params_cr3:
        .quad   0
params_stack:
        .quad   0
params_fn:
        .quad   0
params_arg:
        .quad   0
trampoline_end:
        .section .note.GNU-stack, "", @progbits
