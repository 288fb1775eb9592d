/* SPDX-License-Identifier: MIT */
/* Starting, ending and restarting virtual machines (root mode). */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/console.h"
#include "kernel/log.h"
#include "kernel/mitigate.h"
#include "kernel/report.h"
#include "kernel/rtc.h"
#include "kernel/time.h"
#include "kernel/vdev.h"
#include "kernel/vm.h"
#include "kernel/vm_stop.h"

void vm_mark(struct vm *vm, uint64_t number)
{
    uint64_t ticks = time_tsc() - vm->start_tsc, exits = 0;

    if (!vm_may_log(vm))
        return;
    for (uint32_t i = 0; i < vm->vcpu_count; i++)
        exits += vm->vcpus[i]->stats.all.exits;
    log_printf("%s: mark %llu: %llu ticks, %llu exits\n", vm->name, (unsigned long long)number,
               (unsigned long long)ticks, (unsigned long long)exits);
}

/* Restarts that follow one another this quickly are a loop, and the last one is not made. */
#define RESTART_MIN_NS NS_PER_SECOND

int vm_start(struct vm *vm)
{
    int err;

    if (vm->state == VM_ENDED) {
        err = vm_build(vm);
        if (err) {
            vm_unbuild(vm);
            return err;
        }
        vm->state = VM_READY;
    }
    if (vm->state != VM_READY)
        return -EBUSY;
    vm->end = VM_END_NONE;
    vm->exit_status = 0;
    vm->reason[0] = '\0';
    vm->vcpus_out = 0;
    vm->logged = 0;
    if (!vm->launches++)
        mitigate_warn(vm);
    vm->start_tsc = time_tsc();
    vm->state = VM_RUNNING;
    vm->vcpus[0]->state = VCPU_RUNNABLE;
    vcpu_request(vm->vcpus[0], VCPU_REQ_IRQ);
    return 0;
}

/* The first caller decides how a VM ends. */
static bool end(struct vm *vm, enum vm_end how, int32_t status, const char *reason)
{
    uint32_t running = VM_RUNNING;

    if (!__atomic_compare_exchange_n(&vm->state, &running, VM_STOPPING, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
        return false;
    vm->end = how;
    vm->exit_status = how == VM_END_EXIT ? status : 128 + (int32_t)how;
    strncpy(vm->reason, reason, sizeof(vm->reason) - 1);
    for (uint32_t i = 0; i < vm->vcpu_count; i++)
        vcpu_request(vm->vcpus[i], VCPU_REQ_STOP);
    return true;
}

void vm_exit(struct vm *vm, int32_t status, const char *reason)
{
    end(vm, VM_END_EXIT, status, reason);
}

void vm_reset(struct vm *vm, const char *reason)
{
    end(vm, VM_END_RESET, 0, reason);
}

int vm_kill(struct vm *vm)
{
    if (vm->state == VM_READY)
        vm->state = VM_RUNNING; /* never ran: its vCPUs only have to notice */
    return end(vm, VM_END_KILLED, 0, "killed") ? 0 : -ESRCH;
}

void vm_fail(struct vm *vm, struct vcpu *v, const char *format, ...)
{
    char reason[sizeof(vm->reason)];
    va_list args;

    va_start(args, format);
    vsniprintf(reason, sizeof(reason), format, args);
    va_end(args);
    if (!end(vm, VM_END_FAILED, 0, reason))
        return;
    log_printf("%s: stopped: %s\n", vm->name, reason);
    if (v)
        report_vcpu(v);
}

static bool wants_restart(const struct vm *vm)
{
    if (vm->end == VM_END_KILLED || vm_stop_requested(vm) ||
        vm->config->restart == BOOT_RESTART_NEVER)
        return false;
    if (vm->end_tsc - vm->start_tsc < time_ns_to_ticks(RESTART_MIN_NS)) {
        log_printf("%s: ended within a second: not restarted\n", vm->name);
        return false;
    }
    return vm->config->restart == BOOT_RESTART_ALWAYS || vm->end == VM_END_RESET ||
           vm->end == VM_END_FAILED || vm->exit_status != 0;
}

/* On CPU 0, after the last vCPU has left. */
static void finish(void *arg)
{
    struct vm *vm = arg;

    vm->end_tsc = time_tsc();
    report_vm_end(vm);
    vm_unbuild(vm);
    vm->state = VM_ENDED;
    log_printf("%s: ended: %s (status %ld)\n", vm->name, vm->reason, (long)vm->exit_status);
    if (wants_restart(vm) && vm_start(vm) == 0) {
        log_printf("%s: restarted\n", vm->name);
        return;
    }
    console_vm_ended(vm);
    report_if_all_ended();
}

void vm_vcpu_left(struct vcpu *v)
{
    struct vm *vm = v->vm;

    if (__atomic_add_fetch(&vm->vcpus_out, 1, __ATOMIC_SEQ_CST) < vm->vcpu_count)
        return;
    vm->finish_work = (struct work){ .fn = finish, .arg = vm };
    work_queue(cpu_get(0), &vm->finish_work);
}

uint64_t vm_boot_wallclock(const struct vm *vm)
{
    /* the VM's TSC counts from its creation */
    uint64_t age = time_ticks_to_ns(time_tsc() + vm->tsc_offset) / NS_PER_SECOND;

    return rtc_wallclock() - age;
}
