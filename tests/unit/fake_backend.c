/* SPDX-License-Identifier: MIT */
/* See tests/unit/fake_backend.h (build host). */
#include "tests/unit/fake_backend.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/gmem.h"
#include "kernel/guest_state.h"
#include "kernel/page.h"
#include "kernel/sched.h"
#include "kernel/time.h"
#include "tests/unit/host_stubs.h"
#include "vmx/ept.h"

#define WEAK __attribute__((weak))
#define HOST_MEMORY (16ull << 20)
#define STALE 0xdeadbeefdeadbeefull /* in copies that are not valid */

struct fake_backend fake;

static uint64_t copy(struct vcpu *v, enum vreg reg)
{
    if (reg == VREG_RIP && !fake.copied[0])
        v->rip = fake.regs[reg];
    if (reg == VREG_RFLAGS && !fake.copied[1])
        v->rflags = fake.regs[reg];
    if (reg == VREG_SHADOW && !fake.copied[2])
        v->shadow = (uint32_t)fake.regs[reg];
    fake.copied[reg == VREG_RIP ? 0 : reg == VREG_RFLAGS ? 1 : 2] = true;
    return reg == VREG_RIP ? v->rip : reg == VREG_RFLAGS ? v->rflags : v->shadow;
}

static uint64_t get(struct vcpu *v, enum vreg reg)
{
    assert_ptr_equal(v, &fake.vcpus[0]);
    if (reg == VREG_RIP || reg == VREG_RFLAGS || reg == VREG_SHADOW)
        return copy(v, reg);
    if (reg == VREG_CS_ACCESS)
        return fake.segments[VSEG_CS].access;
    if (reg == VREG_CPL)
        return fake.segments[VSEG_SS].access >> SEGMENT_ACCESS_DPL_SHIFT & 3;
    return fake.regs[reg];
}

static void set(struct vcpu *v, enum vreg reg, uint64_t value)
{
    assert_ptr_equal(v, &fake.vcpus[0]);
    assert_true(reg != VREG_CPL && reg != VREG_CS_ACCESS);
    if (reg == VREG_RIP) {
        v->rip = value;
        v->dirty |= VCPU_DIRTY_RIP;
        fake.copied[0] = true;
    } else if (reg == VREG_RFLAGS) {
        v->rflags = value;
        v->dirty |= VCPU_DIRTY_RFLAGS;
        fake.copied[1] = true;
    } else {
        fake.regs[reg] = value;
    }
}

void fake_write_back(void)
{
    struct vcpu *v = &fake.vcpus[0];

    if (v->dirty & VCPU_DIRTY_RIP)
        fake.regs[VREG_RIP] = v->rip;
    if (v->dirty & VCPU_DIRTY_RFLAGS)
        fake.regs[VREG_RFLAGS] = v->rflags;
    if (v->dirty & VCPU_DIRTY_SHADOW)
        fake.regs[VREG_SHADOW] &= ~(uint64_t)VCPU_SHADOW_MASK;
    v->dirty = 0;
}

/* The copies after an exit, of an instruction or not. */
static void begin(bool instruction)
{
    struct vcpu *v = &fake.vcpus[0];

    memset(fake.copied, instruction, sizeof(fake.copied));
    v->rip = instruction ? fake.regs[VREG_RIP] : STALE;
    v->rflags = instruction ? fake.regs[VREG_RFLAGS] : STALE;
    v->shadow = instruction ? (uint32_t)fake.regs[VREG_SHADOW] : (uint32_t)STALE;
}

static void run(struct vcpu *v, struct vmexit *exit)
{
    assert_ptr_equal(v, &fake.vcpus[0]);
    fake_write_back();
    fake.entries++;
    *exit = (struct vmexit){ .kind = EXIT_NONE };
    fake.guest(exit);
    begin(exit->length > 0);
}

static void inject(struct vcpu *v)
{
    fake.injections++;
    fake.injected = v->event;
}

static void get_segment(struct vcpu *v, enum vseg seg, struct vsegment *out)
{
    assert_ptr_equal(v, &fake.vcpus[0]);
    *out = fake.segments[seg];
}

static void set_segment(struct vcpu *v, enum vseg seg, const struct vsegment *in)
{
    assert_ptr_equal(v, &fake.vcpus[0]);
    fake.segments[seg] = *in;
}

static bool interruptible(struct vcpu *v)
{
    return (get(v, VREG_RFLAGS) & RFLAGS_IF) && !(get(v, VREG_SHADOW) & VCPU_SHADOW_MASK);
}

static bool nmi_ready(struct vcpu *v)
{
    return !(get(v, VREG_SHADOW) & 0xb); /* STI, MOV SS, NMI */
}

static void window(struct vcpu *v, unsigned windows)
{
    (void)v;
    fake.windows = windows;
}

