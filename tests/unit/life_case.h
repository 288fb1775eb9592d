/* SPDX-License-Identifier: MIT */
/*
 * For tests of the life of VMs and of the scheduler (build host): a machine with a few CPUs, on
 * each of which work runs at once, a backend and loaders that only count, and one step of a
 * creation that the test may have fail.
 */
#ifndef TESTS_UNIT_LIFE_CASE_H
#define TESTS_UNIT_LIFE_CASE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/console.h"
#include "kernel/gmem.h"
#include "kernel/guest_state.h"
#include "kernel/manifest.h"
#include "kernel/mitigate.h"
#include "kernel/page.h"
#include "kernel/policy.h"
#include "kernel/pt_host.h"
#include "kernel/report.h"
#include "kernel/rtc.h"
#include "kernel/sched.c" /* whose queues a test empties */
#include "kernel/time.h"
#include "kernel/trap.h"
#include "kernel/vdev.h"
#include "kernel/vm.h"
#include "kernel/vm_stop.h"
#include "tests/unit/host_stubs.h"

#define CPUS 4u
#define DEFINITIONS 8u
#define NS_PER_SECOND 1000000000ull /* and TSC ticks */
#define MEMORY_SIZE (4u << 20)

static struct cpu cpus[CPUS];
static struct cpu *here = &cpus[0];
static struct boot_vm *definitions; /* in fake physical memory */
static struct bootinfo boot;
static struct vconsole consoles[VM_MAX];
static uint64_t now;
static const char *failing;         /* this step of a creation gives -ENOMEM */
static unsigned failing_after;      /* so many times it goes well */
static unsigned steps_open;         /* vm_init and vcpu_init without their fini, devices too */
static unsigned all_ended;
static char said[4096];             /* the log */
static void (*guest_runs)(struct vcpu *v); /* of a test that runs the scheduler's loop */
static void (*keeps_house)(void);
static void (*barrier)(void);

struct cpu *this_cpu(void)
{
    return here;
}

uint32_t cpu_count(void)
{
    return CPUS;
}

struct cpu *cpu_get(uint32_t index)
{
    assert_true(index < CPUS);
    return &cpus[index];
}

void cpu_kick(struct cpu *cpu)
{
    (void)cpu;
}

void work_call(struct cpu *cpu, void (*fn)(void *arg), void *arg)
{
    struct cpu *before = here;

    assert_int_equal(cpu->state, CPU_ONLINE);
    here = cpu;
    fn(arg);
    here = before;
}

void work_queue(struct cpu *cpu, struct work *work)
{
    work_call(cpu, work->fn, work->arg);
}

void log_printf(const char *format, ...)
{
    size_t used = strlen(said);
    va_list args;

    va_start(args, format);
    vsnprintf(said + used, sizeof(said) - used, format, args);
    va_end(args);
}

uint64_t time_tsc(void)
{
    return now;
}

uint64_t time_ns_to_ticks(uint64_t ns)
{
    return ns;
}

uint64_t time_ticks_to_ns(uint64_t ticks)
{
    return ticks;
}

static int step(const char *name)
{
    if (!failing || strcmp(failing, name) != 0 || failing_after-- > 0)
        return 0;
    failing = NULL;
    return -ENOMEM;
}

/* Beside the backend: what a creation goes through in other files. */
int console_create(struct vm *vm)
{
    vm->console = &consoles[vm->id];
    return step("console");
}

int apicv_decide(struct vm *vm)
{
    (void)vm;
    return step("apicv");
}

int vm_load_map(struct vm *vm)
{
    (void)vm;
    return step("map");
}

int gmem_give_all(struct vm *vm)
{
    (void)vm;
    return step("memory");
}

int guest_state_init(struct vcpu *v)
{
    (void)v;
    return step("guest state");
}

int policy_init(struct vcpu *v)
{
    (void)v;
    return step("policy");
}

int vm_load(struct vm *vm)
{
    assert_ptr_equal(here, vm->vcpus[0]->cpu);
    assert_ptr_equal(here->current, vm->vcpus[0]);
    return step("load");
}

static int device_init(struct vdev *dev)
{
    int err = step("device");

    (void)dev;
    steps_open += err == 0;
    return err;
}

static void device_fini(struct vdev *dev)
{
    (void)dev;
    steps_open--;
}

static const struct vdev_type a_device = {
    .name = "first", .machines = MACHINE_ANY, .state_size = 64, .init = device_init,
    .fini = device_fini,
};
VDEV(a_device);
static const struct vdev_type another_device = {
    .name = "second", .machines = MACHINE_ANY, .order = 1, .init = device_init,
    .fini = device_fini,
};
VDEV(another_device);

static int vm_init(struct vm *vm)
{
    int err = step("vm");

    vm->backend = err ? NULL : vm;
    steps_open += err == 0;
    return err;
}

static void vm_fini(struct vm *vm)
{
    steps_open -= vm->backend != NULL;
    vm->backend = NULL;
}

static int vcpu_init(struct vcpu *v)
{
    int err = step("vcpu");

    assert_ptr_equal(here, v->cpu);
    v->backend = err ? NULL : v;
    steps_open += err == 0;
    return err;
}

