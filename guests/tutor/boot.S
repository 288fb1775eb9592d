/* SPDX-License-Identifier: MIT */
/*
 * The first instructions of the kernel, and the header by which a boot loader recognises it
 * (runs in the guest, like all of this folder).
 * Source: Multiboot Specification 0.6.96, sections 3.1 (header) and 3.2 (machine state).
 */
#define MULTIBOOT_HEADER_MAGIC 0x1BADB002
#define MULTIBOOT_PAGE_ALIGN 0x1
#define MULTIBOOT_MEMORY_INFO 0x2
#define MULTIBOOT_HEADER_FLAGS (MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO)

#define BOOT_STACK_SIZE 16384

    .section multiboot_header, "a"
    .balign 4
    .long MULTIBOOT_HEADER_MAGIC
    .long MULTIBOOT_HEADER_FLAGS
    .long -(MULTIBOOT_HEADER_MAGIC + MULTIBOOT_HEADER_FLAGS)

    /*
     * The loader enters here in 32-bit protected mode, paging and interrupts off, with a magic
     * number in EAX and the address of the Multiboot information in EBX. There is no stack yet.
     */
    .text
    .globl _start
_start:
    mov $boot_stack_top, %esp
    xor %ebp, %ebp
    cld
    sub $8, %esp
    push %ebx
    push %eax
    call kernel_main
1:  cli
    hlt
    jmp 1b

    .bss
    .balign 16
    .skip BOOT_STACK_SIZE
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
