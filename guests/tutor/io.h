/* SPDX-License-Identifier: MIT */
/*
 * Everything that C can't say: port I/O, interrupt flag, control registers, CPUID. The only inline
 * assembly of the kernel is in this header. Argument order of outb is (port, value).
 */
#ifndef TUTOR_IO_H
#define TUTOR_IO_H

#include <stdint.h>

#define EFLAGS_IF (1u << 9)
#define CR0_WP (1u << 16)
#define CR0_PG (1u << 31)

struct cpuid_result {
    uint32_t eax, ebx, ecx, edx;
};

/* What LGDT and LIDT read: SDM 3A, "Memory-Management Registers". */
struct cpu_table_pointer {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed));

static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void cpu_irq_enable(void)
{
    __asm__ volatile("sti" : : : "memory");
}

/* Interrupts off; returns the state before, for cpu_irq_restore. The pair may be nested. */
static inline uint32_t cpu_irq_save(void)
{
    uint32_t flags;

    __asm__ volatile("pushf; pop %0; cli" : "=r"(flags) : : "memory");
    return flags;
}

static inline void cpu_irq_restore(uint32_t flags)
{
    if (flags & EFLAGS_IF)
        cpu_irq_enable();
}

/* STI takes effect after the next instruction: no interrupt can slip in before the HLT. */
static inline void cpu_wait_for_interrupt(void)
{
    __asm__ volatile("sti; hlt" : : : "memory");
}

static inline _Noreturn void cpu_stop(void)
{
    for (;;)
        __asm__ volatile("cli; hlt" : : : "memory");
}

static inline struct cpuid_result cpu_id(uint32_t leaf)
{
    struct cpuid_result r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(0));
    return r;
}

/* The address whose access caused the last page fault. */
static inline uint32_t cpu_fault_address(void)
{
    uint32_t cr2;

    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    return cr2;
}

/* CR0.WP makes read-only pages read-only for the kernel too. */
static inline void cpu_enable_paging(uint32_t directory)
{
    uint32_t cr0;

    __asm__ volatile("mov %0, %%cr3" : : "r"(directory) : "memory");
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("mov %0, %%cr0" : : "r"(cr0 | CR0_PG | CR0_WP) : "memory");
}

/* Loads a GDT and makes every segment register use it; the far jump is the only way to load CS. */
static inline void cpu_load_gdt(const struct cpu_table_pointer *gdt, uint16_t data)
{
    __asm__ volatile("lgdt %0; ljmp %2, $1f; 1:"
                     "mov %1, %%ds; mov %1, %%es; mov %1, %%fs; mov %1, %%gs; mov %1, %%ss"
                     :
                     : "m"(*gdt), "r"((uint32_t)data), "i"(8)
                     : "memory");
}

static inline void cpu_load_idt(const struct cpu_table_pointer *idt)
{
    __asm__ volatile("lidt %0" : : "m"(*idt) : "memory");
}

#endif
