/* SPDX-License-Identifier: MIT */
/* What one physical CPU owns. GS points to its struct cpu in root mode. */
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include "boot/bootinfo.h"
#include "kernel/lock.h"
#include "kernel/types.h"

struct vcpu;

#define CPU_MAX BOOT_CPUS_MAX
#define CPU_STACK_SIZE (16u << 10)

enum cpu_state { CPU_ABSENT = 0, CPU_STARTING, CPU_ONLINE, CPU_FAILED };

/* Deferred work for another CPU: run at exit boundaries and in the idle loop, interrupts off.
 * The caller owns the item until fn has been called. */
struct work {
    void (*fn)(void *arg);
    void *arg;
    struct work *next;
};

struct cpu {
    struct cpu *self;      /* for GS-relative access; must stay first */
    uint32_t index;        /* into bootinfo's list; 0 is the boot CPU */
    uint32_t apic_id;
    enum cpu_state state;
    struct vcpu *current;  /* whose state is loaded; NULL: none */
    uint64_t rsp_top;      /* top of this CPU's stack */
    struct lock work_lock; /* rank LOCK_RANK_WORK */
    struct work *work_head, *work_tail;
    volatile uint32_t work_pending; /* read without the lock as a hint */
    volatile uint32_t noted;        /* vectors that trap_report() is to tell of, as a mask */
    uint32_t lock_depth;            /* debug: ranks of locks held */
    uint32_t lock_ranks[8];
    uint64_t control_accesses;      /* of the vendor's control structure */
    uint64_t host_msr_accesses;     /* RDMSR and WRMSR of ours */
    void *backend;         /* per-CPU state of the backend (VMXON region and the like) */
};

#ifdef MULLION_HOST_TEST
struct cpu *this_cpu(void);
#else
static inline struct cpu *this_cpu(void)
{
    struct cpu *cpu;
    __asm__("movq %%gs:0, %0" : "=r"(cpu));
    return cpu;
}
#endif

/* Stores 32 bits; later loads come after it on all CPUs. */
#ifdef MULLION_HOST_TEST
#define cpu_store_ordered(place, value) __atomic_store_n(&(place), (value), __ATOMIC_SEQ_CST)
#else
#define cpu_store_ordered(place, value)                                                            \
    do {                                                                                           \
        uint32_t stored_ = (value);                                                                \
        __asm__ volatile("xchgl %0, %1" : "+r"(stored_), "+m"(place) : : "memory");                \
    } while (0)
#endif

#ifdef MULLION_HOST_TEST
#define CPU_ADD(counter, count) (this_cpu()->counter += (count))
#else
#define CPU_ADD(counter, count)                                                                    \
    __asm__("addq %1, %%gs:%c2"                                                                    \
            : "+m"(*(uint64_t *)NULL)                                                              \
            : "er"((uint64_t)(count)), "i"(offsetof(struct cpu, counter)))
#endif

/* What exits cost where we are a guest ourselves: accesses to the vendor's control structure, and
 * to MSRs. */
static inline void cpu_count_access(uint32_t count)
{
    CPU_ADD(control_accesses, count);
}

static inline void cpu_count_msr(void)
{
    CPU_ADD(host_msr_accesses, 1);
}

uint32_t cpu_count(void);            /* CPUs that are known, online or not */
struct cpu *cpu_get(uint32_t index); /* index < cpu_count() */

/* Queues work for a CPU and kicks it. Returns at once. */
void work_queue(struct cpu *cpu, struct work *work);
/* Runs fn on a CPU and waits until it has returned; on this CPU it is a plain call. */
void work_call(struct cpu *cpu, void (*fn)(void *arg), void *arg);
/* Runs what is queued for this CPU; called at exit boundaries and in the idle loop. */
void work_run(void);

/* Makes a CPU leave the guest or the idle halt soon (an IPI); harmless when it is in neither. */
void cpu_kick(struct cpu *cpu);

#endif
