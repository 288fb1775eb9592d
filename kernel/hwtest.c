/* SPDX-License-Identifier: MIT */
/* The report of a test on a real machine: kernel/hwtest.h (root mode, CPU 0). */
#include "kernel/hwtest.h"

#include "boot/bootinfo.h"
#include "kernel/console.h"
#include "kernel/log.h"
#include "kernel/log_ring.h"
#include "kernel/manifest.h"
#include "kernel/option.h"
#include "kernel/report.h"
#include "kernel/reset.h"
#include "kernel/time.h"
#include "kernel/vm.h"

#define LIMIT_NS (180 * NS_PER_SECOND) /* for all VMs together */
#define SHOW_NS (15 * NS_PER_SECOND)   /* on the screen, in case the log does not survive */
#define QUOTE_MAX 600u

/* Host TSC; VTIMER_OFF: not, or not any more. */
static uint64_t limit = VTIMER_OFF, reset_at = VTIMER_OFF;

void hwtest_init(void)
{
    if (!option_has("hwtest"))
        return;
    log_printf(BOOT_HWTEST_PREFIX "started\n");
    limit = time_tsc() + time_ns_to_ticks(LIMIT_NS);
}

/* What a guest has said last: which check has failed, the benchmark's figures. */
static void quote(const struct vm *vm)
{
    char text[QUOTE_MAX];
    uint64_t put = vm->console->put, at = put > QUOTE_MAX ? put - QUOTE_MAX : 0;

    log_printf("\n%s says:\n", vm->name);
    log_text(text, console_read(vm->console, &at, text, QUOTE_MAX));
}

static bool judge(const struct boot_vm *config)
{
    const struct vm *vm = vm_find(config->name);
    bool ended = vm && vm->state == VM_ENDED;
    bool passed = ended && vm->end == VM_END_EXIT && vm->exit_status == 0;

    log_printf(BOOT_HWTEST_PREFIX "%s %s: %s (status %ld)\n", passed ? "PASS" : "FAIL",
               config->name, !vm || !vm->launches ? "not started" : ended ? vm->reason : "no end",
               ended ? (long)vm->exit_status : -1);
    return passed;
}

static void report(void)
{
    const struct boot_vm *config;
    unsigned passed = 0, all = 0;

    for (; (config = manifest_get(all)); all++) {
        if (vm_find(config->name))
            quote(vm_find(config->name));
    }
    for (all = 0; (config = manifest_get(all)); all++) /* last, for the screen */
        passed += judge(config);
    log_printf(BOOT_HWTEST_PREFIX "%u passed, %u failed, on %s\n", passed, all - passed,
               backend ? backend->name : "a machine that can't run guests");
    log_printf(BOOT_HWTEST_PREFIX BOOT_HWTEST_END "\n");
    log_printf("the machine is reset in %u seconds; the loader then writes this to the ESP\n",
               (unsigned)(SHOW_NS / NS_PER_SECOND));
    reset_at = time_tsc() + time_ns_to_ticks(SHOW_NS);
}

static void all_ended(void)
{
    if (limit == VTIMER_OFF)
        return;
    limit = VTIMER_OFF;
    report();
}

static const struct report_hook hwtest = { .name = "hwtest", .all_ended = all_ended };
SET_ADD(report_hook, hwtest);

void hwtest_check(void)
{
    uint64_t now = time_tsc();

    if (limit != VTIMER_OFF && now >= limit) {
        log_printf(BOOT_HWTEST_PREFIX "the time limit of %u seconds is over\n",
                   (unsigned)(LIMIT_NS / NS_PER_SECOND));
        all_ended();
    }
    if (now >= reset_at)
        reset_machine();
}

uint64_t hwtest_deadline(void)
{
    return MIN(limit, reset_at);
}
