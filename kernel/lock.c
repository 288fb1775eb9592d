/* SPDX-License-Identifier: MIT */
/* Spin locks and the check of their order (root mode). */
#include "kernel/lock.h"

#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/x86.h"

/* The check of ranks: in unit tests, and in the build that tests boot (kernel/kernel.mk). */
#ifndef LOCK_CHECKED
#define LOCK_CHECKED 1
#endif

/* The ranks that are held stay in order, so that the last one is the highest. */
static inline void lock_push(struct cpu *cpu, const struct lock *lock)
{
    if (!LOCK_CHECKED)
        return;
    assert_bug(cpu->lock_depth < ARRAY_SIZE(cpu->lock_ranks));
    cpu->lock_ranks[cpu->lock_depth++] = lock->rank;
}

static __attribute__((noinline, cold)) void lock_pop_middle(struct cpu *cpu, uint32_t rank)
{
    uint32_t i = cpu->lock_depth;

    while (i > 0 && cpu->lock_ranks[i - 1] != rank)
        i--;
    assert_bug(i > 0);
    for (; i < cpu->lock_depth; i++)
        cpu->lock_ranks[i - 1] = cpu->lock_ranks[i];
    cpu->lock_depth--;
}

/* Locks may be released in any order; mostly it is the last one. */
static inline void lock_pop(struct cpu *cpu, const struct lock *lock)
{
    uint32_t last = cpu->lock_depth - 1;

    if (!LOCK_CHECKED)
        return;
    if (likely(last < ARRAY_SIZE(cpu->lock_ranks) && cpu->lock_ranks[last] == lock->rank))
        cpu->lock_depth = last;
    else
        lock_pop_middle(cpu, lock->rank);
}

static __attribute__((noinline, cold, noreturn)) void lock_disorder(const struct lock *lock)
{
    const struct cpu *cpu = this_cpu();

    panic("lock %s: rank %u after rank %u", lock->name, lock->rank,
          cpu->lock_ranks[cpu->lock_depth - 1]);
}

static inline void lock_check_order(const struct cpu *cpu, const struct lock *lock)
{
    uint32_t depth = cpu->lock_depth;

    if (LOCK_CHECKED && unlikely(depth && cpu->lock_ranks[depth - 1] >= lock->rank))
        lock_disorder(lock);
}

void lock_init(struct lock *lock, enum lock_rank rank, const char *name)
{
    *lock = (struct lock)LOCK_INIT(rank, name);
}

static bool lock_take(struct lock *lock, struct cpu *cpu)
{
    struct cpu *expected = NULL;
    return __atomic_compare_exchange_n(&lock->owner, &expected, cpu, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

/* Apart, so that the usual way saves no registers. */
static __attribute__((noinline, cold)) void lock_wait(struct lock *lock)
{
    struct cpu *cpu = this_cpu();

    if (lock->owner == cpu)
        panic("lock %s: taken twice", lock->name);
    do {
        while (lock->owner)
            x86_pause();
    } while (!lock_take(lock, cpu));
    lock_push(cpu, lock);
}

void lock_acquire(struct lock *lock)
{
    struct cpu *cpu = this_cpu();

    lock_check_order(cpu, lock);
    if (likely(lock_take(lock, cpu)))
        lock_push(cpu, lock);
    else
        lock_wait(lock);
}

void lock_release(struct lock *lock)
{
    struct cpu *cpu = this_cpu();

    if (unlikely(lock->owner != cpu))
        panic("lock %s: released by CPU %u, which does not hold it", lock->name, cpu->index);
    lock_pop(cpu, lock);
    __atomic_store_n(&lock->owner, NULL, __ATOMIC_RELEASE);
}

bool lock_held(const struct lock *lock)
{
    return lock->owner == this_cpu();
}
