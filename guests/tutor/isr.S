/* SPDX-License-Identifier: MIT */
/*
 * Entry stubs of all interrupt vectors in use, as far as they can't be C (guest).
 *
 * The CPU pushes EFLAGS, CS, EIP and, for some exceptions only, an error code (SDM 3A,
 * "Exception and Interrupt Reference"). Each stub evens that out and adds its vector, so that C
 * sees one layout: struct trap_frame in trap.h.
 */
#define ISR_STUB_COUNT 48 /* TRAP_VECTORS: 32 exceptions, 16 interrupt lines */
#define ISR_STUB_SIZE 16  /* TRAP_STUB_SIZE */
/* Vectors 8, 10 to 14, 17, 21, 29 and 30 come with an error code. */
#define ISR_ERROR_CODE_MASK 0x60227D00

    .text
    .globl isr_stubs
    .balign ISR_STUB_SIZE
isr_stubs:
    .set vector, 0
    .rept ISR_STUB_COUNT
    .balign ISR_STUB_SIZE
    .if vector >= 32 || ((ISR_ERROR_CODE_MASK >> vector) & 1) == 0
    push $0
    .endif
    push $vector
    jmp isr_common
    .set vector, vector + 1
    .endr

/*
 * The kernel never leaves ring 0 and all its data segments are the same flat one, so neither the
 * stack nor the segment registers need switching here.
 */
isr_common:
    pusha
    cld
    push %esp
    call trap_dispatch
    add $4, %esp
    popa
    add $8, %esp /* vector and error code */
    iret

    .section .note.GNU-stack, "", @progbits
