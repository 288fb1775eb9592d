/* SPDX-License-Identifier: MIT */
/*
 * Spin locks with a rank. A CPU takes locks in ascending rank only; debug builds assert it.
 * Interrupts are off in root mode but for the scheduler's loop and let_others_in() of
 * kernel/exits.c, where no lock is held, so a lock never nests with an interrupt handler on its
 * own CPU. NMIs, machine checks and INITs come all the same: they take none (kernel/trap.c).
 *
 * The table of VMs needs none: life-cycle calls run on CPU 0; nor does a run queue, which only its
 * own CPU changes.
 *
 * Order, lowest first (what each protects):
 */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include "kernel/types.h"

struct cpu;

enum lock_rank {
    LOCK_RANK_VM = 20,      /* one VM: its devices, buses, guest-physical map and tables */
    LOCK_RANK_IRQCHIP = 25, /* one VM's interrupt controllers */
    LOCK_RANK_SCREEN = 35,  /* what is on screen: text reaches physical devices in order */
    LOCK_RANK_CONSOLE = 40, /* consoles: rings and the one on screen */
    LOCK_RANK_WORK = 50,    /* one CPU's work queue */
    LOCK_RANK_PAGE = 60,    /* free memory */
    LOCK_RANK_LOG = 70,     /* the log's ring */
    LOCK_RANK_HOSTCON = 80, /* the row of physical text devices */
    LOCK_RANK_DEVICE = 90,  /* one physical device's queue; always last */
};

struct lock {
    struct cpu *volatile owner; /* NULL: free */
    uint32_t rank; /* enum lock_rank */
    const char *name;
};

#define LOCK_INIT(r, n) { .owner = NULL, .rank = (r), .name = (n) }

void lock_init(struct lock *lock, enum lock_rank rank, const char *name);
void lock_acquire(struct lock *lock);
void lock_release(struct lock *lock);
bool lock_held(const struct lock *lock); /* by this CPU */

#endif
