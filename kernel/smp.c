/* SPDX-License-Identifier: MIT */
/* CPU records and the start of all CPUs (root mode). SDM 3A, Multiple-Processor Management, 9.4. */
#include "kernel/smp.h"

#include <string.h>

#include "kernel/desc.h"
#include "kernel/hostmap.h"
#include "kernel/irq.h"
#include "kernel/lapic.h"
#include "kernel/log.h"
#include "kernel/mce.h"
#include "kernel/page.h"
#include "kernel/sched.h"
#include "kernel/time.h"
#include "kernel/trampoline.h"
#include "kernel/trap.h"
#include "kernel/tsc_sync.h"
#include "kernel/x86.h"

#define INIT_TO_STARTUP_NS 10000u /* enough for any CPU that has hardware virtualisation */
#define STARTUP_RETRY_NS   1000000u
#define STARTUP_TIMEOUT_NS 200000000u

static struct cpu cpus[CPU_MAX];
static uint32_t cpus_known = 1;
static volatile bool released;

uint32_t cpu_count(void)
{
    return cpus_known;
}

struct cpu *cpu_get(uint32_t index)
{
    assert_bug(index < cpus_known);
    return &cpus[index];
}

void cpu_kick(struct cpu *cpu)
{
    if (cpu != this_cpu() && cpu->state == CPU_ONLINE)
        lapic_send_ipi(cpu->apic_id, IRQ_VECTOR_KICK);
}

static void cpu_record(uint32_t index, uint32_t apic_id)
{
    struct cpu *cpu = &cpus[index];

    cpu->self = cpu;
    cpu->index = index;
    cpu->apic_id = apic_id;
    lock_init(&cpu->work_lock, LOCK_RANK_WORK, "work");
}

struct cpu *smp_boot_cpu(void)
{
    cpu_record(0, 0);
    cpus[0].state = CPU_ONLINE;
    x86_wrmsr(MSR_IA32_GS_BASE, (uint64_t)(uintptr_t)&cpus[0]);
    return &cpus[0];
}

void smp_init(const struct bootinfo *boot)
{
    cpus[0].apic_id = boot->cpus[0].apic_id;
    for (uint32_t i = 1; i < boot->cpu_count && i < CPU_MAX; i++) {
        cpu_record(i, boot->cpus[i].apic_id);
        cpus[i].state = boot->cpus[i].enabled ? CPU_STARTING : CPU_ABSENT;
        cpus_known = i + 1;
    }
}

/* No page is the user's, so SMAP has nothing to guard; SMEP costs nothing. */
void smp_setup_cpu(void)
{
    uint64_t cr4 = CR4_PAE | CR4_DE | CR4_OSFXSR | CR4_OSXMMEXCPT;

    if (x86_cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_XSAVE)
        cr4 |= CR4_OSXSAVE;
    if (x86_cpuid(CPUID_VENDOR, 0).eax >= CPUID_EXT_FEATURES &&
        (x86_cpuid(CPUID_EXT_FEATURES, 0).ebx & CPUID_7_EBX_SMEP))
        cr4 |= CR4_SMEP;
    x86_write_cr4(cr4);
    x86_write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
}

/* CPU_STARTING ends once only, whoever is first: the CPU itself or the time-out. */
static bool smp_change_state(struct cpu *cpu, enum cpu_state to)
{
    enum cpu_state from = CPU_STARTING;
    return __atomic_compare_exchange_n(&cpu->state, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

/* First C code of every CPU but the boot CPU, on its own stack. */
static void smp_main(void *arg)
{
    struct cpu *cpu = arg;

    x86_wrmsr(MSR_IA32_GS_BASE, (uint64_t)(uintptr_t)cpu);
    hostmap_activate();
    smp_setup_cpu();
    desc_load(cpu, true);
    trap_load();
    lapic_init_cpu();
    mce_init_cpu();
    if (!smp_change_state(cpu, CPU_ONLINE))
        for (;;)
            x86_hlt(); /* too late: the boot CPU has given this one up */
    tsc_sync_join();
    while (!released) {
        work_run();
        if (!released && !cpu->work_pending && !page_scrub_step())
            x86_sti_hlt_cli();
    }
    sched_loop();
}

static bool smp_wait_online(const struct cpu *cpu, uint64_t ns)
{
    uint64_t end = time_tsc() + time_ns_to_ticks(ns);

    while (__atomic_load_n(&cpu->state, __ATOMIC_ACQUIRE) != CPU_ONLINE) {
        if (time_tsc() > end)
            return false;
        x86_pause();
    }
    return true;
}

static void smp_delay(uint64_t ns)
{
    uint64_t end = time_tsc() + time_ns_to_ticks(ns);

    while (time_tsc() < end)
        x86_pause();
}

static bool smp_start_one(struct cpu *cpu, hpa_t page)
{
    void *top = hostmap_stack(cpu->index);

    if (!top)
        panic("no memory for the stack of CPU %u", cpu->index);
    cpu->rsp_top = (uint64_t)(uintptr_t)top;
    trampoline_aim(page_ptr(page), cpu->rsp_top, smp_main, cpu);
    lapic_send_init(cpu->apic_id);
    smp_delay(INIT_TO_STARTUP_NS);
    lapic_send_startup(cpu->apic_id, page);
    if (smp_wait_online(cpu, STARTUP_RETRY_NS))
        return true;
    lapic_send_startup(cpu->apic_id, page);
    return smp_wait_online(cpu, STARTUP_TIMEOUT_NS);
}

void smp_start(const struct bootinfo *boot)
{
    if (cpus_known == 1)
        return;
    trampoline_copy(page_ptr(boot->trampoline), boot->trampoline, hostmap_pt()->root);
    hostmap_trampoline(true);
    for (uint32_t i = 1; i < cpus_known; i++) {
        if (cpus[i].state != CPU_STARTING)
            continue;
        if (smp_start_one(&cpus[i], boot->trampoline) || !smp_change_state(&cpus[i], CPU_FAILED)) {
            tsc_sync_lead();
            continue;
        }
        lapic_send_init(cpus[i].apic_id); /* it must not wake up in a page that is gone */
        log_printf("CPU %u (APIC id %u) does not start\n", i, cpus[i].apic_id);
    }
    hostmap_trampoline(false);
}

void smp_release(void)
{
    released = true;
    for (uint32_t i = 0; i < cpus_known; i++)
        cpu_kick(&cpus[i]);
}

uint32_t smp_online(void)
{
    uint32_t online = 0;

    for (uint32_t i = 0; i < cpus_known; i++)
        online += cpus[i].state == CPU_ONLINE;
    return online;
}
