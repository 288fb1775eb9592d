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
static uint32_t signature, edx7, verws;
static uint64_t capabilities;
static const char *option = "";
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
    if (leaf == CPUID_FEATURES)
        return (struct cpuid_regs){ .eax = signature };
    if (leaf == CPUID_EXT_FEATURES)
        return (struct cpuid_regs){ .edx = edx7 };
    assert_int_equal(subleaf, 0);
    return (struct cpuid_regs){ .eax = thread_bits, .ecx = level_type };
}

uint64_t x86_test_rdmsr(uint32_t msr)
{
    assert_int_equal(msr, MSR_IA32_ARCH_CAPABILITIES);
    return capabilities;
}

void x86_test_wrmsr(uint32_t msr, uint64_t value)
{
    assert_int_equal(msr, MSR_IA32_PRED_CMD);
    assert_int_equal(value, PRED_CMD_IBPB);
    barriers++;
}

bool option_has(const char *word)
{
    return strcmp(word, option) == 0;
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
    vms[0].launches = 0;
    mitigate_warn(&vms[1]);
    assert_string_equal(logged, ""); /* the other one will say it when it starts */
    vms[0].launches = 1;
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

void x86_test_verw(void)
{
    verws++;
}

/* Not MDS alone: SDM 4, IA32_ARCH_CAPABILITIES, FB_CLEAR and RFDS_CLEAR. */
static void verw_where_it_clears(void **state)
{
    static const struct {
        uint32_t edx7;
        uint64_t capabilities;
        bool runs;
    } rows[] = {
        { 0, 0, false },
        { CPUID_7_EDX_MD_CLEAR, 0, true },
        { CPUID_7_EDX_MD_CLEAR | CPUID_7_EDX_ARCH_CAPABILITIES, BIT(5) /* MDS_NO */, true },
        { CPUID_7_EDX_ARCH_CAPABILITIES, BIT(5), false },
        { CPUID_7_EDX_ARCH_CAPABILITIES, ARCH_CAP_FB_CLEAR, true },
        { CPUID_7_EDX_ARCH_CAPABILITIES, ARCH_CAP_RFDS_CLEAR, true },
    };

    (void)state;
    leaves = CPUID_EXT_FEATURES;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        edx7 = rows[i].edx7;
        capabilities = rows[i].capabilities;
        verws = 0;
        mitigate_init();
        mitigate_switch(1, 2);
        assert_int_equal(verws, rows[i].runs);
    }
    edx7 = 0;
}

/* Signatures: SDM 2A, CPUID, leaf 01H EAX. */
static void multihit_by_the_processor(void **state)
{
    static const struct {
        uint32_t signature;
        bool has;
    } models[] = {
        { 0x106a5, true },  /* Nehalem */
        { 0x306c3, true },  /* Haswell */
        { 0x50654, true },  /* Skylake server */
        { 0x906ea, true },  /* Coffee Lake */
        { 0x406c3, false }, /* Airmont */
        { 0x506c9, false }, /* Goldmont */
        { 0x706a1, false }, /* Goldmont Plus */
        { 0x80650, false }, /* Knights Mill */
        { 0x00f43, true },  /* another family: the model's number means nothing */
    };

    (void)state;
    leaves = CPUID_EXT_FEATURES;
    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        signature = models[i].signature;
        edx7 = 0;
        capabilities = ARCH_CAP_IF_PSCHANGE_MC_NO; /* of a register that does not exist */
        assert_int_equal(mitigate_multihit(), models[i].has);
        edx7 = CPUID_7_EDX_ARCH_CAPABILITIES;
        assert_false(mitigate_multihit()); /* new microcode says so */
        capabilities = ~(uint64_t)ARCH_CAP_IF_PSCHANGE_MC_NO;
        assert_int_equal(mitigate_multihit(), models[i].has);
    }
    edx7 = 0;
}

static void multihit_by_option(void **state)
{
    (void)state;
    leaves = CPUID_EXT_FEATURES;
    signature = 0x50654;
    logged[0] = '\0';
    option = "multihit=off";
    assert_false(mitigate_multihit());
    option = "mitigations=off";
    assert_false(mitigate_multihit());
    assert_string_equal(logged, "");
    signature = 0x506c9;
    option = "multihit=on";
    assert_true(mitigate_multihit());
    assert_string_equal(logged, "mitigations: no large page is executed (iTLB multihit)\n");
    option = "";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_of_a_core),
        cmocka_unit_test(no_threads),
        cmocka_unit_test(barrier_on_amd),
        cmocka_unit_test(verw_where_it_clears),
        cmocka_unit_test(multihit_by_the_processor),
        cmocka_unit_test(multihit_by_option),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
