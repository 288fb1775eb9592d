/* SPDX-License-Identifier: MIT */
/* The power button and what happens when a guest ignores it (root mode, CPU 0). */
#include "kernel/vm_stop.h"

#include <errno.h>

#include "kernel/console.h"
#include "kernel/log.h"
#include "kernel/time.h"
#include "kernel/vm.h"

/* By VM number. A request is for one run of the VM: the one that started at `start_tsc`. */
static struct stop {
    bool waiting;
    uint64_t start_tsc;
    uint64_t deadline; /* host TSC; VTIMER_OFF: killed already */
} stops[VM_MAX];

static bool press_power(struct vm *vm)
{
    const struct console_hooks *hooks = &vm->console->hooks;
    bool pressed;

    lock_acquire(&vm->lock);
    pressed = hooks->press && hooks->press(hooks->power);
    lock_release(&vm->lock);
    return pressed;
}

int vm_stop_request(struct vm *vm, unsigned timeout_ms)
{
    struct stop *stop = &stops[vm->id];

    if (vm->state == VM_READY)
        return vm_kill(vm);
    if (vm->state != VM_RUNNING)
        return -ESRCH;
    if (!press_power(vm)) {
        log_printf("%s: has no power button\n", vm->name);
        return vm_kill(vm);
    }
    stop->waiting = true;
    stop->start_tsc = vm->start_tsc;
    stop->deadline = time_tsc() + time_ns_to_ticks(timeout_ms * NS_PER_MS);
    return 0;
}

bool vm_stop_requested(const struct vm *vm)
{
    return stops[vm->id].waiting && stops[vm->id].start_tsc == vm->start_tsc;
}

static void check(struct stop *stop, struct vm *vm)
{
    if (!vm || vm->state == VM_ENDED || !vm_stop_requested(vm)) {
        stop->waiting = false;
        return;
    }
    if (time_tsc() < stop->deadline)
        return;
    stop->deadline = VTIMER_OFF;
    if (vm_kill(vm) == 0)
        log_printf("%s: does not stop: killed\n", vm->name);
}

void vm_stop_check(void)
{
    for (uint32_t id = 0; id < VM_MAX; id++) {
        if (stops[id].waiting)
            check(&stops[id], vm_get(id));
    }
}

uint64_t vm_stop_deadline(void)
{
    uint64_t first = VTIMER_OFF;

    for (uint32_t id = 0; id < VM_MAX; id++) {
        if (stops[id].waiting)
            first = MIN(first, stops[id].deadline);
    }
    return first;
}
