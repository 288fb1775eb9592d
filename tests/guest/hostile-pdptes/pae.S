/* SPDX-License-Identifier: MIT */
/*
 * From 64-bit mode to PAE paging for good; there, by turns, what makes a processor or the
 * hypervisor read the four PDPTEs (guest).
 */
#define CR0_CD 0x40000000
#define CR0_PG 0x80000000
#define CR4_PGE 0x80
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define SEL_DATA 16
#define SEL_CODE32 24
#define IOAPIC 0xfec00000
#define PORT 0xe0               /* drivers/vnull.c */
#define FIRST 0x40000000        /* behind the second PDPTE */
#define SECOND 0x80000000

        .text
        .code64
        .globl  pae_run, pae_faults
pae_run:
        pushq   $SEL_CODE32
        pushq   $compatibility
        lretq

        .code32
compatibility:
        movl    $SEL_DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $stack_end, %esp
        movl    %cr0, %eax
        andl    $~CR0_PG, %eax
        movl    %eax, %cr0
        movl    $MSR_EFER, %ecx
        rdmsr
        andl    $~EFER_LME, %eax
        wrmsr
        movl    $pae_pdpt, %eax
        movl    %eax, %cr3
        movl    %cr0, %eax
        orl     $CR0_PG, %eax
        movl    %eax, %cr0
        lidt    pae_idt_pointer
        cld
        movl    $PORT, %edx
        movl    $FIRST, %esi
        movl    $0, pae_pdpt + 8        /* registers keep what CR3's load has found */
        outsb
        incl    pae_kept
next:
        decl    pae_rounds
        jz      over
        movl    $stack_end, %esp
        movl    $PORT, %edx
        movl    pae_rounds, %eax
        andl    $7, %eax
        jmp     *actions(, %eax, 4)
done:
        incl    pae_done
        jmp     next
over:
        hlt
        jmp     over

read_cr3:
        movl    %cr3, %eax
        movl    %eax, %cr3
        jmp     done
change_cr0:
        movl    %cr0, %eax
        xorl    $CR0_CD, %eax
        movl    %eax, %cr0
        jmp     done
change_cr4:
        movl    %cr4, %eax
        xorl    $CR4_PGE, %eax
        movl    %eax, %cr4
        jmp     done
load:
        movl    FIRST, %eax
        jmp     done
out_string:
        movl    $FIRST, %esi
        movl    $4, %ecx
        rep outsb
        jmp     done
in_string:
        movl    $SECOND - 2, %edi       /* both PDPTEs */
        insl
        jmp     done
device:
        movl    $1, IOAPIC
        movl    IOAPIC + 16, %eax
        jmp     done
exit:
        xorl    %eax, %eax
        cpuid
        jmp     done

        .globl  pae_on_gp, pae_on_pf
pae_on_gp:
        incl    pae_faults
        jmp     next
pae_on_pf:
        incl    pae_faults + 4
        jmp     next

        .data
        .balign 4
actions:
        .long   read_cr3, change_cr0, load, out_string, change_cr4, in_string, device, exit
        .bss
        .balign 16
        .skip   1024
stack_end:
        .section .note.GNU-stack, "", @progbits
