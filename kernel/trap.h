/* SPDX-License-Identifier: MIT */
/* Exceptions and interrupts of root mode. Interrupts are on in the idle halt only. */
#ifndef KERNEL_TRAP_H
#define KERNEL_TRAP_H

#include "kernel/types.h"

/* What kernel/trap.S leaves on the stack. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* Builds the IDT, which all CPUs share. */
void trap_init(void);
/* Loads it on the calling CPU. */
void trap_load(void);
uint64_t trap_idt_base(void);

/* kernel/trap.S calls this; it returns to resume what was interrupted. */
void trap_dispatch(struct trap_frame *frame);
/* Logs what NMIs, machine checks and INITs on this CPU have left to say. No lock held. */
void trap_report(void);

/* Panics with the registers of *frame, which may be NULL. */
void panic_frame(const struct trap_frame *frame, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));
/* Called by NMI: when another CPU panics, this one stops here for good. */
void panic_stop_if_other(void);

#endif
