/* SPDX-License-Identifier: MIT */
/*
 * What happens on an exception or interrupt. isr.S calls trap_dispatch with interrupts off.
 * An interrupt goes to the handler of its line, then to the scheduler. An exception is survived
 * when probe.S expected it, and the end otherwise.
 */
#include "guests/tutor/trap.h"

#include <stddef.h>

#include "guests/tutor/console.h"
#include "guests/tutor/devices.h"
#include "guests/tutor/io.h"
#include "guests/tutor/power.h"
#include "guests/tutor/task.h"

#define VECTOR_PAGE_FAULT 14

/* SDM 3A, "Page-Fault Error Code". */
#define PF_PRESENT 0x1
#define PF_WRITE 0x2

struct fixup {
    uint32_t from, to;
};
extern const struct fixup __start_set_fixup[], __stop_set_fixup[];

/* SDM 3A, "Protected-Mode Exceptions and Interrupts". */
static const char *const exception_names[TRAP_EXCEPTIONS] = {
    [0] = "divide error",
    [1] = "debug",
    [2] = "non-maskable interrupt",
    [3] = "breakpoint",
    [4] = "overflow",
    [5] = "bound range exceeded",
    [6] = "invalid opcode",
    [7] = "device not available",
    [8] = "double fault",
    [10] = "invalid TSS",
    [11] = "segment not present",
    [12] = "stack-segment fault",
    [13] = "general protection",
    [VECTOR_PAGE_FAULT] = "page fault",
    [16] = "x87 floating-point error",
    [17] = "alignment check",
    [18] = "machine check",
    [19] = "SIMD floating-point error",
};

static void (*irq_handlers[PIC_LINES])(void);
static struct trap_report last;

void trap_print(const struct trap_report *report)
{
    const struct trap_frame *f = &report->frame;
    const char *name = exception_names[f->vector];

    kprintf("exception %u: %s, error code 0x%x\n", f->vector, name ? name : "reserved", f->error);
    if (f->vector == VECTOR_PAGE_FAULT)
        kprintf("  %s address 0x%08x: the page is %s\n",
                f->error & PF_WRITE ? "writing to" : "reading from", report->cr2,
                f->error & PF_PRESENT ? "protected" : "not present");
    kprintf("  eip %08x  cs  %04x      eflags %08x\n", f->eip, f->cs & 0xFFFF, f->eflags);
    kprintf("  eax %08x  ebx %08x  ecx %08x  edx %08x\n", f->eax, f->ebx, f->ecx, f->edx);
    /* PUSHA stored ESP as it was after the five words of CPU and stub. */
    kprintf("  esi %08x  edi %08x  ebp %08x  esp %08x\n", f->esi, f->edi, f->ebp,
            f->esp + 5 * (uint32_t)sizeof(uint32_t));
}

static const struct fixup *find_fixup(uint32_t eip)
{
    for (const struct fixup *fixup = __start_set_fixup; fixup < __stop_set_fixup; fixup++)
        if (fixup->from == eip)
            return fixup;
    return NULL;
}

static void trap_exception(struct trap_frame *frame)
{
    const struct fixup *fixup = find_fixup(frame->eip);

    last = (struct trap_report){.frame = *frame, .cr2 = cpu_fault_address()};
    if (!fixup) {
        trap_print(&last);
        power_panic("exception in the kernel");
    }
    frame->eip = fixup->to;
}

/*
 * The end of interrupt goes out before the scheduler is asked: it may switch to another task and
 * come back here much later, and until then the PIC would hold back all further interrupts.
 */
static void trap_interrupt(unsigned line)
{
    if (pic_is_spurious(line))
        return;
    if (irq_handlers[line])
        irq_handlers[line]();
    pic_end_of_interrupt(line);
    task_preempt();
}

void trap_dispatch(struct trap_frame *frame)
{
    if (frame->vector < TRAP_EXCEPTIONS)
        trap_exception(frame);
    else
        trap_interrupt(frame->vector - PIC_VECTOR_BASE);
}

void trap_set_irq(unsigned line, void (*handler)(void))
{
    irq_handlers[line] = handler;
    pic_unmask(line);
}

const struct trap_report *trap_last(void)
{
    return &last;
}
