/* SPDX-License-Identifier: MIT */
/* Events of headless runs: scripts/headless.py reads them (root mode, CPU 0). */
#include "kernel/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/console_mux.h"
#include "kernel/log.h"
#include "kernel/manifest.h"
#include "kernel/option.h"
#include "kernel/page.h"
#include "kernel/panic.h"
#include "kernel/vm.h"

#define TOTAL_ORDER 1u
_Static_assert(sizeof(struct vcpu_stats) <= PAGE_SIZE << TOTAL_ORDER, "struct vcpu_stats");

static bool started;

__attribute__((format(printf, 1, 2))) static void event(const char *format, ...)
{
    char text[160];
    va_list args;
    int length;

    va_start(args, format);
    length = vsniprintf(text, sizeof(text), format, args);
    va_end(args);
    if (length > 0)
        mux_write(MUX_EVENTS, text, MIN((size_t)length, sizeof(text) - 1));
}

/* A JSON string, quoted; what is not printable ASCII is escaped (RFC 8259, section 7). */
static void event_string(const char *text)
{
    event("\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c >= 0x7f)
            event("\\u%04x", c);
        else if (c == '"' || c == '\\')
            event("\\%c", c);
        else
            event("%c", c);
    }
    event("\"");
}

const char *report_exit_name(unsigned code)
{
    const char *name = backend->exit_name(code);

    return name ? name : "undefined";
}

uint64_t report_exits(const struct vm *vm, unsigned code, uint64_t *cycles)
{
    uint64_t exits = 0;

    *cycles = 0;
    if (!vm->vcpu_count && vm->total) {
        *cycles = vm->total->by_code[code].cycles;
        return vm->total->by_code[code].exits;
    }
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        exits += vm->vcpus[i]->stats.by_code[code].exits;
        *cycles += vm->vcpus[i]->stats.by_code[code].cycles;
    }
    return exits;
}

/* The vCPUs go away; their counters stay with the VM's record. */
static void keep_totals(struct vm *vm)
{
    hpa_t block;
    struct vcpu_stats *total;

    report_vm_gone(vm);
    block = page_alloc(TOTAL_ORDER);
    if (block == PAGE_NONE)
        return;
    total = page_ptr(block);
    for (unsigned code = 0; code < VCPU_EXIT_CODES; code++) {
        struct vcpu_counter *counter = &total->by_code[code];

        counter->exits = report_exits(vm, code, &counter->cycles);
        total->all.exits += counter->exits;
        total->all.cycles += counter->cycles;
    }
    vm->total = total;
}

void report_vm_gone(struct vm *vm)
{
    if (vm->total)
        page_free(page_hpa(vm->total), TOTAL_ORDER);
    vm->total = NULL;
}

static void event_exits(const struct vm *vm)
{
    const char *separator = "";
    uint64_t cycles, sum = 0;

    event(",\"exits_by_reason\":{");
    for (unsigned code = 0; code < backend->exit_codes; code++) {
        uint64_t exits = report_exits(vm, code, &cycles);
        if (!exits)
            continue;
        event("%s", separator);
        event_string(report_exit_name(code));
        event(":%llu", (unsigned long long)exits);
        separator = ",";
        sum += exits;
    }
    event("},\"exits\":%llu", (unsigned long long)sum);
}

static const char *end_name(uint32_t end)
{
    static const char *const names[] = {
        [VM_END_NONE] = "none",     [VM_END_EXIT] = "exit",     [VM_END_RESET] = "reset",
        [VM_END_FAILED] = "failed", [VM_END_KILLED] = "killed",
    };
    return end < ARRAY_SIZE(names) ? names[end] : "?";
}

void report_vm_defined(const struct vm *vm)
{
    event("{\"event\":\"vm\",\"id\":%lu,\"name\":", (unsigned long)vm->id);
    event_string(vm->name);
    event("}\n");
}

void report_vm_end(struct vm *vm)
{
    keep_totals(vm);
    event("{\"event\":\"end\",\"vm\":");
    event_string(vm->name);
    event(",\"state\":\"ended\",\"end\":\"%s\",\"exit_status\":%ld,\"reason\":", end_name(vm->end),
          (long)vm->exit_status);
    event_string(vm->reason);
    event_exits(vm);
    event(",\"launches\":%lu,\"create_ticks\":%llu,\"ticks\":%llu}\n", (unsigned long)vm->launches,
          (unsigned long long)vm->create_ticks, (unsigned long long)(vm->end_tsc - vm->start_tsc));
}

static bool ended_well(const struct vm *vm)
{
    return vm->state == VM_ENDED && vm->end == VM_END_EXIT && vm->exit_status == 0;
}

/* VMs that the manifest starts and that could not be created or started count as failed. */
static bool manifest_started(void)
{
    const struct boot_vm *config;

    for (uint32_t i = 0; (config = manifest_get(i)); i++) {
        const struct vm *vm = vm_find(config->name);
        if (config->autostart && (!vm || !vm->launches))
            return false;
    }
    return true;
}

void report_if_all_ended(void)
{
    bool well;

    if (!started)
        return;
    well = manifest_started();
    for (uint32_t id = 0; id < VM_MAX; id++) {
        const struct vm *vm = vm_get(id);
        if (!vm || !vm->launches)
            continue;
        if (vm->state != VM_ENDED)
            return;
        well = well && ended_well(vm);
    }
    log_printf("no VM runs any more\n");
    if (option_has("headless"))
        event("{\"event\":\"done\",\"status\":%d}\n", well ? 0 : 1);
    SET_FOREACH(hook, report_hook)
    (*hook)->all_ended();
}

static bool any_launched(void)
{
    for (uint32_t id = 0; id < VM_MAX; id++) {
        if (vm_get(id) && vm_get(id)->launches)
            return true;
    }
    return false;
}

void report_start(void)
{
    started = true;
    if (any_launched() || !manifest_started())
        report_if_all_ended();
}

/* What panic says besides its own (kernel/panic.h). */
static void print_last_exits(void)
{
    if (this_cpu()->current)
        report_last_exits(this_cpu()->current);
    event("\n{\"event\":\"panic\",\"message\":");
    event_string(panic_message);
    event("}\n");
}

static const struct panic_hook panic_report = { .name = "report", .print = print_last_exits };
SET_ADD(panic_hook, panic_report);
