/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: round robin over a table of tasks. A switch happens when a task waits or sleeps
 * and, unasked, after every interrupt; the timer makes sure that there are enough of those.
 */
#include "guests/tutor/task.h"

#include "guests/tutor/devices.h"
#include "guests/tutor/errno.h"
#include "guests/tutor/io.h"
#include "guests/tutor/memory.h"
#include "guests/tutor/power.h"

#define STACK_WORDS (FRAME_SIZE / sizeof(uint32_t))
#define STACK_CANARY 0x5AFE57AC /* at the far end of a stack; gone when it overflowed */
#define SWITCH_REGISTERS 4      /* that switch.S pops */
#define IDLE 0

void switch_stacks(uint32_t *save_esp, uint32_t load_esp);

static struct task tasks[TASK_MAX];
static unsigned count;   /* tasks in use; 0 before task_init */
static unsigned current; /* the running one */

void task_init(void)
{
    tasks[IDLE] = (struct task){.name = "idle", .state = TASK_READY};
    count = 1;
}

/* The first thing that a new task executes; it comes here out of switch_stacks. */
static void task_begin(void)
{
    cpu_irq_enable();
    tasks[current].run(tasks[current].argument);
    power_panic("a task returned");
}

/* Lays out a stack as if the task had called switch_stacks from the top of task_begin. */
static uint32_t prepare_stack(uint32_t *stack)
{
    uint32_t *esp = stack + STACK_WORDS;

    stack[0] = STACK_CANARY;
    *--esp = 0; /* where task_begin would return to */
    *--esp = (uint32_t)task_begin;
    for (unsigned i = 0; i < SWITCH_REGISTERS; i++)
        *--esp = 0;
    return (uint32_t)esp;
}

int task_create(const char *name, void (*run)(void *argument), void *argument)
{
    paddr_t frame = count < TASK_MAX ? frame_alloc(memory_frames()) : FRAME_NONE;
    uint32_t *stack = (uint32_t *)frame;
    uint32_t flags;

    if (frame == FRAME_NONE)
        return -ENOMEM;
    flags = cpu_irq_save();
    tasks[count++] = (struct task){
        .name = name,
        .state = TASK_READY,
        .stack = stack,
        .esp = prepare_stack(stack),
        .run = run,
        .argument = argument,
    };
    cpu_irq_restore(flags);
    return 0;
}

/* The next ready task after the current one, in a circle; idle only when there is no other. */
static unsigned pick(void)
{
    for (unsigned i = 1; i <= count; i++) {
        unsigned n = (current + i) % count;

        if (n != IDLE && tasks[n].state == TASK_READY)
            return n;
    }
    return IDLE;
}

/* Interrupts are off here; each task gets its own flag back where it called from. */
static void schedule(void)
{
    struct task *from = &tasks[current];
    unsigned next = pick();

    if (next == current)
        return;
    if (from->stack && from->stack[0] != STACK_CANARY)
        power_panic("a task's stack overflowed");
    current = next;
    tasks[next].switches++;
    switch_stacks(&from->esp, tasks[next].esp);
}

void task_preempt(void)
{
    if (count)
        schedule();
}

void task_sleep(uint32_t ticks)
{
    uint32_t flags = cpu_irq_save();

    tasks[current].state = TASK_SLEEPING;
    tasks[current].wake_tick = pit_ticks() + ticks;
    schedule();
    cpu_irq_restore(flags);
}

void task_wait(const void *channel)
{
    tasks[current].state = TASK_WAITING;
    tasks[current].channel = channel;
    schedule();
}

void task_wake(const void *channel)
{
    for (unsigned i = 0; i < count; i++)
        if (tasks[i].state == TASK_WAITING && tasks[i].channel == channel)
            tasks[i].state = TASK_READY;
}

/* The difference is right even after the tick counter wrapped around. */
void task_wake_sleepers(uint32_t now)
{
    for (unsigned i = 0; i < count; i++)
        if (tasks[i].state == TASK_SLEEPING && (int32_t)(now - tasks[i].wake_tick) >= 0)
            tasks[i].state = TASK_READY;
}

const struct task *task_get(unsigned n)
{
    return n < count ? &tasks[n] : NULL;
}
