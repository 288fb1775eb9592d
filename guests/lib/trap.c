/* SPDX-License-Identifier: MIT */
/* Exceptions, interrupt handlers and user mode of flat guests: see guest.h (guest). */
#include "guests/lib/trap.h"

#include "guests/lib/guest.h"

struct guest_context {
    uint64_t registers[8];
};
int guest_save(struct guest_context *context) __attribute__((returns_twice));
void guest_restore(struct guest_context *context) __attribute__((noreturn));
void guest_enter_user(void (*fn)(void *arg), void *arg, void *stack_top) __attribute__((noreturn));
void guest_trap(struct guest_frame *frame);
extern const char guest_stubs[];
extern uint64_t guest_gdt_tss[2];

#define STUB_SIZE 16u
#define GATE_INTERRUPT 0x8e00u
#define GATE_USER 0x6000u
#define SEL_CODE 8u
#define SEL_TSS 48u
#define TSS_ACCESS 0x8900ull /* present, available 64-bit TSS */
#define USER_END 0x7fu       /* INT of a user function that returns */
#define STACK_SIZE 8192u
#define EXCEPTIONS 32u

struct gate {
    uint16_t low, selector, flags, middle;
    uint32_t high, reserved;
};
static struct gate idt[256];
/* SDM 3A, "Task Management in 64-bit Mode" */
static struct __attribute__((packed)) {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, io_map;
} tss;
static uint8_t trap_stack[STACK_SIZE] __attribute__((aligned(16)));
static uint8_t user_stack[STACK_SIZE] __attribute__((aligned(16)));

static void (*handlers[256])(struct guest_frame *frame);
static struct guest_context *volatile catcher;
static struct guest_fault caught;

void guest_load_idt(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } pointer = { sizeof(idt) - 1, (uint64_t)(uintptr_t)idt };

    __asm__ volatile("lidt %0" : : "m"(pointer));
}

static void load_tss(void)
{
    uint64_t base = (uint64_t)(uintptr_t)&tss;

    tss.rsp[0] = (uint64_t)(uintptr_t)(trap_stack + STACK_SIZE);
    tss.io_map = sizeof(tss);
    guest_gdt_tss[0] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | TSS_ACCESS << 32 |
                       (base >> 24 & 0xff) << 56;
    guest_gdt_tss[1] = base >> 32;
    __asm__ volatile("ltr %0" : : "r"((uint16_t)SEL_TSS) : "memory");
}

void guest_trap_init(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t address = (uint64_t)(uintptr_t)guest_stubs + i * STUB_SIZE;
        idt[i] = (struct gate){ (uint16_t)address, SEL_CODE, GATE_INTERRUPT,
                                (uint16_t)(address >> 16), (uint32_t)(address >> 32), 0 };
    }
    idt[USER_END].flags |= GATE_USER;
    guest_load_idt();
    load_tss();
}

uint64_t *guest_gate(unsigned vector)
{
    return (uint64_t *)(void *)&idt[vector & 0xff];
}

void guest_use_stack(unsigned vector, unsigned ist, void *top)
{
    if (ist)
        tss.ist[ist - 1] = (uint64_t)(uintptr_t)top;
    idt[vector & 0xff].flags = (uint16_t)((idt[vector & 0xff].flags & ~7u) | ist);
}

static void end_catch(int vector, const struct guest_frame *frame)
{
    struct guest_context *to = catcher;

    caught = (struct guest_fault){ vector, frame->error_code, frame->rip, read_cr2() };
    catcher = NULL;
    guest_restore(to);
}

void guest_trap(struct guest_frame *frame)
{
    if (handlers[frame->vector]) {
        handlers[frame->vector](frame);
        return;
    }
    if (catcher && frame->vector == USER_END)
        end_catch(GUEST_NO_FAULT, frame);
    if (catcher && frame->vector < EXCEPTIONS)
        end_catch((int)frame->vector, frame);
    guest_printf("FAIL unexpected vector %lu error 0x%lx at 0x%lx, CR2 0x%lx\n", frame->vector,
                 frame->error_code, frame->rip, read_cr2());
    guest_exit(1);
}

static int result(struct guest_fault *fault)
{
    if (fault)
        *fault = caught;
    return caught.vector;
}

int guest_catch(void (*fn)(void *arg), void *arg, struct guest_fault *fault)
{
    struct guest_context context;

    if (guest_save(&context))
        return result(fault);
    catcher = &context;
    fn(arg);
    catcher = NULL;
    caught = (struct guest_fault){ .vector = GUEST_NO_FAULT };
    return result(fault);
}

int guest_catch_user(void (*fn)(void *arg), void *arg, struct guest_fault *fault)
{
    struct guest_context context;

    if (guest_save(&context))
        return result(fault);
    catcher = &context;
    guest_enter_user(fn, arg, user_stack + STACK_SIZE);
}

void guest_on_vector(unsigned vector, void (*fn)(struct guest_frame *frame))
{
    handlers[vector & 0xff] = fn;
}

struct msr_access {
    uint32_t msr;
    uint64_t value;
};

static void read_msr(void *arg)
{
    struct msr_access *a = arg;
    a->value = rdmsr(a->msr);
}

static void write_msr(void *arg)
{
    const struct msr_access *a = arg;
    wrmsr(a->msr, a->value);
}

int guest_rdmsr(uint32_t msr, uint64_t *value)
{
    struct msr_access a = { msr, 0 };
    int vector = guest_catch(read_msr, &a, NULL);

    *value = a.value;
    return vector;
}

int guest_wrmsr(uint32_t msr, uint64_t value)
{
    struct msr_access a = { msr, value };

    return guest_catch(write_msr, &a, NULL);
}
