/* SPDX-License-Identifier: MIT */
/* Commands about the machine and the hypervisor itself (root mode, CPU 0). */
#include <stdio.h>
#include <string.h>

#include "kernel/console.h"
#include "kernel/irq.h"
#include "kernel/monitor.h"
#include "kernel/page.h"
#include "kernel/reset.h"
#include "kernel/time.h"
#include "kernel/vm.h"

#define LOG_LINES 20u
#define PAGES_PER_MIB (1u << 8)

typedef unsigned long long ull;

static void show_log(int count, char **words)
{
    uint64_t lines = LOG_LINES;

    if (count < 2 || monitor_number(words[1], &lines))
        console_print_log(lines ? lines : UINT64_MAX);
}
MONITOR_COMMAND(log, "[LINES]", "the end of the log; 0: all of it", show_log);

static void print_pages(const char *name, uint64_t pages)
{
    console_print("%-22s %10llu %12llu\n", name, (ull)(pages / PAGES_PER_MIB), (ull)pages);
}

static void mem(int count, char **words)
{
    struct page_stats s = page_get_stats();

    (void)count;
    (void)words;
    console_print("%-22s %10s %12s\n", "machine", "MiB", "pages");
    print_pages("  all", s.total_pages);
    print_pages("  used", s.total_pages - s.free_pages);
    print_pages("  free", s.free_pages);
    print_pages("  clean", s.clean_pages);
    console_print("%-22s %10s %12s\n", "VM", "MiB of RAM", "device pages");
    for (uint32_t id = 0; id < VM_MAX; id++) {
        const struct vm *vm = vm_get(id);
        bool has = vm && (BIT(vm->state) & MONITOR_BUILT);
        if (vm)
            console_print("  %-20s %10llu %12llu\n", vm->name,
                          (ull)(has ? vm->memory >> 20 : 0), (ull)vm->arena_pages);
    }
}
MONITOR_COMMAND(mem, "", "memory of the machine and of VMs", mem);

static const char *vcpu_state_name(const struct vcpu *v)
{
    static const char *const names[] = {
        [VCPU_WAIT_SIPI] = "waits for SIPI",
        [VCPU_RUNNABLE] = "runs",
        [VCPU_HALTED] = "halted",
        [VCPU_STOPPED] = "stopped",
    };
    return v->state < ARRAY_SIZE(names) ? names[v->state] : "?";
}

static void print_vcpus_on(const struct cpu *cpu)
{
    for (uint32_t id = 0; id < VM_MAX; id++) {
        const struct vm *vm = vm_get(id);
        for (uint32_t i = 0; vm && i < vm->vcpu_count; i++) {
            const struct vcpu *v = vm->vcpus[i];
            if (v && v->cpu == cpu)
                console_print("      %s vCPU %lu: %s%s%s\n", vm->name, (unsigned long)i,
                              vcpu_state_name(v), v->exclusive ? ", alone here" : "",
                              cpu->current == v ? ", loaded" : "");
        }
    }
}

static void cpus(int count, char **words)
{
    static const char *const states[] = {
        [CPU_ABSENT] = "not used", [CPU_STARTING] = "starting",
        [CPU_ONLINE] = "online",   [CPU_FAILED] = "did not start",
    };

    (void)count;
    (void)words;
    for (uint32_t i = 0; i < cpu_count(); i++) {
        const struct cpu *cpu = cpu_get(i);
        console_print("  CPU %lu, APIC id %lu: %s%s\n", (unsigned long)i,
                      (unsigned long)cpu->apic_id, states[cpu->state],
                      cpu->work_pending ? ", work waits" : "");
        print_vcpus_on(cpu);
    }
    console_print("  unexpected interrupts: %llu\n", (ull)irq_unexpected());
}
MONITOR_COMMAND(cpus, "", "physical CPUs and what runs there", cpus);

static void reboot(int count, char **words)
{
    if (count == 2 && strcmp(words[1], "now") == 0)
        reset_machine();
    console_print("all VMs would end at once; to do it: reboot now\n");
}
MONITOR_COMMAND(reboot, "now", "reset the physical machine", reboot);

/* Backwards: GCC puts the last command of a file first into the set. */
static void help(int count, char **words)
{
    for (size_t i = (size_t)(__stop_set_monitor_command - __start_set_monitor_command); i--;) {
        const struct monitor_command *c = __start_set_monitor_command[i];
        if (count < 2)
            console_print("  %-8s %-22s %s\n", c->name, c->usage, c->help);
        else if (strcmp(c->name, words[1]) == 0)
            console_print("%s %s: %s\n", c->name, c->usage, c->help);
    }
}
MONITOR_COMMAND(help, "[COMMAND]", "this list", help);
