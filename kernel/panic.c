/* SPDX-License-Identifier: MIT */
/*
 * The end (root mode): a bug of ours stops every CPU, says where and why, and keeps the log in
 * memory for the loader of the next boot.
 */
#include "kernel/panic.h"

#include <stdarg.h>
#include <stdio.h>

#include "kernel/cpu.h"
#include "kernel/hostcon.h"
#include "kernel/lapic.h"
#include "kernel/log.h"
#include "kernel/log_ring.h"
#include "kernel/mce.h"
#include "kernel/option.h"
#include "kernel/reset.h"
#include "kernel/smp.h"
#include "kernel/stacktrace.h"
#include "kernel/time.h"
#include "kernel/trap.h"
#include "kernel/x86.h"

#define PANIC_WHERE_MAX   80
#define PANIC_STOP_NS     100000000u /* how long the other CPUs may take to stop */
#define NOBODY            UINT32_MAX

char panic_message[PANIC_MESSAGE_MAX];
static volatile uint32_t panic_cpu = NOBODY;
static volatile uint32_t panic_stopped;
static volatile uint32_t panic_turn = NOBODY; /* which stopped CPU tells its machine checks */

static _Noreturn void panic_halt(void)
{
    for (;;) {
        x86_cli();
        x86_hlt();
    }
}

void panic_stop_if_other(void)
{
    uint32_t cpu = this_cpu()->index;

    if (panic_cpu == NOBODY || panic_cpu == cpu)
        return;
    __atomic_fetch_add(&panic_stopped, 1, __ATOMIC_RELEASE);
    while (panic_turn != cpu)
        x86_pause();
    mce_report();
    panic_turn = NOBODY;
    panic_halt();
}

/* A machine check can come to all CPUs at once, and the banks of each tell another part of it. */
static void panic_ask_others(void)
{
    for (uint32_t cpu = 0; panic_stopped && cpu < smp_online(); cpu++) {
        uint64_t end = time_tsc() + time_ns_to_ticks(PANIC_STOP_NS);

        panic_turn = cpu == this_cpu()->index ? NOBODY : cpu;
        while (panic_turn != NOBODY && time_tsc() < end)
            x86_pause();
    }
}

static void panic_stop_others(void)
{
    uint32_t others = smp_online() - 1;
    uint64_t end = time_tsc() + (time_tsc_hz() ? time_ns_to_ticks(PANIC_STOP_NS) : 0);

    if (!lapic_ready() || others == 0)
        return;
    lapic_send_nmi_others();
    while (__atomic_load_n(&panic_stopped, __ATOMIC_ACQUIRE) < others && time_tsc() < end)
        x86_pause();
}

/* The first CPU goes on; any other stops here, and so does a panic inside of a panic. */
static void panic_begin(void)
{
    uint32_t expected = NOBODY;

    x86_cli();
    if (__atomic_compare_exchange_n(&panic_cpu, &expected, this_cpu()->index, false,
                                    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        panic_stop_others();
        log_panicking = true;
        hostcon_panic();
        if (lapic_ready() && panic_stopped + 1 < smp_online())
            log_printf("%u CPUs do not stop\n", smp_online() - 1 - panic_stopped);
        return;
    }
    panic_stop_if_other();
    log_printf("panic inside of a panic\n");
    panic_halt();
}

static void panic_say(const char *where, const char *format, va_list args)
{
    int used = snprintf(panic_message, sizeof panic_message, "PANIC on CPU %u: %s",
                        this_cpu()->index, where);

    vsnprintf(panic_message + used, sizeof panic_message - (size_t)used, format, args);
    log_printf("%s\n", panic_message);
}

static void panic_print_frame(const struct trap_frame *f)
{
    log_printf("rip %016lx rsp %016lx rflags %08lx cs %lx ss %lx\n", f->rip, f->rsp, f->rflags,
               f->cs, f->ss);
    log_printf("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
    log_printf("rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", f->rsi, f->rdi, f->rbp, f->r8);
    log_printf("r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", f->r9, f->r10, f->r11, f->r12);
    log_printf("r13 %016lx r14 %016lx r15 %016lx\n", f->r13, f->r14, f->r15);
}

static void panic_print_control(void)
{
    log_printf("cr0 %016lx cr2 %016lx cr3 %016lx cr4 %016lx\n", x86_read_cr0(), x86_read_cr2(),
               x86_read_cr3(), x86_read_cr4());
}

static _Noreturn void panic_end(void)
{
    SET_FOREACH(hook, panic_hook)
    (*hook)->print();
    mce_report();
    panic_ask_others();
    if (option_has("panic=reset")) {
        log_printf("resetting\n");
        reset_machine();
    }
    log_printf("halted; the log stays in memory until power is switched off\n");
    panic_halt();
}

void panic_frame(const struct trap_frame *frame, const char *format, ...)
{
    va_list args;

    panic_begin();
    va_start(args, format);
    panic_say("", format, args);
    va_end(args);
    if (frame)
        panic_print_frame(frame);
    panic_print_control();
    if (frame)
        stacktrace_print(frame->rip, frame->rsp);
    panic_end();
}

void panic_at(const char *file, int line, const char *format, ...)
{
    char where[PANIC_WHERE_MAX];
    va_list args;

    panic_begin();
    snprintf(where, sizeof where, "%s:%d: ", file, line);
    va_start(args, format);
    panic_say(where, format, args);
    va_end(args);
    panic_print_control();
    stacktrace_print(0, (uint64_t)(uintptr_t)__builtin_frame_address(0));
    panic_end();
}
