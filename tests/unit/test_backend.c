/* SPDX-License-Identifier: MIT */
/* Which backend is taken, and that one that a CPU refuses is not used (build host). */
/* sources: kernel/backend.c kernel/page.c tests/unit/host_stubs.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/backend.h"
#include "kernel/cpu.h"
#include "kernel/log.h"

#define CPUS 4u

static struct cpu cpus[CPUS];
static struct cpu *here;
static int probes[2], refused_by; /* results of probe(); the CPU that can't */
static uint32_t on;               /* CPUs, as a mask */
static char said[512];

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
    return &cpus[index];
}

void work_call(struct cpu *cpu, void (*fn)(void *arg), void *arg)
{
    here = cpu;
    fn(arg);
    here = &cpus[0];
}

void log_printf(const char *format, ...)
{
    size_t used = strlen(said);
    va_list args;

    va_start(args, format);
    vsnprintf(said + used, sizeof(said) - used, format, args);
    va_end(args);
}

static int probe_first(void)
{
    return probes[0];
}

static int probe_second(void)
{
    return probes[1];
}

static int cpu_on(struct cpu *cpu)
{
    assert_ptr_equal(cpu, this_cpu());
    if ((int)cpu->index == refused_by)
        return -ENOTSUP;
    on |= 1u << cpu->index;
    return 0;
}

static const struct backend first = { .name = "first", .probe = probe_first, .cpu_on = cpu_on };
BACKEND(first);
static const struct backend second = { .name = "second", .probe = probe_second, .cpu_on = cpu_on };
BACKEND(second);

static int setup(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < CPUS; i++)
        cpus[i] = (struct cpu){ .index = i, .state = CPU_ONLINE };
    cpus[2].state = CPU_FAILED;
    here = &cpus[0];
    backend = NULL;
    probes[0] = probes[1] = 0;
    refused_by = -1;
    on = 0;
    said[0] = '\0';
    return 0;
}

static void the_one_that_can(void **state)
{
    (void)state;
    probes[1] = -ENODEV;
    assert_int_equal(backend_select(), 0);
    assert_string_equal(backend->name, "first");
    probes[0] = -ENODEV;
    probes[1] = 0;
    assert_int_equal(backend_select(), 0);
    assert_string_equal(backend->name, "second");
    backend = NULL;
    probes[0] = probes[1] = -ENOTSUP;
    assert_int_equal(backend_select(), -ENOTSUP);
    assert_null(backend);
}

static void on_all_cpus_that_are_there(void **state)
{
    (void)state;
    assert_int_equal(backend_select(), 0);
    assert_int_equal(backend_start(), 0);
    assert_int_equal(on, 0xb);
    assert_non_null(backend);
}

static void refused_by_one_cpu(void **state)
{
    (void)state;
    refused_by = 1;
    probes[1] = -ENODEV;
    assert_int_equal(backend_select(), 0);
    assert_int_equal(backend_start(), -ENOTSUP);
    assert_null(backend); /* so no VM can be created */
    assert_non_null(strstr(said, "first can't be switched on on CPU 1"));
    assert_int_equal(on, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_one_that_can, setup),
        cmocka_unit_test_setup(on_all_cpus_that_are_there, setup),
        cmocka_unit_test_setup(refused_by_one_cpu, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
