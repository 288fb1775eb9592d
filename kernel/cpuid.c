/* SPDX-License-Identifier: MIT */
/*
 * CPUID as guests see it (root mode): an allow-list. A register of a leaf is the host's value
 * under a mask, or constructed; leaves without a row are zero. Kept per vCPU as a table, so that
 * an exit only looks it up. Source: SDM 2A, "CPUID"; Linux, Documentation/virt/kvm/x86/cpuid.rst.
 */
#include <errno.h>

#include "guests/abi.h"
#include "kernel/cpuid_rules.h"
#include "kernel/exit.h"
#include "kernel/guest_state.h"
#include "kernel/page.h"
#include "kernel/policy.h"
#include "kernel/time.h"
#include "kernel/tsc_sync.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"

/* A row of a vCPU's table; rows of one leaf stand together, the any-subleaf row last. */
struct row {
    uint32_t leaf, subleaf;
    struct cpuid_regs regs;
    bool live; /* depends on CR4, XCR0 or the subleaf: completed at the exit */
};

#define ROWS_MAX 48u
struct cpuid_table {
    const struct cpuid_regs *plain[BASIC_LEAVES]; /* one answer, always the same; NULL: others */
    uint32_t count;
    struct row rows[ROWS_MAX];
};
_Static_assert(sizeof(struct cpuid_table) <= PAGE_SIZE, "one page");
_Static_assert(ARRAY_SIZE(rules) + 4 <= ROWS_MAX, "rows");

#define OSXSAVE_BIT CPUID_1_ECX_OSXSAVE
#define SMT_LEVEL_TYPE (1u << 8)
#define CORE_LEVEL_TYPE (2u << 8)

static void features(struct vcpu *v, struct cpuid_regs *r)
{
    r->ebx |= v->apic_id << 24 | v->vm->config->vcpu_count << 16;
    r->ecx |= LEAF1_ECX_OURS;
    if (v->vm->config->vcpu_count > 1)
        r->edx |= CPUID_1_EDX_HTT;
}

static unsigned bits_for(uint32_t count)
{
    return count > 1 ? 32 - (unsigned)__builtin_clz(count - 1) : 0;
}

/* Every vCPU is a core of one package. */
static void topology(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
    uint32_t count = v->vm->config->vcpu_count;

    r->edx = v->apic_id;
    r->ecx = subleaf & 0xff;
    if (subleaf == 0) {
        r->ebx = 1;
        r->ecx |= SMT_LEVEL_TYPE;
    } else if (subleaf == 1) {
        r->eax = bits_for(count);
        r->ebx = count;
        r->ecx |= CORE_LEVEL_TYPE;
    } else {
        r->ecx = 0;
    }
}

#define XSAVE_LEGACY_AND_HEADER 576u

/* Of an area for all that is offered: the processor's own figure may count more. */
static uint32_t xsave_size(uint64_t offered)
{
    uint32_t size = offered ? XSAVE_LEGACY_AND_HEADER : 0;

    for (uint32_t i = 2; i < 64; i++) {
        if (offered >> i & 1) {
            struct cpuid_regs r = x86_cpuid(CPUID_XSTATE, i);
            size = MAX(size, r.eax + r.ebx);
        }
    }
    return size;
}

static void xstate(uint32_t subleaf, struct cpuid_regs *r)
{
    if (subleaf == 0) {
        r->eax = (uint32_t)guest_state_xcr0_mask();
        r->ecx = xsave_size(r->eax);
    } else if (backend->features() & VFEATURE_XSAVES) {
        r->eax |= LEAF13_1_XSAVES & x86_cpuid(CPUID_XSTATE, 1).eax;
    }
}

/* TSC = crystal * EBX / EAX; the virtual APIC timer counts at the crystal's rate. */
static void tsc_rate(struct cpuid_regs *r)
{
    uint64_t hz = time_tsc_hz();
    uint32_t ratio = (uint32_t)(hz >> 32) + 1;

    r->eax = 1;
    r->ebx = ratio;
    r->ecx = (uint32_t)(hz / ratio);
}

static void special(struct vcpu *v, const struct rule *rule, struct cpuid_regs *r)
{
    switch (rule->special) {
    case FEATURES:
        features(v, r);
        break;
    case EXT_FEATURES:
        if (!(backend->features() & VFEATURE_INVPCID))
            r->ebx &= ~CPUID_7_EBX_INVPCID;
        if (!(backend->features() & VFEATURE_RDTSCP)) /* RDPID goes with it */
            r->ecx &= ~CPUID_7_ECX_RDPID;
        break;
    case TOPOLOGY:
        topology(v, rule->subleaf, r);
        break;
    case XSTATE:
        xstate(rule->subleaf, r);
        break;
    case TSC_RATE:
        tsc_rate(r);
        break;
    case FREQUENCY:
        r->eax = r->ebx = (uint32_t)(time_tsc_hz() / 1000000);
        break;
    case EXT1:
        if (!(backend->features() & VFEATURE_RDTSCP))
            r->edx &= ~EXT1_EDX_RDTSCP;
        break;
    case EXT7:
        r->edx = tsc_sync_warp() ? 0 : r->edx; /* time would go backwards between vCPUs */
        break;
    default:
        break;
    }
}

static struct cpuid_regs host_under_mask(const struct rule *rule)
{
    bool extended = rule->leaf >= CPUID_EXT_MAX;
    struct cpuid_regs r = { 0 };

    if (rule->leaf > x86_cpuid(extended ? CPUID_EXT_MAX : 0, 0).eax)
        return r;
    r = x86_cpuid(rule->leaf, rule->subleaf == ANY_SUBLEAF ? 0 : rule->subleaf);
    r.eax &= rule->mask[0];
    r.ebx &= rule->mask[1];
    r.ecx &= rule->mask[2];
    r.edx &= rule->mask[3];
    return r;
}

