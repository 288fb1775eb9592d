/* SPDX-License-Identifier: MIT */
/*
 * First instructions in root mode. The loader's contract is boot/bootinfo.h: 64-bit mode, RDI =
 * physical address of struct bootinfo. The loader's stack is left at once, since its memory is
 * not mapped in our own address space.
 */
#define BOOT_STACK_SIZE 16384

        .section .text.start, "ax", @progbits
        .globl  _start
        .type   _start, @function
_start:
        cli
        cld
        leaq    boot_stack_top(%rip), %rsp
        xorl    %ebp, %ebp
        pushq   $0              /* a return address that ends stack traces; aligns the call */
        pushq   $0
        call    kernel_main
        ud2
        .size   _start, . - _start

/* stack_switch(void *top, void (*fn)(void *), void *arg): goes on with fn on another stack. */
        .text
        .globl  stack_switch
        .type   stack_switch, @function
stack_switch:
        movq    %rdi, %rsp
        xorl    %ebp, %ebp
        movq    %rsi, %rax
        movq    %rdx, %rdi
        pushq   $0
        pushq   $0
        call    *%rax
        ud2
        .size   stack_switch, . - stack_switch

        .bss
        .balign 4096
boot_stack:
        .skip   BOOT_STACK_SIZE
boot_stack_top:
        .section .note.GNU-stack, "", @progbits
