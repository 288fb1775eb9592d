/* SPDX-License-Identifier: MIT */
/* Commands about the system: see shell.h on how to add one. */
#include <stdbool.h>
#include <stddef.h>

#include "guests/tutor/console.h"
#include "guests/tutor/devices.h"
#include "guests/tutor/errno.h"
#include "guests/tutor/io.h"
#include "guests/tutor/power.h"
#include "guests/tutor/shell.h"
#include "guests/tutor/string.h"
#include "guests/tutor/task.h"
#include "guests/tutor/words.h"

#define CPUID_ECX_HYPERVISOR (1u << 31)
#define CPUID_HYPERVISOR_FIRST 0x40000000u
#define CPUID_HYPERVISOR_STEP 0x100u /* a second personality, such as Mullion's own, is one up */

/* The linker may order the set as it likes, so look for the next name in the alphabet. */
static const struct command *next_command(const char *after)
{
    const struct command *best = NULL;

    for (const struct command *const *c = __start_set_command; c < __stop_set_command; c++)
        if (strcmp((*c)->name, after) > 0 && (!best || strcmp((*c)->name, best->name) < 0))
            best = *c;
    return best;
}

COMMAND(help, "", "this list")
{
    for (const struct command *c = next_command(""); c; c = next_command(c->name))
        kprintf("%-8s %-18s %s\n", c->name, c->arguments, c->help);
    return 0;
}

COMMAND(echo, "[word...]", "prints its arguments")
{
    for (int i = 1; i < argc; i++)
        kprintf("%s%s", i > 1 ? " " : "", argv[i]);
    kprintf("\n");
    return 0;
}

COMMAND(ticks, "", "timer interrupts since the start")
{
    kprintf("%u ticks of 1/%u s\n", pit_ticks(), PIT_HZ);
    return 0;
}

COMMAND(uptime, "", "time since the start")
{
    uint32_t seconds = pit_ticks() / PIT_HZ;

    kprintf("up %u:%02u:%02u\n", seconds / 3600, seconds / 60 % 60, seconds % 60);
    return 0;
}

COMMAND(time, "", "date and time of the battery clock")
{
    struct rtc_time t;

    if (rtc_read(&t) < 0) {
        kprintf("the clock does not answer\n");
        return -EIO;
    }
    kprintf("%04u-%02u-%02u %02u:%02u:%02u\n", t.year, t.month, t.day, t.hour, t.minute, t.second);
    return 0;
}

COMMAND(tasks, "", "the tasks and how often each was switched to")
{
    static const char *const states[] = {
        [TASK_READY] = "ready",
        [TASK_SLEEPING] = "sleeping",
        [TASK_WAITING] = "waiting",
    };
    const struct task *task;

    kprintf("%-8s %-8s %s\n", "task", "state", "switches");
    for (unsigned i = 0; (task = task_get(i)) != NULL; i++)
        kprintf("%-8s %-8s %u\n", task->name, states[task->state], task->switches);
    return 0;
}

/* Vendors keep 12 characters in three registers, hypervisors in another order than the CPU. */
static void print_signature(uint32_t first, uint32_t second, uint32_t third)
{
    const uint32_t words[] = {first, second, third};
    char text[sizeof(words) + 1] = {0};

    memcpy(text, words, sizeof(words));
    kprintf("%s", text);
}

/*
 * A leaf that does not exist answers with zeros or with another leaf's data. EAX gives the latter
 * away: it is the highest leaf of this hypervisor, or 0 in old versions of KVM.
 */
static void print_hypervisor(uint32_t leaf)
{
    struct cpuid_result r = cpu_id(leaf);
    bool foreign = r.eax != 0 && (r.eax < leaf || r.eax >= leaf + CPUID_HYPERVISOR_STEP);

    if (foreign || r.ebx == 0)
        return;
    kprintf("hypervisor (leaf 0x%x): ", leaf);
    print_signature(r.ebx, r.ecx, r.edx);
    kprintf("\n");
}

COMMAND(cpu, "", "processor and hypervisor, as CPUID names them")
{
    struct cpuid_result r = cpu_id(0);

    kprintf("vendor: ");
    print_signature(r.ebx, r.edx, r.ecx);
    r = cpu_id(1);
    kprintf(", signature 0x%x\n", r.eax);
    if (r.ecx & CPUID_ECX_HYPERVISOR) {
        print_hypervisor(CPUID_HYPERVISOR_FIRST);
        print_hypervisor(CPUID_HYPERVISOR_FIRST + CPUID_HYPERVISOR_STEP);
    } else {
        kprintf("no hypervisor\n");
    }
    return 0;
}

COMMAND(exit, "<status>", "ends the virtual machine with a status from 0 to 255")
{
    uint32_t status;

    if (argc != 2 || words_number(argv[1], &status) < 0 || status > UINT8_MAX)
        return -EINVAL;
    power_exit((uint8_t)status);
    kprintf("still here: this machine has no debug-exit port\n");
    return -EIO;
}

COMMAND(reboot, "", "resets the machine")
{
    power_reboot();
    kprintf("still here: nothing resets this machine\n");
    return -EIO;
}

COMMAND(halt, "", "stops for good")
{
    kprintf("halted\n");
    power_halt();
}
