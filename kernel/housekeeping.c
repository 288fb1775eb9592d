/* SPDX-License-Identifier: MIT */
/* CPU 0's house: the physical console, the monitor, time-outs (root mode, CPU 0). */
#include "kernel/housekeeping.h"

#include "kernel/console.h"
#include "kernel/gdbstub.h"
#include "kernel/hwtest.h"
#include "kernel/option.h"
#include "kernel/report.h"
#include "kernel/vm.h"
#include "kernel/vm_stop.h"

/* The first VM's console, where someone watches; else the monitor. */
static void first_screen(void)
{
    for (uint32_t id = 0; id < VM_MAX && !option_has("headless"); id++) {
        if (vm_get(id) && vm_get(id)->launches) {
            console_show_vm(vm_get(id));
            return;
        }
    }
    console_show_monitor();
}

void housekeeping_init(void)
{
    first_screen();
    hwtest_init();
    report_start();
}

void housekeeping(void)
{
    console_input();
    console_poll();
    gdbstub_poll();
    vm_stop_check();
    hwtest_check();
}

uint64_t housekeeping_deadline(void)
{
    uint64_t first = MIN(console_deadline(), vm_stop_deadline());
    uint64_t test = hwtest_deadline();

    if (gdbstub_waits())
        return 0;
    return MIN(first, test);
}
