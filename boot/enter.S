/* SPDX-License-Identifier: MIT */
/* The last steps in the loader, and the instructions that C lacks. Runs in the UEFI loader. */

    .text

/*
 * enter_kernel(rdi = CR3, rsi = top of the stack, rdx = bootinfo, rcx = entry). This code lies in
 * identity-mapped memory under the old tables and the new ones.
 */
    .globl enter_kernel
enter_kernel:
    cli
    cld
    movq %rdi, %cr3
    movq %rsi, %rsp
    movq %rdx, %rdi
    xorl %ebp, %ebp
    /* As if called: the System V ABI wants rsp + 8 to be a multiple of 16 at a function's start. */
    pushq $0
    jmpq *%rcx

/* rax = cpu_msr(edi = number), of one that all processors have */
    .globl cpu_msr
cpu_msr:
    movl %edi, %ecx
    rdmsr
    shlq $32, %rdx
    orq %rdx, %rax
    ret

/* cpu_id(edi = leaf, esi = subleaf, rdx = struct cpuid_result *) */
    .globl cpu_id
cpu_id:
    pushq %rbx
    movq %rdx, %r8
    movl %edi, %eax
    movl %esi, %ecx
    cpuid
    movl %eax, 0(%r8)
    movl %ebx, 4(%r8)
    movl %ecx, 8(%r8)
    movl %edx, 12(%r8)
    popq %rbx
    ret

    .globl cpu_tsc
cpu_tsc:
    rdtsc
    shlq $32, %rdx
    orq %rdx, %rax
    ret

    .globl cpu_cr4
cpu_cr4:
    movq %cr4, %rax
    ret

/* cpu_in32(edi = port), cpu_out32 and cpu_out8(edi = port, esi = value) */
    .globl cpu_in32
cpu_in32:
    movl %edi, %edx
    inl %dx, %eax
    ret

    .globl cpu_out32
cpu_out32:
    movl %edi, %edx
    movl %esi, %eax
    outl %eax, %dx
    ret

    .globl cpu_out8
cpu_out8:
    movl %edi, %edx
    movl %esi, %eax
    outb %al, %dx
    ret

    .section .note.GNU-stack, "", @progbits
