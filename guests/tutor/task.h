/* SPDX-License-Identifier: MIT */
/* Tasks: threads of the kernel, switched by the timer. All share one memory. */
#ifndef TUTOR_TASK_H
#define TUTOR_TASK_H

#include <stddef.h>
#include <stdint.h>

#define TASK_MAX 8

enum task_state { TASK_READY, TASK_SLEEPING, TASK_WAITING };

struct task {
    const char *name;
    enum task_state state;
    uint32_t esp;        /* while it isn't running; see switch.S */
    uint32_t *stack;     /* lowest word of its stack, NULL for the first task */
    uint32_t wake_tick;  /* while sleeping */
    const void *channel; /* while waiting: what for */
    uint32_t switches;   /* how often it was switched to */
    void (*run)(void *argument);
    void *argument;
};

/* Makes the caller the idle task: it runs only when no other can. */
void task_init(void);

/* The function must not return. -ENOMEM without a free slot or frame. */
int task_create(const char *name, void (*run)(void *argument), void *argument);

void task_sleep(uint32_t ticks);

/*
 * Waits for task_wake with the same channel (any address). Between testing the condition and
 * waiting there must be no interrupt, so call it with interrupts off, and test in a loop.
 */
void task_wait(const void *channel);
void task_wake(const void *channel);

/* For interrupt handlers, interrupts off. */
void task_wake_sleepers(uint32_t now);
void task_preempt(void);

/* The n-th task, or NULL. */
const struct task *task_get(unsigned n);

#endif
