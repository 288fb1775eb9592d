/* SPDX-License-Identifier: MIT */
/*
 * Instructions that are allowed to fault (guest). Each one that may is entered in the linker set
 * "set_fixup" as a pair (its address, where to go on instead); trap.c looks there before it calls
 * an exception fatal. Declarations in trap.h.
 */
#define EFAULT 14

    .macro may_fault instruction
    .pushsection set_fixup, "a"
    .balign 4
    .long \instruction, probe_failed
    .popsection
    .endm

    .text
/* int probe_read(uint32_t address, uint32_t *value) */
    .globl probe_read
probe_read:
    mov 4(%esp), %eax
    mov 8(%esp), %ecx
probe_read_access:
    mov (%eax), %eax
    may_fault probe_read_access
    mov %eax, (%ecx)
    xor %eax, %eax
    ret

/* int probe_write(uint32_t address, uint32_t value) */
    .globl probe_write
probe_write:
    mov 4(%esp), %eax
    mov 8(%esp), %ecx
probe_write_access:
    mov %ecx, (%eax)
    may_fault probe_write_access
    xor %eax, %eax
    ret

/* int probe_divide(uint32_t dividend, uint32_t divisor, uint32_t *quotient) */
    .globl probe_divide
probe_divide:
    mov 4(%esp), %eax
    xor %edx, %edx
probe_divide_access:
    divl 8(%esp)
    may_fault probe_divide_access
    mov 12(%esp), %ecx
    mov %eax, (%ecx)
    xor %eax, %eax
    ret

probe_failed:
    mov $-EFAULT, %eax
    ret

    .section .note.GNU-stack, "", @progbits
