/* SPDX-License-Identifier: MIT */
/*
 * What is on the physical text devices, and where typed bytes go (root mode, CPU 0; only
 * console_output_waits runs anywhere).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/console.h"
#include "kernel/console_mux.h"
#include "kernel/console_prefix.h"
#include "kernel/gdbstub.h"
#include "kernel/hostcon.h"
#include "kernel/monitor.h"
#include "kernel/sched.h"
#include "kernel/time.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"

#define CHUNK 128u                                   /* bytes shown at once: 11 ms at 115200 baud */
#define CHUNKS_MOST 32u                              /* in one pass */
#define BACKLOG_MOST (CONSOLE_OUTPUT_SIZE / 4 * 3)   /* from here on the guest's CPU helps */
#define CONTEXT 2000u                                /* text that is shown again on switching */
#define SHOW_NS 2000000ull                           /* at most one kick of CPU 0 in this time */
#define POLL_NS 10000000ull                          /* for what no interrupt announces */
#define INPUT_MOST 256u                              /* bytes in one pass */
#define LOG_LINES 20u

enum view { VIEW_LOG = 0, VIEW_MONITOR, VIEW_VM };

/* `screen.vm` is read by any CPU; all else changes under the lock, on CPU 0. */
static struct {
    struct lock lock;
    enum view view;
    struct vconsole *volatile vm; /* with VIEW_VM, else NULL */
    struct console_prefix prefix;
    bool kicked;                  /* output waits, and CPU 0 knows */
    bool undelivered;             /* a VM's keyboard buffer is full, or the VM does not run */
    uint64_t next_show, next_poll; /* host TSC */
} screen = { .lock = LOCK_INIT(LOCK_RANK_SCREEN, "screen") };

/* The screen's lock is held. */
static void show_text(const char *text, size_t length)
{
    mux_screen_begin();
    hostcon_write(text, length);
    mux_screen_end();
}

void console_print_text(const char *text, size_t length)
{
    lock_acquire(&screen.lock);
    show_text(text, length);
    lock_release(&screen.lock);
}

void console_print(const char *format, ...)
{
    char text[256];
    va_list args;
    int length;

    va_start(args, format);
    length = vsniprintf(text, sizeof(text), format, args);
    va_end(args);
    if (length > 0)
        console_print_text(text, MIN((size_t)length, sizeof(text) - 1));
}

/* Shows a piece of what this console has put out. False: nothing is left. */
static bool show_chunk(struct vconsole *c)
{
    char text[CHUNK];
    size_t length = 0;

    lock_acquire(&screen.lock);
    if (screen.vm == c) {
        length = console_read(c, &c->shown, text, sizeof(text));
        if (length) {
            show_text(text, length);
            sched_touched(c->vm);
        }
    }
    lock_release(&screen.lock);
    return length == sizeof(text);
}

void console_output_waits(struct vconsole *c)
{
    if (screen.vm != c)
        return;
    /* Slower than its physical line: the guest waits, and nothing is lost. */
    if (c->put - c->shown >= BACKLOG_MOST)
        show_chunk(c);
    if (__atomic_exchange_n(&screen.kicked, true, __ATOMIC_SEQ_CST))
        return;
    if (this_cpu()->index != 0)
        cpu_kick(cpu_get(0));
    else if (this_cpu()->current)
        vcpu_request(this_cpu()->current, VCPU_REQ_YIELD); /* there is a nearer deadline now */
}

void console_poll(void)
{
    struct vconsole *c = screen.vm;

    if (screen.view == VIEW_MONITOR)
        monitor_poll();
    if (!screen.kicked || time_tsc() < screen.next_show)
        return;
    __atomic_store_n(&screen.kicked, false, __ATOMIC_SEQ_CST);
    screen.next_show = time_tsc() + time_ns_to_ticks(SHOW_NS);
    for (unsigned i = 0; c && show_chunk(c); i++) {
        if (i == CHUNKS_MOST) {
            screen.kicked = true;
            return;
        }
    }
}