static void set_timer(struct vcpu *v, uint64_t tsc)
{
    (void)v;
    fake.timer = tsc;
}

static uint32_t features(void)
{
    return fake.features;
}

static void intercept_msr(struct vm *vm, uint32_t msr, unsigned how)
{
    assert_ptr_equal(vm, &fake.vm);
    assert_true(fake.msr_count < FAKE_MSRS_MAX);
    fake.msrs[fake.msr_count++] = (struct fake_msr){ msr, how };
}

static void flush(struct vm *vm)
{
    (void)vm;
    fake.flushes++;
}

static void flush_linear(struct vcpu *v)
{
    (void)v;
    fake.linear_flushes++;
}

static void vcpu_reset(struct vcpu *v)
{
    (void)v;
    fake_real();
}

/* Codes 0 to 9 exist, 5 is switched off, 7 is not defined. */
static const char *exit_name(unsigned code)
{
    return code < 10 && code != 7 ? "some" : NULL;
}

static bool exit_enabled(unsigned code)
{
    return code < 10 && code != 7 && code != 5;
}

static const struct backend the_backend = {
    .name = "fake",
    .exit_codes = FAKE_EXIT_CODES,
    .features = features,
    .vcpu_reset = vcpu_reset,
    .run = run,
    .get = get,
    .set = set,
    .get_segment = get_segment,
    .set_segment = set_segment,
    .inject = inject,
    .interruptible = interruptible,
    .nmi_ready = nmi_ready,
    .window = window,
    .set_timer = set_timer,
    .intercept_msr = intercept_msr,
    .flush = flush,
    .flush_linear = flush_linear,
    .exit_name = exit_name,
    .exit_enabled = exit_enabled,
};
const struct backend *backend = &the_backend;

/* An interrupt controller with at most one interrupt. */
static bool intc_has(struct vcpu *v)
{
    (void)v;
    return fake.vector >= 0;
}

static int intc_take(struct vcpu *v)
{
    int vector = fake.vector;

    (void)v;
    fake.vector = -1;
    return vector;
}

static int intc_msr_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v;
    fake.intc_msr = msr;
    *value = msr;
    return 0;
}

static int intc_msr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)v;
    (void)value;
    fake.intc_msr = msr;
    return 0;
}

static int intc_pv_eoi(struct vcpu *v, uint64_t value)
{
    (void)v;
    return value & 2 ? -EINVAL : 0;
}

static uint64_t intc_cr8_read(struct vcpu *v)
{
    (void)v;
    return fake.cr8;
}

static int intc_cr8_write(struct vcpu *v, uint64_t value)
{
    (void)v;
    fake.cr8 = value;
    return value > 15 ? -EINVAL : 0;
}

static void intc_reset(struct vcpu *v)
{
    (void)v;
}

static const struct intc_ops intc = {
    .has = intc_has, .wakes = intc_has, .take = intc_take,
    .msr_read = intc_msr_read, .msr_write = intc_msr_write, .pv_eoi_msr = intc_pv_eoi,
    .cr8_read = intc_cr8_read, .cr8_write = intc_cr8_write, .reset = intc_reset,
};

/* A device of plain registers that writes down what is done to it. */
static void note(uint64_t offset, unsigned size, uint64_t value, bool write)
{
    assert_true(fake.access_count < ARRAY_SIZE(fake.accesses));
    assert_true(lock_held(&fake.vm.lock));
    fake.accesses[fake.access_count++] = (struct fake_access){ offset, value, size, write };
}

static uint64_t device_read(struct vdev *dev, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    (void)dev;
    memcpy(&value, (uint8_t *)fake.registers + offset, size);
    note(offset, size, value, false);
    return value;
}

static void device_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)
{
    (void)dev;
    note(offset, size, value, true);
    memcpy((uint8_t *)fake.registers + offset, &value, size);
}

static void segment(enum vseg seg, uint16_t selector, uint32_t limit, uint32_t access)
{
    fake.segments[seg] = (struct vsegment){ selector, limit, access, 0 };
}

static void segments(uint32_t code, uint32_t data, uint32_t limit)
{
    for (unsigned seg = VSEG_ES; seg <= VSEG_GS; seg++)
        segment((enum vseg)seg, seg == VSEG_CS ? 8 : 16, limit, seg == VSEG_CS ? code : data);
}

void fake_real(void)
{
    segments(0x9b, 0x93, UINT16_MAX);
    fake.regs[VREG_CR0] = CR0_ET;
    fake.regs[VREG_CR4] = fake.regs[VREG_EFER] = 0;
}

void fake_protected(void)
{
    segments(0xc09b, 0xc093, UINT32_MAX);
    fake.regs[VREG_CR0] = CR0_ET | CR0_PE;
    fake.regs[VREG_CR4] = fake.regs[VREG_EFER] = 0;
}

