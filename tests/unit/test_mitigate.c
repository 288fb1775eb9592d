/* SPDX-License-Identifier: MIT */
/* Barriers between VMs, and the warning that two share a core (build host). */
/* sources: kernel/mitigate.c */
/* flags: -Wl,--wrap=log_printf */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/option.h"
#include "kernel/mitigate.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

static struct cpu cpus[4];
static struct vcpu vcpus[2];
static struct vm vms[2] = { { .name = "one" }, { .name = "two" } };
static uint32_t leaves, thread_bits, level_type, vendor_ebx, sizes_ebx, barriers;
static char logged[400];

void __wrap_log_printf(const char *format, ...);
void __wrap_log_printf(const char *format, ...)
{
    size_t used = strlen(logged);
    va_list args;

    va_start(args, format);
    vsnprintf(logged + used, sizeof(logged) - used, format, args);
    va_end(args);
}

struct cpuid_regs x86_test_cpuid(uint32_t leaf, uint32_t subleaf)
{
    if (leaf == CPUID_VENDOR)
        return (struct cpuid_regs){ .eax = leaves, .ebx = vendor_ebx };
    if (leaf == CPUID_ADDRESS_SIZES)
        return (struct cpuid_regs){ .ebx = sizes_ebx };
    if (leaf == CPUID_EXT_FEATURES)
        return (struct cpuid_regs){ .eax = 0 };
    assert_int_equal(subleaf, 0);
    return (struct cpuid_regs){ .eax = thread_bits, .ecx = level_type };
}

void x86_test_wrmsr(uint32_t msr, uint64_t value)
{
    assert_int_equal(msr, MSR_IA32_PRED_CMD);
    assert_int_equal(value, PRED_CMD_IBPB);
    barriers++;
}

bool option_has(const char *word)
{
    (void)word;
    return false;
}

struct vm *vm_get(uint32_t id)
{
    return id < ARRAY_SIZE(vms) ? &vms[id] : NULL;
}

static bool warned(uint32_t first, uint32_t second)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(cpus); i++)
        cpus[i].apic_id = i;
    vcpus[0].cpu = &cpus[first];
    vcpus[1].cpu = &cpus[second];
    for (uint32_t i = 0; i < 2; i++) {
        vms[i].vcpus[0] = &vcpus[i];
        vms[i].vcpu_count = 1;
    }
    logged[0] = '\0';
    mitigate_warn(&vms[1]);
    assert_true(!logged[0] || strstr(logged, "two and one run on two threads of one core"));
    return logged[0];
}

static void threads_of_a_core(void **state)
{
    (void)state;
    leaves = CPUID_TOPOLOGY;
    thread_bits = 1;
    level_type = CPUID_B_ECX_SMT;
    assert_true(warned(2, 3));
    assert_true(warned(1, 0));
    assert_false(warned(1, 2));
    assert_false(warned(2, 2)); /* taking turns: barriers serve */
    vms[0].vcpu_count = 0;      /* created, and ended since */
    mitigate_warn(&vms[1]);
    assert_string_equal(logged, "");
}

static void no_threads(void **state)
{
    (void)state;
    leaves = CPUID_TOPOLOGY;
    thread_bits = 0;
    level_type = CPUID_B_ECX_SMT;
    assert_false(warned(2, 3));
    thread_bits = 4;
    level_type = 0; /* the leaf is empty */
    assert_false(warned(2, 3));
    leaves = CPUID_EXT_FEATURES; /* there is none */
    level_type = CPUID_B_ECX_SMT;
    assert_false(warned(2, 3));
}

/* Between VMs, where the vendor's own bit says that there is one. */
static void barrier_on_amd(void **state)
{
    (void)state;
    sizes_ebx = CPUID_80000008_EBX_IBPB;
    vendor_ebx = 0;
    mitigate_init();
    mitigate_switch(1, 2);
    assert_int_equal(barriers, 0);
    vendor_ebx = CPUID_VENDOR_EBX_AMD;
    mitigate_init();
    mitigate_switch(0, 1);
    mitigate_switch(1, 1);
    assert_int_equal(barriers, 0);
    mitigate_switch(1, 2);
    assert_int_equal(barriers, 1);
    vendor_ebx = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_of_a_core),
        cmocka_unit_test(no_threads),
        cmocka_unit_test(barrier_on_amd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
