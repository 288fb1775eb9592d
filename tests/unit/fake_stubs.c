/* SPDX-License-Identifier: MIT */
/* Weak stand-ins for the parts of kernel/ that a test does not link (build host); see
 * tests/unit/fake_backend.h. */
#include "tests/unit/fake_backend.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/gdbstub.h"
#include "kernel/guest_state.h"
#include "kernel/irq.h"
#include "kernel/page.h"
#include "kernel/policy.h"
#include "kernel/sched.h"
#include "kernel/speculation.h"
#include "kernel/time.h"
#include "kernel/tsc_sync.h"

#define WEAK __attribute__((weak))

/* A processor without speculation controls. */
WEAK void speculation_let_pass(struct vm *vm)
{
    (void)vm;
}

WEAK int speculation_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)vcpu;
    (void)msr;
    (void)value;
    return -EINVAL;
}

WEAK int speculation_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    return speculation_read(vcpu, msr, &value);
}

WEAK void speculation_load(const struct vcpu *vcpu)
{
    (void)vcpu;
}

WEAK void speculation_put(struct vcpu *vcpu)
{
    (void)vcpu;
}

/* What kernel/vm*.c offers. */
WEAK void vm_fail(struct vm *vm, struct vcpu *vcpu, const char *format, ...)
{
    va_list arguments;

    assert_ptr_equal(vm, &fake.vm);
    (void)vcpu;
    fake.failures++;
    va_start(arguments, format);
    vsnprintf(fake.reason, sizeof(fake.reason), format, arguments);
    va_end(arguments);
}

WEAK void vm_reset(struct vm *vm, const char *reason)
{
    (void)vm;
    (void)reason;
    fake.resets++;
}

WEAK void *vm_alloc(struct vm *vm, size_t size)
{
    assert_ptr_equal(vm, &fake.vm);
    assert_true(size <= PAGE_SIZE);
    return page_zalloc();
}

WEAK int vm_map_add(struct vm *vm, gpa_t base, uint64_t size, uint32_t type)
{
    assert_true(vm->map_count < BOOT_RANGES_MAX);
    vm->map[vm->map_count++] = (struct gp_region){ base, size, type };
    return 0;
}

WEAK const struct gp_region *vm_map_find(const struct vm *vm, gpa_t gpa)
{
    for (uint32_t i = 0; i < vm->map_count; i++)
        if (gpa - vm->map[i].base < vm->map[i].size)
            return &vm->map[i];
    return NULL;
}

WEAK uint64_t vm_boot_wallclock(const struct vm *vm)
{
    (void)vm;
    return 1700000000;
}

/* Time, CPUs and the scheduler. */
WEAK uint64_t time_tsc(void)
{
    return fake.tsc;
}

WEAK uint64_t time_tsc_hz(void)
{
    return FAKE_HZ;
}

WEAK uint64_t tsc_sync_warp(void)
{
    return fake.warp;
}

WEAK void cpu_kick(struct cpu *cpu)
{
    (void)cpu;
    fake.kicks++;
}

WEAK void work_call(struct cpu *cpu, void (*fn)(void *arg), void *arg)
{
    (void)cpu;
    fn(arg);
}

WEAK void sched_add(struct vcpu *v)
{
    (void)v;
}

WEAK void sched_remove(struct vcpu *v)
{
    (void)v;
}

WEAK void sched_load(struct vcpu *v)
{
    (void)v;
}

WEAK void sched_release_cpu(void)
{
}

WEAK void sched_touched(const struct vm *vm)
{
    (void)vm;
}

WEAK bool sched_house_waits(const struct vcpu *v)
{
    (void)v;
    return false;
}

WEAK uint64_t vcpu_next_deadline(const struct vcpu *v)
{
    (void)v;
    return VTIMER_OFF;
}

WEAK void vcpu_run_timers(struct vcpu *v)
{
    (void)v;
}

WEAK bool gdbstub_exception(struct vcpu *v, const struct vmexit *exit)
{
    (void)v;
    (void)exit;
    return false;
}

WEAK bool gdbstub_stepped(struct vcpu *v)
{
    (void)v;
    return false;
}

WEAK int guest_state_init(struct vcpu *v)
{
    (void)v;
    return 0;
}

WEAK void guest_state_fini(struct vcpu *v)
{
    (void)v;
}

/* The processor that guests see. */
WEAK uint64_t policy_address_mask(void)
{
    return BIT(FAKE_PHYSICAL_BITS) - 1;
}

WEAK struct cpuid_regs cpuid_of(struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
    (void)v;
    (void)leaf;
    (void)subleaf;
    return (struct cpuid_regs){ .edx = fake.no_1g_pages ? 0 : CPUID_80000001_EDX_PAGE1GB };
}

WEAK void guest_state_reset_loaded(void)
{
}

/* x87, SSE, AVX */
WEAK uint64_t guest_state_xcr0_mask(void)
{
    return 7;
}

WEAK int guest_state_set_xcr(struct vcpu *v, uint32_t index, uint64_t value)
{
    v->xcr0 = value;
    return index == 0 && (value & 1) && !(value & ~7ull) ? 0 : -EINVAL;
}

/* Events of the physical machine. */
WEAK void irq_nmi(void)
{
}

WEAK void irq_machine_check(void)
{
}