void fake_long(void)
{
    segments(0xa09b, 0xc093, UINT32_MAX);
    fake.regs[VREG_CR0] = CR0_PG | CR0_WP | CR0_ET | CR0_PE;
    fake.regs[VREG_CR4] = CR4_PAE;
    fake.regs[VREG_EFER] = EFER_LME | EFER_LMA | EFER_NXE;
}

void fake_cpl(unsigned cpl)
{
    uint32_t mask = 3u << SEGMENT_ACCESS_DPL_SHIFT, dpl = cpl << SEGMENT_ACCESS_DPL_SHIFT;

    fake.segments[VSEG_CS].access = (fake.segments[VSEG_CS].access & ~mask) | dpl;
    fake.segments[VSEG_SS].access = (fake.segments[VSEG_SS].access & ~mask) | dpl;
}

void fake_create(uint64_t memory, uint32_t backing)
{
    memset(&fake, 0, sizeof(fake));
    host_pages_init(PAGE_2M, HOST_MEMORY);
    fake.vector = -1;
    fake.features = VFEATURE_RDTSCP | VFEATURE_INVPCID | VFEATURE_XSAVES;
    fake.timer = VTIMER_OFF;
    fake.config.backing = backing;
    fake.config.vcpu_count = FAKE_VCPUS;
    fake.vm.config = &fake.config;
    fake.vm.intc = &intc;
    fake.vm.memory = memory;
    strcpy(fake.vm.name, "test");
    lock_init(&fake.vm.lock, LOCK_RANK_VM, "vm");
    fake.vm.vcpu_count = FAKE_VCPUS;
    for (uint32_t i = 0; i < FAKE_VCPUS; i++) {
        fake.vcpus[i] = (struct vcpu){ .vm = &fake.vm, .id = i, .apic_id = i, .cpu = this_cpu(),
                                       .slice_end = VTIMER_OFF, .state = VCPU_RUNNABLE };
        fake.vm.vcpus[i] = &fake.vcpus[i];
    }
    fake.regs[VREG_RFLAGS] = RFLAGS_FIXED1;
    fake.vm.map[fake.vm.map_count++] = (struct gp_region){ 0, memory, GP_RAM, "RAM" };
    assert_int_equal(pt_init(&fake.vm.nested, &ept_format), 0);
    assert_int_equal(gmem_give_all(&fake.vm), 0);
    assert_int_equal(iobus_add(&fake.vm.mmio, FAKE_MMIO, PAGE_SIZE, NULL, device_read,
                               device_write), 0);
    assert_int_equal(iobus_add(&fake.vm.pio, FAKE_PORT, 8, NULL, device_read, device_write), 0);
    fake_protected();
}

void fake_destroy(void)
{
    assert_int_equal(host_locks_held(), 0);
    memset(&fake, 0, sizeof(fake));
}

enum verdict fake_handle(struct vmexit *exit)
{
    begin(exit->length > 0);
    SET_FOREACH(p, exit_handler)
        if ((*p)->kind == exit->kind)
            return (*p)->handle(&fake.vcpus[0], exit);
    fail_msg("exit kind %u has no handler that is linked", exit->kind);
    return VERDICT_STOP;
}

void fake_poke(gpa_t gpa, uint64_t value, unsigned size)
{
    assert_int_equal(gmem_write(&fake.vm, gpa, &value, size), 0);
}

uint64_t fake_peek(gpa_t gpa, unsigned size)
{
    uint64_t value = 0;

    assert_int_equal(gmem_read(&fake.vm, gpa, &value, size), 0);
    return value;
}

/* error_code: -1: none is pushed. */
void assert_exception(unsigned vector, int error_code)
{
    const struct vevent *event = &fake.vcpus[0].event;

    assert_int_equal(event->type, VEVENT_EXCEPTION);
    assert_int_equal(event->vector, vector);
    assert_int_equal(event->has_error_code, error_code >= 0);
    if (error_code >= 0)
        assert_int_equal(event->error_code, error_code);
}

void assert_no_event(void)
{
    assert_int_equal(fake.vcpus[0].event.type, VEVENT_NONE);
    assert_int_equal(fake.failures, 0);
}

/* Registers of the processor that a loaded vCPU has for itself. */
uint64_t x86_test_read_reg(const char *name)
{
    return strcmp(name, "dr6") == 0 ? fake.dr6 : strcmp(name, "cr2") == 0 ? fake.cr2 : 0;
}

void x86_test_write_reg(const char *name, uint64_t value)
{
    if (strcmp(name, "dr6") == 0)
        fake.dr6 = value;
    if (strcmp(name, "cr2") == 0)
        fake.cr2 = value;
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

WEAK bool sched_house_waits(void)
{
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

WEAK int guest_state_init(struct vcpu *v)
{
    (void)v;
    return 0;
}

WEAK void guest_state_fini(struct vcpu *v)
{
    (void)v;
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
