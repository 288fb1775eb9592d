/* SPDX-License-Identifier: MIT */
/* NMIs, machine checks and INITs in root mode: nothing waits for a lock, nothing is lost (build
 * host). */
/* sources: kernel/trap.c kernel/mce.c kernel/page.c tests/unit/host_stubs.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/irq.h"
#include "kernel/log.h"
#include "kernel/mce.h"
#include "kernel/panic.h"
#include "kernel/trap.h"
#include "kernel/vcpu.h"
#include "kernel/x86.h"

#define BANKS 3u
#define CORRECTED (MC_STATUS_VAL | 0x99)

const char trap_stubs[1]; /* kernel/trap.S */
static struct cpu cpu;
static struct vcpu vcpu;
static uint64_t status[BANKS], global_status;
static bool handling;      /* between trap_dispatch and its return: the log's lock may be held */
static unsigned interrupts, stops;
static char said[1024];
static jmp_buf panicked;

struct cpu *this_cpu(void)
{
    return &cpu;
}

void log_printf(const char *format, ...)
{
    size_t used = strlen(said);
    va_list args;

    assert_false(handling);
    va_start(args, format);
    vsnprintf(said + used, sizeof(said) - used, format, args);
    va_end(args);
}

void panic_frame(const struct trap_frame *frame, const char *format, ...)
{
    (void)frame;
    (void)format;
    handling = false; /* the other CPUs stand still, and the log takes no lock any more */
    mce_report();
    longjmp(panicked, 1);
}

void panic_stop_if_other(void)
{
    stops++;
}

void irq_dispatch(unsigned vector)
{
    interrupts += vector == IRQ_VECTOR_FIRST;
}

struct cpuid_regs x86_test_cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)leaf;
    (void)subleaf;
    return (struct cpuid_regs){ .edx = CPUID_1_EDX_MCE | CPUID_1_EDX_MCA };
}

static uint64_t *bank_status(uint32_t msr)
{
    uint32_t bank = (msr - MSR_IA32_MC0_STATUS) / 4;

    return msr >= MSR_IA32_MC0_STATUS && msr % 4 == 1 && bank < BANKS ? &status[bank] : NULL;
}

uint64_t x86_test_rdmsr(uint32_t msr)
{
    if (msr == MSR_IA32_MCG_CAP)
        return BANKS;
    return msr == MSR_IA32_MCG_STATUS ? global_status : bank_status(msr) ? *bank_status(msr) : 0;
}

void x86_test_wrmsr(uint32_t msr, uint64_t value)
{
    if (msr == MSR_IA32_MCG_STATUS)
        global_status = value;
    else if (bank_status(msr))
        *bank_status(msr) = value;
}

static int setup(void **state)
{
    (void)state;
    cpu = (struct cpu){ .index = 3, .current = &vcpu };
    memset(&vcpu, 0, sizeof(vcpu));
    memset(status, 0, sizeof(status));
    global_status = MCG_STATUS_RIPV;
    interrupts = stops = 0;
    said[0] = '\0';
    return 0;
}

/* False: it panics. */
static bool take(uint64_t vector)
{
    static struct trap_frame frame;

    frame.vector = vector;
    if (setjmp(panicked))
        return false;
    handling = true;
    trap_dispatch(&frame);
    handling = false;
    return true;
}

static void an_nmi(void **state)
{
    (void)state;
    assert_true(take(VECTOR_NMI));
    assert_int_equal(stops, 1); /* another CPU's panic would have stopped this one */
    assert_int_equal(vcpu.requests, VCPU_REQ_YIELD); /* soon back in the scheduler */
    assert_string_equal(said, "");
    trap_report();
    assert_string_equal(said, "NMI on CPU 3, ignored\n");
    trap_report();
    assert_string_equal(said, "NMI on CPU 3, ignored\n");
}

static void without_a_guest(void **state)
{
    (void)state;
    cpu.current = NULL;
    assert_true(take(VECTOR_SX));
    assert_true(take(VECTOR_NMI));
    trap_report();
    assert_string_equal(said, "NMI on CPU 3, ignored\nINIT on CPU 3, ignored\n");
}

static void a_machine_check_that_lost_nothing(void **state)
{
    (void)state;
    status[1] = CORRECTED;
    assert_true(take(VECTOR_MC));
    assert_int_equal(global_status, 0);
    assert_int_equal(status[1], CORRECTED);
    assert_int_equal(vcpu.requests, VCPU_REQ_YIELD);
    trap_report();
    assert_non_null(strstr(said, "machine check now: CPU 3 bank 1 status 0x8"));
    assert_int_equal(status[1], 0);
}

static void machine_checks_that_are_the_end(void **state)
{
    static const uint64_t lost[] = { MC_STATUS_UC, MC_STATUS_PCC };

    for (size_t i = 0; i < ARRAY_SIZE(lost); i++) {
        setup(state);
        status[2] = CORRECTED | lost[i];
        assert_false(take(VECTOR_MC));
        assert_non_null(strstr(said, "CPU 3 bank 2 status"));
    }
    setup(state);
    global_status = 0; /* nobody knows where to go on */
    status[0] = CORRECTED;
    assert_false(take(VECTOR_MC));
    setup(state);
    status[0] = MC_STATUS_UC; /* not valid: from long ago */
    assert_true(take(VECTOR_MC));
}

static void all_else(void **state)
{
    (void)state;
    assert_true(take(IRQ_VECTOR_FIRST));
    assert_int_equal(interrupts, 1);
    assert_int_equal(cpu.noted, 0);
    assert_false(take(VECTOR_GP));
    assert_false(take(VECTOR_PF));
    assert_false(take(31));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_nmi, setup),
        cmocka_unit_test_setup(without_a_guest, setup),
        cmocka_unit_test_setup(a_machine_check_that_lost_nothing, setup),
        cmocka_unit_test_setup(machine_checks_that_are_the_end, setup),
        cmocka_unit_test_setup(all_else, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