static void vcpu_fini(struct vcpu *v)
{
    steps_open -= v->backend != NULL;
    v->backend = NULL;
}

static const struct pt_format *nested_format(void)
{
    return &pt_host_format;
}

static void vm_nothing(struct vm *vm)
{
    (void)vm;
}

static void vcpu_nothing(struct vcpu *v)
{
    (void)v;
}

static void intercept_idle(struct vcpu *v, bool on)
{
    (void)v;
    (void)on;
}

static const struct backend the_backend = {
    .name = "counting",
    .nested_format = nested_format,
    .vm_init = vm_init,
    .vm_fini = vm_fini,
    .vcpu_init = vcpu_init,
    .vcpu_fini = vcpu_fini,
    .load = vcpu_nothing,
    .put = vcpu_nothing,
    .intercept_idle = intercept_idle,
    .flush = vm_nothing,
};
const struct backend *backend = &the_backend;

/* kernel/exit.c, housekeeping.c, trap.c, work.c, vtimer.c: for a test that runs the loop. */
void vcpu_run(struct vcpu *v)
{
    guest_runs(v);
}

void housekeeping(void)
{
    keeps_house();
}

uint64_t housekeeping_deadline(void)
{
    return VTIMER_OFF;
}

void work_run(void)
{
}

void trap_report(void)
{
}

uint64_t vcpu_next_deadline(const struct vcpu *v)
{
    (void)v;
    return VTIMER_OFF;
}

void vcpu_run_timers(struct vcpu *v)
{
    (void)v;
}

void mitigate_switch(uint64_t from, uint64_t to)
{
    if (from && from != to && barrier)
        barrier();
}

/* What others are told. */
void console_destroy(struct vm *vm)
{
    (void)vm;
}

void console_vm_ended(struct vm *vm)
{
    memset(&vm->console->hooks, 0, sizeof(vm->console->hooks));
}

void report_vm_defined(const struct vm *vm)
{
    assert_int_equal(vm->state, VM_READY);
}

void report_vm_end(struct vm *vm)
{
    assert_int_equal(vm->state, VM_STOPPING);
}

void report_vm_gone(struct vm *vm)
{
    (void)vm;
}

void report_if_all_ended(void)
{
    all_ended++;
}

void report_vcpu(struct vcpu *v)
{
    (void)v;
}

void gmem_take_all(struct vm *vm)
{
    (void)vm;
}

void guest_state_fini(struct vcpu *v)
{
    (void)v;
}

void guest_state_load(struct vcpu *v)
{
    (void)v;
}

void guest_state_put(struct vcpu *v)
{
    (void)v;
}

void guest_state_reset_loaded(void)
{
}

void mitigate_warn(const struct vm *vm)
{
    (void)vm;
}

uint64_t rtc_wallclock(void)
{
    return 1700000000;
}

void time_set_wakeup(uint64_t tsc)
{
    (void)tsc;
}

static inline bool was_said(const char *text)
{
    return strstr(said, text);
}

/* A definition: `vcpus` that share CPUs, or one on each CPU of a list that ends with 0. */
static struct boot_vm *define(const char *name, unsigned vcpus, const uint16_t *list)
{
    struct boot_vm *config = &definitions[boot.vm_count++];

    assert_true(boot.vm_count <= DEFINITIONS);
    *config = (struct boot_vm){ .kind = BOOT_VM_FLAT, .autostart = 1, .vcpu_count = vcpus };
    snprintf(config->name, sizeof(config->name), "%s", name);
    for (; list && *list; list++) {
        config->exclusive = 1;
        config->cpus[config->vcpu_count++] = *list;
    }
    return config;
}

static inline uint64_t free_pages(void)
{
    return page_get_stats().free_pages;
}

/* Its vCPUs leave their loops, as they do soon after a request to stop. */
static void leave(struct vm *vm)
{
    uint32_t count = vm->vcpu_count;

    for (uint32_t i = 0; i < count; i++)
        vm_vcpu_left(vm->vcpus[i]);
}

/* An empty machine and manifest. */
static int setup(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < CPUS; i++)
        cpus[i] = (struct cpu){ .self = &cpus[i], .index = i, .state = CPU_ONLINE };
    here = &cpus[0];
    memset(queues, 0, sizeof(queues));
    memset(consoles, 0, sizeof(consoles));
    host_pages_init(PAGE_2M, MEMORY_SIZE);
    while (page_scrub_step())
        ;
    boot = (struct bootinfo){ .vms = page_alloc(PAGE_ORDER_4K + 4) };
    definitions = page_ptr(boot.vms);
    now = NS_PER_SECOND;
    failing = NULL;
    steps_open = all_ended = 0;
    said[0] = '\0';
    return 0;
}

/* All VMs go, and with them all that they had. */
static int teardown(void **state)
{
    (void)state;
    for (uint32_t id = 0; id < VM_MAX; id++) {
        if (!vm_get(id))
            continue;
        if (vm_kill(vm_get(id)) == 0)
            leave(vm_get(id));
        assert_int_equal(vm_destroy(vm_get(id)), 0);
    }
    assert_int_equal(steps_open, 0);
    for (uint32_t i = 0; i < CPUS; i++)
        assert_null(queues[i].head);
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#endif
