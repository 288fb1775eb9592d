/* SPDX-License-Identifier: MIT */
/* Work that one CPU gives to another (root mode). */
#include "kernel/cpu.h"
#include "kernel/x86.h"

void work_queue(struct cpu *cpu, struct work *work)
{
    work->next = NULL;
    lock_acquire(&cpu->work_lock);
    if (cpu->work_tail)
        cpu->work_tail->next = work;
    else
        cpu->work_head = work;
    cpu->work_tail = work;
    cpu->work_pending = 1;
    lock_release(&cpu->work_lock);
    cpu_kick(cpu);
}

/* The first item, or the first that runs `only`. */
static struct work *work_take(struct cpu *cpu, void (*only)(void *arg))
{
    struct work *work, *before = NULL;

    lock_acquire(&cpu->work_lock);
    for (work = cpu->work_head; work && only && work->fn != only; work = work->next)
        before = work;
    if (work && before)
        before->next = work->next;
    else if (work)
        cpu->work_head = work->next;
    if (work && cpu->work_tail == work)
        cpu->work_tail = before;
    if (!cpu->work_head)
        cpu->work_pending = 0;
    lock_release(&cpu->work_lock);
    return work;
}

void work_run(void)
{
    struct cpu *cpu = this_cpu();
    struct work *work;

    while (cpu->work_pending && (work = work_take(cpu, NULL)))
        work->fn(work->arg);
}

struct work_wait {
    void (*fn)(void *arg);
    void *arg;
    volatile bool done;
};

static void work_call_fn(void *arg)
{
    struct work_wait *wait = arg;

    wait->fn(wait->arg);
    __atomic_store_n(&wait->done, true, __ATOMIC_RELEASE);
}

void work_call(struct cpu *cpu, void (*fn)(void *arg), void *arg)
{
    struct work_wait wait = {.fn = fn, .arg = arg, .done = false};
    struct work work = {.fn = work_call_fn, .arg = &wait};
    struct work *other;

    if (cpu == this_cpu()) {
        fn(arg);
        return;
    }
    work_queue(cpu, &work);
    /* The other CPU may be waiting for this one in the same way. Other work stays queued: it may
     * be about to change what our caller is in the middle of. */
    while (!__atomic_load_n(&wait.done, __ATOMIC_ACQUIRE)) {
        other = work_take(this_cpu(), work_call_fn);
        if (other)
            other->fn(other->arg);
        x86_pause();
    }
}
