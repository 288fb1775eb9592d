/* SPDX-License-Identifier: MIT */
/*
 * A journey from 64-bit mode through all older ones and back, with exits in each: CPUID, device
 * memory, strings of port I/O, and in real mode interrupts and exceptions too (guest).
 */
#define CR0_PE 1
#define CR0_PG 0x80000000
#define CR4_PSE 0x10
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define MSR_UNKNOWN 0x3a
#define SEL_CODE64 8
#define SEL_DATA 16
#define SEL_CODE32 24
#define SEL_CODE16 32           /* base BLOB */
#define SEL_DATA16 40           /* base BLOB */
#define SEL_IOAPIC16 48         /* base IOAPIC */
#define BLOB 0x9000             /* where 16-bit code is copied */
#define BLOB_SEGMENT 0x900
#define REAL_STACK 0xe000
#define IOAPIC 0xfec00000
#define IOWIN 0x10
#define PORT 0xe0               /* drivers/vnull.c */
#define ALIAS 0x400000

        .text
        .code64
        .globl  modes_trip
modes_trip:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, saved_rsp
        movq    %cr4, %rax
        movl    %eax, saved_cr4
        sgdt    saved_gdt
        sidt    saved_idt
        lgdt    trip_gdt_pointer
        pushq   $SEL_CODE32
        pushq   $compatibility
        lretq

        .code32
compatibility:
        movl    $SEL_DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $trip_stack_end, %esp
        movl    $modes_seen, %edi
        movl    $modes_bytes, %esi
        call    probe           /* compatibility mode */
        call    paging_off
        movl    $MSR_EFER, %ecx
        rdmsr
        andl    $~EFER_LME, %eax
        wrmsr
        movl    %cr4, %eax
        andl    $~CR4_PAE, %eax
        movl    %eax, %cr4
        call    probe           /* protected, no paging */

        movl    %cr4, %eax
        orl     $CR4_PSE, %eax
        movl    %eax, %cr4
        movl    $modes_pd32, %eax
        movl    %eax, %cr3
        call    paging_on
        movl    $ALIAS, %esi
        call    probe           /* 32-bit paging, 4 MiB and 4 KiB pages */
        call    paging_off

        movl    %cr4, %eax
        orl     $CR4_PAE, %eax
        movl    %eax, %cr4
        movl    $modes_pdpt, %eax
        movl    %eax, %cr3
        call    paging_on
        movl    $modes_bytes, %esi
        call    probe           /* PAE paging */
        movl    %cr3, %eax
        movl    %eax, %cr3      /* the four PDPTEs are read again */
        call    probe
        call    paging_off
        ljmp    $SEL_CODE16, $(protected16 - blob)

paging_off:
        movl    %cr0, %eax
        andl    $~CR0_PG, %eax
        movl    %eax, %cr0
        ret
paging_on:
        movl    %cr0, %eax
        orl     $CR0_PG, %eax
        movl    %eax, %cr0
        ret

/* Three words to (%edi): a part of CPUID, the I/O APIC's version, the last of 3 bytes at (%esi). */
probe:
        xorl    %eax, %eax
        cpuid
        movl    %ebx, (%edi)
        movl    $1, IOAPIC
        movl    IOAPIC + IOWIN, %eax
        movl    %eax, 4(%edi)
        movl    $3, %ecx
        movl    $PORT, %edx
        pushl   %esi
        rep outsb
        popl    %esi
        inb     $PORT, %al
        movzbl  %al, %eax
        movl    %eax, 8(%edi)
        addl    $12, %edi
        ret

back:
        movl    $SEL_DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    saved_cr4, %eax
        movl    %eax, %cr4
        movl    $guest_pml4, %eax
        movl    %eax, %cr3
        movl    $MSR_EFER, %ecx
        rdmsr
        orl     $EFER_LME, %eax
        wrmsr
        movl    %cr0, %eax
        orl     $CR0_PG, %eax
        movl    %eax, %cr0
        ljmp    $SEL_CODE64, $long_again
        .code64
long_again:
        movl    $SEL_DATA, %eax
        movl    %eax, %fs
        movl    %eax, %gs
        lgdt    saved_gdt
        lidt    saved_idt
        movq    saved_rsp, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        ret

/* Copied to BLOB; all addresses in it count from its start. */
        .code16
        .globl  modes_blob, modes_blob_end
modes_blob:
blob:
        .globl  modes_blob_seen
modes_blob_seen:
seen16: .skip   32              /* what protected16 and real find */
ivt_pointer:
        .word   0x3ff
        .long   BLOB + (ivt - blob)
protected16:
        movw    $SEL_DATA16, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movw    $REAL_STACK, %sp
        movw    $SEL_IOAPIC16, %ax
        movw    %ax, %es
        xorl    %eax, %eax
        cpuid
        movl    %ebx, (seen16 - blob)
        movl    $1, %es:0
        movl    %es:IOWIN, %eax
        movl    %eax, (seen16 - blob + 4)
        movw    $0xffff, %si    /* at the edge: the second byte is at 0 */
        movw    $2, %cx
        movw    $PORT, %dx
        cld
        rep outsb
        inb     $PORT, %al
        movzbl  %al, %eax
        movl    %eax, (seen16 - blob + 8)
        movw    %si, (seen16 - blob + 12)
        movl    %cr0, %eax
        andl    $~CR0_PE, %eax
        movl    %eax, %cr0
        ljmp    $BLOB_SEGMENT, $(real - blob)
real:
        movw    $BLOB_SEGMENT, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $REAL_STACK, %sp
        lidt    (ivt_pointer - blob)
        int     $0x40
        ud2
        movl    $MSR_UNKNOWN, %ecx
        rdmsr
        xorl    %eax, %eax
        cpuid
        movl    %ebx, (seen16 - blob + 16)
        movb    $0x3c, %al
        outb    %al, $PORT
        movw    $(seen16 - blob + 20), %di
        movw    $PORT, %dx
        movw    $4, %cx
        rep insb
        movl    %cr0, %eax
        orl     $CR0_PE, %eax
        movl    %eax, %cr0
        ljmpl   $SEL_CODE32, $back
on_software:
        addb    $1, (seen16 - blob + 24)
        iret
/* After an exception: past its instruction, which is 2 bytes long. No error code in real mode. */
on_exception:
        addb    $1, (seen16 - blob + 25)
        pushw   %bp
        movw    %sp, %bp
        addw    $2, 2(%bp)
        popw    %bp
        iret
        .balign 4
ivt:    .fill   6, 4, 0
        .word   on_exception - blob, BLOB_SEGMENT
        .fill   6, 4, 0
        .word   on_exception - blob, BLOB_SEGMENT
        .fill   50, 4, 0
        .word   on_software - blob, BLOB_SEGMENT
modes_blob_end:

        .data
        .balign 8
trip_gdt:
        .quad   0
        .quad   0x00af9b000000ffff
        .quad   0x00cf93000000ffff
        .quad   0x00cf9b000000ffff
        .quad   0x00009b009000ffff
        .quad   0x000093009000ffff
        .quad   0xfe0093c00000ffff
trip_gdt_end:
trip_gdt_pointer:
        .word   trip_gdt_end - trip_gdt - 1
        .quad   trip_gdt

        .bss
        .balign 16
        .skip   1024
trip_stack_end:
saved_rsp: .skip 8
saved_cr4: .skip 8
saved_gdt: .skip 16
saved_idt: .skip 16
        .section .note.GNU-stack, "", @progbits
