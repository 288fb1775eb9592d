/* SPDX-License-Identifier: MIT */
/*
 * void switch_stacks(uint32_t *save_esp, uint32_t load_esp), in the guest
 *
 * Leaves one task and enters another. The C caller already expects EAX, ECX and EDX to be lost,
 * so the other four registers and the stack pointer are all that a suspended task is. The "ret"
 * returns to wherever the *other* task called this from. Called with interrupts off.
 */
    .text
    .globl switch_stacks
switch_stacks:
    mov 4(%esp), %eax
    mov 8(%esp), %edx
    push %ebp
    push %ebx
    push %esi
    push %edi
    mov %esp, (%eax)
    mov %edx, %esp
    pop %edi
    pop %esi
    pop %ebx
    pop %ebp
    ret

    .section .note.GNU-stack, "", @progbits
