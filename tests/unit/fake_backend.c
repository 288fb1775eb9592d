/* SPDX-License-Identifier: MIT */
/* The backend of tests/unit/fake_backend.h (build host). */
#include "tests/unit/fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/exit_loop.h"

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
        v->dirty |= VCPU_RIP;
        fake.copied[0] = true;
    } else if (reg == VREG_RFLAGS) {
        v->rflags = value;
        v->dirty |= VCPU_RFLAGS;
        fake.copied[1] = true;
    } else {
        fake.regs[reg] = value;
    }
}

void fake_write_back(void)
{
    struct vcpu *v = &fake.vcpus[0];

    if (v->dirty & VCPU_RIP)
        fake.regs[VREG_RIP] = v->rip;
    if (v->dirty & VCPU_RFLAGS)
        fake.regs[VREG_RFLAGS] = v->rflags;
    if (v->dirty & VCPU_SHADOW)
        fake.regs[VREG_SHADOW] &= ~(uint64_t)VCPU_SHADOW_MASK;
    v->dirty = 0;
}

/* The copies after an exit, of an instruction or not. */
void fake_begin(bool instruction)
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
    fake_begin(exit->length > 0);
}

static void loop(struct vcpu *v)
{
    exit_loop(v, run);
}

static void code(struct vcpu *v, struct vcode *out)
{
    get(v, VREG_RIP);
    get(v, VREG_RFLAGS);
    get(v, VREG_SHADOW);
    *out = (struct vcode){ fake.regs[VREG_CR3], fake.segments[VSEG_CS].access };
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
    assert_true(code < FAKE_EXIT_CODES);
    return code < 10 && code != 7 ? "some" : NULL;
}

static bool exit_enabled(unsigned code)
{
    return code < 10 && code != 7 && code != 5;
}

static const struct backend the_backend = {
    .name = "fake",
    .exit_codes = FAKE_EXIT_CODES,
    .pdpte_registers = true,
    .features = features,
    .vcpu_reset = vcpu_reset,
    .loop = loop,
    .get = get,
    .set = set,
    .get_segment = get_segment,
    .set_segment = set_segment,
    .code = code,
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