static void add_row(struct cpuid_table *t, uint32_t leaf, uint32_t subleaf, struct cpuid_regs r)
{
    uint32_t n = t->count++;

    t->rows[n] = (struct row){ leaf, subleaf, r,
                               leaf == CPUID_FEATURES || (leaf == CPUID_XSTATE && subleaf < 2) ||
                                   (leaf == CPUID_TOPOLOGY && subleaf == ANY_SUBLEAF) };
    if (leaf < BASIC_LEAVES && subleaf == ANY_SUBLEAF && !t->rows[n].live)
        t->plain[leaf] = &t->rows[n].regs;
}

static void add_hypervisor_leaves(struct cpuid_table *t, const struct vm *vm)
{
    /* the processor takes an EOI without an exit, and without looking at the guest's flag */
    uint32_t pv_eoi = vm->apicv ? 0 : KVM_FEATURE_PV_EOI;
    uint32_t ours = vm->config->host_figures ? MULLION_FEATURE_HOST_FIGURES : 0;
    uint32_t stable = tsc_sync_warp() ? 0 : KVM_FEATURE_CLOCKSOURCE_STABLE;

    /* Linux looks for KVM's signature here, and uses exactly what the feature word offers */
    add_row(t, CPUID_HYPERVISOR, ANY_SUBLEAF,
            (struct cpuid_regs){ CPUID_HYPERVISOR + 1, 0x4b4d564b, 0x564b4d56, 0x4d });
    add_row(t, CPUID_HYPERVISOR + 1, ANY_SUBLEAF,
            (struct cpuid_regs){ KVM_FEATURE_CLOCKSOURCE2 | stable | pv_eoi, 0, 0, 0 });
    add_row(t, MULLION_CPUID_BASE, ANY_SUBLEAF, /* "MullionMulli" */
            (struct cpuid_regs){ MULLION_CPUID_FEATURES, 0x6c6c754d, 0x4d6e6f69, 0x696c6c75 });
    add_row(t, MULLION_CPUID_FEATURES, ANY_SUBLEAF,
            (struct cpuid_regs){ MULLION_ABI_VERSION, MULLION_FEATURE_EXIT_COUNTS | ours, 0, 0 });
}

static struct row *find(struct cpuid_table *t, uint32_t leaf, uint32_t subleaf)
{
    for (struct row *row = t->rows; row < &t->rows[t->count]; row++) {
        if (row->leaf == leaf && (row->subleaf == ANY_SUBLEAF || row->subleaf == subleaf))
            return row;
    }
    return NULL;
}

int cpuid_init(struct vcpu *v)
{
    struct cpuid_table *t = vm_alloc(v->vm, sizeof(*t));

    if (!t)
        return -ENOMEM;
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        struct cpuid_regs r = host_under_mask(&rules[i]);
        special(v, &rules[i], &r);
        add_row(t, rules[i].leaf, rules[i].subleaf, r);
    }
    find(t, 0, 0)->regs.eax = MAX_BASIC;
    find(t, 6, 0)->regs.eax = LEAF6_EAX;
    find(t, CPUID_EXT_MAX, 0)->regs.eax = MAX_EXTENDED;
    add_hypervisor_leaves(t, v->vm);
    v->cpuid = t;
    return 0;
}

/* Bits that follow the guest's CR4 and XCR0, which are in the processor now. */
static void complete(struct vcpu *v, const struct row *row, uint32_t subleaf,
                     struct cpuid_regs *r)
{
    if (row->leaf == CPUID_FEATURES) {
        if ((r->ecx & CPUID_1_ECX_XSAVE) && (vcpu_get(v, VREG_CR4) & CR4_OSXSAVE))
            r->ecx |= OSXSAVE_BIT;
        return;
    }
    if (row->leaf == CPUID_TOPOLOGY)
        r->ecx = subleaf & 0xff; /* levels that do not exist still tell their number */
    else
        r->ebx = x86_cpuid(CPUID_XSTATE, row->subleaf).ebx;
}

struct cpuid_regs cpuid_of(struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
    const struct row *row = find(v->cpuid, leaf, subleaf);
    struct cpuid_regs r = { 0 };

    if (!row)
        return r;
    r = row->regs;
    if (unlikely(row->live))
        complete(v, row, subleaf, &r);
    return r;
}

static enum verdict answer(struct vcpu *v, const struct cpuid_regs *r)
{
    v->gpr[RAX] = r->eax;
    v->gpr[RBX] = r->ebx;
    v->gpr[RCX] = r->ecx;
    v->gpr[RDX] = r->edx;
    return VERDICT_NEXT;
}

static __attribute__((noinline)) enum verdict answer_slowly(struct vcpu *v)
{
    uint32_t leaf = (uint32_t)v->gpr[RAX], subleaf = (uint32_t)v->gpr[RCX];
    struct cpuid_regs r;

    if (leaf < CPUID_HYPERVISOR || leaf >= CPUID_EXT_MAX || !course_leaf(v, leaf, &r))
        r = cpuid_of(v, leaf, subleaf);
    return answer(v, &r);
}

static enum verdict on_cpuid(struct vcpu *v, struct vmexit *exit)
{
    uint32_t leaf = (uint32_t)v->gpr[RAX];

    (void)exit;
    if (likely(leaf < BASIC_LEAVES && v->cpuid->plain[leaf]))
        return answer(v, v->cpuid->plain[leaf]);
    return answer_slowly(v);
}
EXIT_HANDLER(EXIT_CPUID, on_cpuid);
