/* SPDX-License-Identifier: MIT */
/* Segments, exceptions and interrupts. */
#ifndef TUTOR_TRAP_H
#define TUTOR_TRAP_H

#include <stdint.h>

#define GDT_CODE 0x08 /* the selectors: offset into the table, privilege level 0 */
#define GDT_DATA 0x10

#define TRAP_EXCEPTIONS 32
#define TRAP_VECTORS 48   /* 32 exceptions, then the 16 lines of the PIC */
#define TRAP_STUB_SIZE 16 /* as in isr.S */

/* The stack as isr.S leaves it: PUSHA, then the stub's two words, then what the CPU pushed. */
struct trap_frame {
    uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax;
    uint32_t vector, error;
    uint32_t eip, cs, eflags;
};

/* An exception that an instruction of probe.S survived. */
struct trap_report {
    struct trap_frame frame;
    uint32_t cr2;
};

void gdt_init(void); /* gdt.c */
void idt_init(void); /* idt.c */

/* trap.c */
void trap_dispatch(struct trap_frame *frame);
void trap_set_irq(unsigned line, void (*handler)(void)); /* and unmasks the line */
const struct trap_report *trap_last(void);
void trap_print(const struct trap_report *report);

/* probe.S: 0, or -EFAULT when the access faulted; then trap_last() tells how. */
int probe_read(uint32_t address, uint32_t *value);
int probe_write(uint32_t address, uint32_t value);
int probe_divide(uint32_t dividend, uint32_t divisor, uint32_t *quotient);

#endif
