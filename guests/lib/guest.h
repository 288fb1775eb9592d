/* SPDX-License-Identifier: MIT */
/*
 * The small library of flat guests (64-bit, one image, no libc): console, verdict, exceptions
 * that can be caught, user mode, interrupts, local APIC, secondary CPUs. A guest is a folder with
 * int guest_main(const struct mullion_flat_info *info); what it returns is the VM's exit status.
 * Memory below 4 GiB is identity-mapped by 2 MiB pages that user mode may use too.
 */
#ifndef GUESTS_LIB_GUEST_H
#define GUESTS_LIB_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guests/abi.h"
#include "guests/lib/insn.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

int guest_main(const struct mullion_flat_info *info);

/* Text to the VM's console (its UART). Formats: %s %c %d %u %x %lx %llx %lu %llu %p %%. */
void guest_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void guest_exit(int status) __attribute__((noreturn));

/* Says which check failed and ends with status 1. The number of checks is printed at the end. */
#define guest_check(condition)                                                                     \
    do {                                                                                           \
        guest_checks++;                                                                            \
        if (!(condition))                                                                          \
            guest_fail(__FILE__, __LINE__, #condition);                                            \
    } while (0)
/* The same for two numbers, which it shows. */
#define guest_check_equal(a, b)                                                                    \
    guest_equal((uint64_t)(a), (uint64_t)(b), __FILE__, __LINE__, #a " == " #b)
void guest_fail(const char *file, int line, const char *what) __attribute__((noreturn));
void guest_equal(uint64_t a, uint64_t b, const char *file, int line, const char *what);
extern volatile uint64_t guest_checks;

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);

/* The number after "name=" in the command line, or `otherwise`. */
uint64_t guest_option(const struct mullion_flat_info *info, const char *name, uint64_t otherwise);

/* A cheap sequence of numbers that looks random; the same in each run. */
uint64_t guest_random(void);

/* Exceptions (trap.c) */

/* What trap_common leaves on the stack. A handler may change it. */
struct guest_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};
struct guest_fault {
    int vector;
    uint64_t error_code, rip, address; /* address: CR2 */
};
#define GUEST_NO_FAULT (-1)

enum guest_vector {
    VECTOR_DE = 0, VECTOR_DB = 1, VECTOR_NMI = 2, VECTOR_BP = 3, VECTOR_UD = 6, VECTOR_NM = 7,
    VECTOR_DF = 8, VECTOR_NP = 11, VECTOR_SS = 12, VECTOR_GP = 13, VECTOR_PF = 14, VECTOR_AC = 17,
};

/* Runs fn(arg); an exception ends it, and so do none. The vector, or GUEST_NO_FAULT. *fault may be
 * NULL. One at a time, on one CPU; interrupts are off afterwards if there was an exception. */
int guest_catch(void (*fn)(void *arg), void *arg, struct guest_fault *fault);
/* The same in user mode (CPL 3, IOPL 0). */
int guest_catch_user(void (*fn)(void *arg), void *arg, struct guest_fault *fault);
/* Handler for a vector; NULL: none. For an interrupt it must signal EOI by itself. */
void guest_on_vector(unsigned vector, void (*fn)(struct guest_frame *frame));
/* The vector's handler runs on the interrupt stack `ist` (1 to 7) at `top`; 0: on the current. */
void guest_use_stack(unsigned vector, unsigned ist, void *top);
/* The IDT's gate of a vector as two words, and the loading of this CPU's IDT. */
uint64_t *guest_gate(unsigned vector);
void guest_load_idt(void);

/* RDMSR and WRMSR that may fault: the vector, or GUEST_NO_FAULT. */
int guest_rdmsr(uint32_t msr, uint64_t *value);
int guest_wrmsr(uint32_t msr, uint64_t value);

/* Paging (page.c) */

/* Makes the page at `address` present or not, by splitting its large page (below 4 GiB). */
void guest_map_page(uint64_t address, bool present);
/* Maps it to another physical address, with these flags. */
void guest_map_to(uint64_t address, uint64_t physical, uint64_t flags);
#define PTE_P 1ull
#define PTE_W 2ull
#define PTE_U 4ull
#define PTE_NX (1ull << 63)
#define PTE_RAM (PTE_P | PTE_W | PTE_U)

/* CPUs and interrupts (apic.c) */

/* Switches the x2APIC on. */
void guest_x2apic_on(void);
/* Starts CPU `apic_id` (x2APIC) at fn, and waits until it is; it needs 8 KiB of its own stack. */
void guest_start_cpu(uint32_t apic_id, void (*fn)(void), void *stack_top);
/* Sleeps for so many TSC ticks with interrupts on (TSC-deadline timer, vector GUEST_WAKE). */
void guest_sleep(uint64_t ticks);
#define GUEST_WAKE 0xe0u

/* QEMU without KVM, by the name of its CPU model: for what it does otherwise than the manuals say,
 * which each use names. Processors, KVM and Bochs are never excused. */
bool guest_in_qemu_tcg(void);
bool guest_is_amd(void);

long guest_hypercall(uint32_t number, uint64_t a, uint64_t b);

#endif