/* Interrupts announce typed bytes and guests their output; the rest has to be looked for. */
static bool must_poll(void)
{
    return screen.undelivered || hostcon_polled() ||
           (screen.view == VIEW_MONITOR && monitor_polled());
}

uint64_t console_deadline(void)
{
    uint64_t show = screen.kicked ? screen.next_show : VTIMER_OFF;

    if (hostcon_has_input())
        return 0;
    return must_poll() ? MIN(show, screen.next_poll) : show;
}

/* Where to start when a console comes on screen: what nobody saw, and some of what came before. */
static uint64_t start_of_view(const struct vconsole *c)
{
    uint64_t context = c->put > CONTEXT ? c->put - CONTEXT : 0;

    return MIN(c->shown, context);
}

static void show_header(const struct vconsole *c, const char *name)
{
    char line[96];
    int length;

    if (c)
        length = sniprintf(line, sizeof(line), "\n--- VM %lu: %s (Ctrl-A ? for help) ---\n",
                           (unsigned long)c->vm->id + 1, name);
    else
        length = sniprintf(line, sizeof(line), "\n--- %s (Ctrl-A ? for help) ---\n", name);
    show_text(line, (size_t)length);
}

/* Changes what is on screen; the caller then shows its text. */
static void switch_to(enum view view, struct vconsole *c)
{
    lock_acquire(&screen.lock);
    screen.view = view;
    screen.vm = c;
    if (c) {
        c->shown = start_of_view(c);
        console_drop_queries(c);
    }
    show_header(c, c ? c->vm->name : view == VIEW_LOG ? "log" : "monitor");
    screen.kicked = c != NULL;
    screen.next_show = 0;
    lock_release(&screen.lock);
}

void console_show_vm(struct vm *vm)
{
    switch_to(VIEW_VM, vm->console);
}

void console_show_monitor(void)
{
    switch_to(VIEW_MONITOR, NULL);
    monitor_redraw();
}

void console_show_log(void)
{
    switch_to(VIEW_LOG, NULL);
    console_print_log(LOG_LINES);
}

struct vm *console_on_screen(void)
{
    return screen.vm ? screen.vm->vm : NULL;
}

void console_forget(struct vconsole *c)
{
    if (screen.vm == c)
        console_show_monitor();
}

void console_vm_ended(struct vm *vm)
{
    struct vconsole *c = vm->console;

    memset(&c->hooks, 0, sizeof(c->hooks));
    c->in_tail = c->in_head;
    c->key_tail = c->key_head;
    c->full = false;
    if (screen.vm != c)
        return;
    while (show_chunk(c))
        ;
    console_print("\n--- %s has ended: %s (status %ld) ---\n", vm->name, vm->reason,
                  (long)vm->exit_status);
    console_show_monitor();
}

static void type_to_screen(uint8_t byte)
{
    if (screen.view == VIEW_MONITOR)
        monitor_key(byte);
    else if (screen.vm)
        (void)console_type(screen.vm, byte); /* full: the guest does not read; it may be lost */
}

static void give_input(void)
{
    screen.undelivered = false;
    for (uint32_t id = 0; id < VM_MAX; id++) {
        struct vm *vm = vm_get(id);
        if (!vm || !console_has_input(vm->console))
            continue;
        if (vm->state == VM_RUNNING) {
            sched_touched(vm);
            lock_acquire(&vm->lock);
            console_deliver(vm->console);
            lock_release(&vm->lock);
        }
        screen.undelivered |= console_has_input(vm->console);
    }
}

void console_input(void)
{
    int byte;

    screen.next_poll = time_tsc() + time_ns_to_ticks(POLL_NS);
    for (unsigned i = 0; i < INPUT_MOST && (byte = hostcon_read()) >= 0; i++) {
        if (gdbstub_typed((uint8_t)byte))
            continue;
        if (console_prefix_take(&screen.prefix, (uint8_t)byte))
            type_to_screen((uint8_t)byte);
    }
    give_input();
}
