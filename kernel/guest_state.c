/* SPDX-License-Identifier: MIT */
/*
 * The processor state that is switched between vCPUs (root mode). The hypervisor itself uses
 * none of it: it has no FPU code, no system calls, no debug registers.
 */
#include "kernel/guest_state.h"

#include <errno.h>
#include <string.h>

#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/speculation.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

struct guest_state {
    uint64_t offered; /* guest_state_xcr0_mask(), since CPUID takes long where we are a guest */
    uint64_t tsc_aux;
    uint64_t dr[4];
};

/* Not offered: MPX, PKRU, AMX (each needs more than its bit here). */
#define XCR0_OFFERED                                                                               \
    (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM)
#define XCR0_AVX512 (XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM)

uint64_t guest_state_xcr0_mask(void)
{
    struct cpuid_regs r;

    if (!(x86_cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_XSAVE))
        return 0;
    r = x86_cpuid(CPUID_XSTATE, 0);
    return XCR0_OFFERED & (r.eax | (uint64_t)r.edx << 32);
}

/* The initial FPU state (SDM 1, "XSAVE Area": FCW 037fh, MXCSR 1f80h); all else is zero. */
static void init_area(uint8_t *area)
{
    area[0] = 0x7f;
    area[1] = 0x03;
    area[24] = 0x80;
    area[25] = 0x1f;
}

int guest_state_init(struct vcpu *v)
{
    struct guest_state *s = vm_alloc(v->vm, sizeof(*s));

    if (!s)
        return -ENOMEM;
    /* XCR0_OFFERED needs 2,688 bytes at most: one page */
    v->fpu = page_zalloc();
    if (!v->fpu)
        return -ENOMEM;
    init_area(v->fpu);
    s->offered = guest_state_xcr0_mask();
    v->switched = s;
    v->xcr0 = XCR0_X87;
    return 0;
}

void guest_state_fini(struct vcpu *v)
{
    page_zfree(v->fpu);
    v->fpu = NULL;
}

static uint64_t offered(const struct vcpu *v)
{
    return ((const struct guest_state *)v->switched)->offered;
}

static void load_fpu(const struct vcpu *v)
{
    uint64_t mask = offered(v);

    if (!mask) {
        x86_fxrstor(v->fpu);
        return;
    }
    x86_xsetbv(0, mask);
    x86_xrstor(v->fpu, mask);
    x86_xsetbv(0, v->xcr0);
}

static void put_fpu(struct vcpu *v)
{
    uint64_t mask = offered(v);

    if (!mask) {
        x86_fxsave(v->fpu);
        return;
    }
    x86_xsetbv(0, mask);
    x86_xsave(v->fpu, mask);
}

void guest_state_load(struct vcpu *v)
{
    const struct guest_state *s = v->switched;

    load_fpu(v);
    speculation_load(v);
    if (backend->features() & VFEATURE_RDTSCP)
        x86_wrmsr(MSR_IA32_TSC_AUX, s->tsc_aux);
    x86_write_dr0(s->dr[0]);
    x86_write_dr1(s->dr[1]);
    x86_write_dr2(s->dr[2]);
    x86_write_dr3(s->dr[3]);
}

void guest_state_reset_loaded(void)
{
    x86_write_dr0(0);
    x86_write_dr1(0);
    x86_write_dr2(0);
    x86_write_dr3(0);
}

void guest_state_put(struct vcpu *v)
{
    struct guest_state *s = v->switched;

    guest_state_see_xcr0(v);
    put_fpu(v);
    speculation_put(v);
    if (backend->features() & VFEATURE_RDTSCP)
        s->tsc_aux = x86_rdmsr(MSR_IA32_TSC_AUX);
    s->dr[0] = x86_read_dr0();
    s->dr[1] = x86_read_dr1();
    s->dr[2] = x86_read_dr2();
    s->dr[3] = x86_read_dr3();
}

/* SDM 1, "XSAVE-Supported Features and State-Component Bitmaps" */
static bool xcr0_valid(const struct vcpu *v, uint64_t value)
{
    uint64_t avx512 = value & XCR0_AVX512;

    if (!(value & XCR0_X87) || value & ~offered(v))
        return false;
    if ((value & XCR0_AVX) && !(value & XCR0_SSE))
        return false;
    return !avx512 || (avx512 == XCR0_AVX512 && (value & XCR0_AVX));
}

void guest_state_see_xcr0(struct vcpu *v)
{
    if (offered(v))
        v->xcr0 = x86_xgetbv(0);
}

int guest_state_set_xcr(struct vcpu *v, uint32_t index, uint64_t value)
{
    if (index != 0 || !xcr0_valid(v, value))
        return -EINVAL;
    v->xcr0 = value;
    x86_xsetbv(0, value);
    return 0;
}
