/* SPDX-License-Identifier: MIT */
/*
 * The IDT and what root mode does on an exception: all are bugs of ours and panic, but for NMIs
 * and recoverable machine checks. SDM 3A, Interrupt and Exception Handling, chapter 6.
 */
#include "kernel/trap.h"

#include "kernel/cpu.h"
#include "kernel/desc.h"
#include "kernel/hostmap.h"
#include "kernel/irq.h"
#include "kernel/log.h"
#include "kernel/mce.h"
#include "kernel/vcpu.h"
#include "kernel/x86.h"

#define TRAP_STUB_SIZE 16
#define TRAP_VECTORS   256u
#define GATE_INTERRUPT 0x8eull /* present, DPL 0, 64-bit interrupt gate */

struct gate {
    uint64_t low, high;
};

static struct gate trap_idt[TRAP_VECTORS];
extern const char trap_stubs[];

/* Vectors from IRQ_VECTOR_FIRST on have no stack of their own: they come in the idle halt only. */
static const uint8_t trap_ist[IRQ_VECTOR_FIRST] = {
    [VECTOR_DE] = IST_FAULT, [VECTOR_DB] = IST_FAULT, [VECTOR_NMI] = IST_NMI,
    [VECTOR_BP] = IST_FAULT, [VECTOR_UD] = IST_FAULT, [VECTOR_NM] = IST_FAULT,
    [VECTOR_DF] = IST_DF,    [VECTOR_TS] = IST_FAULT, [VECTOR_NP] = IST_FAULT,
    [VECTOR_SS] = IST_FAULT, [VECTOR_GP] = IST_FAULT, [VECTOR_PF] = IST_FAULT,
    [VECTOR_MF] = IST_FAULT, [VECTOR_AC] = IST_FAULT, [VECTOR_MC] = IST_MC,
    [VECTOR_XM] = IST_FAULT, [VECTOR_VE] = IST_FAULT, [VECTOR_CP] = IST_FAULT,
};

static const char *const trap_names[IRQ_VECTOR_FIRST] = {
    [VECTOR_DE] = "#DE divide error",
    [VECTOR_DB] = "#DB debug",
    [VECTOR_NMI] = "NMI",
    [VECTOR_BP] = "#BP breakpoint",
    [VECTOR_OF] = "#OF overflow",
    [VECTOR_BR] = "#BR bound range",
    [VECTOR_UD] = "#UD invalid opcode",
    [VECTOR_NM] = "#NM device not available",
    [VECTOR_DF] = "#DF double fault",
    [VECTOR_TS] = "#TS invalid TSS",
    [VECTOR_NP] = "#NP segment not present",
    [VECTOR_SS] = "#SS stack fault",
    [VECTOR_GP] = "#GP general protection",
    [VECTOR_PF] = "#PF page fault",
    [VECTOR_MF] = "#MF x87 error",
    [VECTOR_AC] = "#AC alignment check",
    [VECTOR_MC] = "#MC machine check",
    [VECTOR_XM] = "#XM SIMD error",
    [VECTOR_VE] = "#VE virtualization",
    [VECTOR_CP] = "#CP control protection",
};

void trap_init(void)
{
    for (unsigned vector = 0; vector < TRAP_VECTORS; vector++) {
        uint64_t stub = (uint64_t)(uintptr_t)(trap_stubs + vector * TRAP_STUB_SIZE);
        uint64_t ist = vector < IRQ_VECTOR_FIRST ? trap_ist[vector] : 0;
        trap_idt[vector].low = (stub & 0xffff) | (uint64_t)SEL_CODE << 16 | ist << 32 |
                               GATE_INTERRUPT << 40 | (stub >> 16 & 0xffff) << 48;
        trap_idt[vector].high = stub >> 32;
    }
}

void trap_load(void)
{
    struct x86_table_reg reg = {.limit = sizeof trap_idt - 1, .base = trap_idt_base()};
    x86_lidt(&reg);
}

uint64_t trap_idt_base(void)
{
    return (uint64_t)(uintptr_t)trap_idt;
}

/* Stacks have unmapped pages below; a fault there while pushing arrives as a double fault. */
static bool trap_is_stack_overflow(const struct trap_frame *f, uint64_t address)
{
    return (f->vector == VECTOR_PF || f->vector == VECTOR_DF) && address >= HOSTMAP_STACK_BASE &&
           address < KERNEL_BASE;
}

static _Noreturn void trap_page_fault(const struct trap_frame *f, uint64_t address)
{
    panic_frame(f, "#PF page fault at %#lx: %s of %s memory", address,
                f->error_code & PF_ERROR_I   ? "fetch"
                : f->error_code & PF_ERROR_W ? "write"
                                             : "read",
                f->error_code & PF_ERROR_P ? "protected" : "unmapped");
}

static _Noreturn void trap_fatal(const struct trap_frame *f)
{
    uint64_t cr2 = x86_read_cr2();
    const char *name = trap_names[f->vector];

    if (trap_is_stack_overflow(f, cr2))
        panic_frame(f, "stack overflow: guard page at %#lx", cr2);
    if (f->vector == VECTOR_PF)
        trap_page_fault(f, cr2);
    panic_frame(f, "exception %lu %s, error code %#lx", f->vector, name ? name : "(reserved)",
                f->error_code);
}

/* NMI, #MC and #SX come anywhere, where any lock may be held, here or by a CPU that waits for this
 * one: what there is to say waits for trap_report(). */
static void trap_note(uint64_t vector)
{
    struct cpu *cpu = this_cpu();

    __atomic_fetch_or(&cpu->noted, 1u << vector, __ATOMIC_SEQ_CST);
    if (cpu->current)
        __atomic_fetch_or(&cpu->current->requests, VCPU_REQ_YIELD, __ATOMIC_SEQ_CST);
}

void trap_report(void)
{
    struct cpu *cpu = this_cpu();
    uint32_t noted = cpu->noted ? __atomic_exchange_n(&cpu->noted, 0, __ATOMIC_SEQ_CST) : 0;

    /* firmware or a watchdog raised it: the cause is not ours to know, but it must be visible */
    if (noted & BIT(VECTOR_NMI))
        log_printf("NMI on CPU %u, ignored\n", cpu->index);
    if (noted & BIT(VECTOR_SX)) /* a backend has INIT come so */
        log_printf("INIT on CPU %u, ignored\n", cpu->index);
    if (noted & BIT(VECTOR_MC))
        mce_report();
}

void trap_dispatch(struct trap_frame *frame)
{
    if (frame->vector >= IRQ_VECTOR_FIRST) {
        irq_dispatch((unsigned)frame->vector);
        return;
    }
    if (frame->vector == VECTOR_NMI)
        panic_stop_if_other();
    else if (frame->vector == VECTOR_MC)
        mce_handle(frame);
    else if (frame->vector != VECTOR_SX)
        trap_fatal(frame);
    trap_note(frame->vector);
}
