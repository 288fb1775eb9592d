/* SPDX-License-Identifier: MIT */
/*
 * First instructions of a flat guest: from 32-bit protected mode (guests/abi.h) to 64-bit mode
 * with 4 GiB identity-mapped, then guest_start(info) (guest).
 */
#include "guests/abi.h"

#define CR0_PG_PE 0x80000001
#define CR4_PAE_OSFXSR_OSXMMEXCPT 0x620
#define MSR_EFER 0xc0000080
#define EFER_LME_NXE 0x900
#define PAGE_P_W_U 7
#define PAGE_P_W_U_PS 0x87
#define LARGE_PAGES 2048 /* of 2 MiB: 4 GiB */

        .section .start, "ax"
        .code32
        .globl  _start
_start:
        cmpl    $MULLION_FLAT_MAGIC, %eax
        jne     .
        movl    %ebx, %ebp
        movl    $(bss_end), %ecx        /* the image ends where .bss begins */
        movl    $(bss_start), %edi
        subl    %edi, %ecx
        xorl    %eax, %eax
        rep stosb
        movl    $(guest_pml4), %edi
        movl    $(guest_pdpt + PAGE_P_W_U), (%edi)
        movl    $(guest_pdpt), %edi
        movl    $(guest_pd + PAGE_P_W_U), %eax
        movl    $4, %ecx
1:      movl    %eax, (%edi)
        addl    $4096, %eax
        addl    $8, %edi
        loop    1b
        movl    $(guest_pd), %edi
        movl    $PAGE_P_W_U_PS, %eax
        movl    $LARGE_PAGES, %ecx
1:      movl    %eax, (%edi)
        addl    $0x200000, %eax
        addl    $8, %edi
        loop    1b
        movl    %ebp, guest_info_address
        movl    $guest_enter_long, %ebx
        jmp     long_mode

/* EBX: 64-bit code to go on at. Also the way of secondary CPUs. */
long_mode:
        movl    $CR4_PAE_OSFXSR_OSXMMEXCPT, %eax
        movl    %eax, %cr4
        movl    $(guest_pml4), %eax
        movl    %eax, %cr3
        movl    $MSR_EFER, %ecx
        rdmsr
        orl     $EFER_LME_NXE, %eax
        wrmsr
        movl    %cr0, %eax
        orl     $CR0_PG_PE, %eax
        andl    $0x9fffffff, %eax       /* CD, NW */
        movl    %eax, %cr0
        lgdt    gdt_pointer
        ljmp    $8, $1f
        .code64
1:      movl    $16, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    %eax, %fs
        movl    %eax, %gs
        movl    %ebx, %ebx
        jmp     *%rbx

guest_enter_long:
        movl    $(guest_stack_end), %esp
        movl    guest_info_address, %edi
        call    guest_start
        ud2

/*
 * Secondary CPUs: copied to GUEST_SIPI_PAGE, entered in real mode with CS = page << 8.
 */
        .code16
        .globl  guest_ap_begin, guest_ap_end
guest_ap_begin:
        cli
        lgdtl   %cs:(ap_gdt_pointer - guest_ap_begin)
        movl    %cr0, %eax
        orl     $1, %eax
        movl    %eax, %cr0
        ljmpl   $24, $ap_protected
        .balign 8
ap_gdt_pointer:
        .word   gdt_end - gdt - 1
        .long   gdt
guest_ap_end:
        .code32
ap_protected:
        movl    $16, %eax
        movl    %eax, %ds
        movl    %eax, %ss
        movl    $guest_ap_long, %ebx
        jmp     long_mode
        .code64
guest_ap_long:
        movq    guest_ap_stack, %rsp
        call    guest_ap_start
        ud2

        .data
        .balign 8
gdt:    .quad   0
        .quad   0x00af9b000000ffff      /* 8: 64-bit code */
        .quad   0x00cf93000000ffff      /* 16: data */
        .quad   0x00cf9b000000ffff      /* 24: 32-bit code */
        .quad   0x00affb000000ffff      /* 32: 64-bit code, CPL 3 */
        .quad   0x00cff3000000ffff      /* 40: data, CPL 3 */
        .globl  guest_gdt_tss
guest_gdt_tss:
        .quad   0, 0                    /* 48: TSS, filled on demand */
gdt_end:
gdt_pointer:
        .word   gdt_end - gdt - 1
        .quad   gdt

        .bss
        .balign 4096
        .globl  guest_pml4, guest_pdpt, guest_pd
guest_pml4: .skip 4096
guest_pdpt: .skip 4096
guest_pd:   .skip 16384
        .globl  guest_stack_end
        .skip   16384
guest_stack_end:
guest_info_address: .skip 8
        .globl  guest_ap_stack
guest_ap_stack: .skip 8
        .section .note.GNU-stack, "", @progbits
