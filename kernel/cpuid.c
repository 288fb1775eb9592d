/* SPDX-License-Identifier: MIT */
/*
 * CPUID as guests see it (root mode): an allow-list. A register of a leaf is the host's value
 * under a mask, or constructed; leaves without a row are zero. Kept per vCPU as a table, so that
 * an exit only looks it up. Source: SDM 2A, "CPUID"; Linux, Documentation/virt/kvm/x86/cpuid.rst.
 */
#include <errno.h>

#include "guests/abi.h"
#include "kernel/exit.h"
#include "kernel/guest_state.h"
#include "kernel/page.h"
#include "kernel/policy.h"
#include "kernel/time.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"

#define ALL 0xffffffffu
#define ANY_SUBLEAF 0xffffffffu
#define MAX_BASIC 0x16u
#define MAX_EXTENDED 0x80000008u
#define BASIC_LEAVES (MAX_BASIC + 1)
#define EXTENDED_LEAVES (MAX_EXTENDED - 0x80000000u + 1)

/* In: SSE to AVX-512, AES, RDRAND, XSAVE, x2APIC, TSC deadline. Out: MONITOR (we do not sleep in
 * guests), DTES, VMX, SMX, thermal monitoring, PDCM, DCA. */
#define LEAF1_ECX                                                                                  \
    (CPUID_1_ECX_SSE3 | CPUID_1_ECX_PCLMULQDQ | CPUID_1_ECX_SSSE3 | CPUID_1_ECX_FMA |              \
     CPUID_1_ECX_CX16 | CPUID_1_ECX_PCID | CPUID_1_ECX_SSE4_1 | CPUID_1_ECX_SSE4_2 |               \
     CPUID_1_ECX_MOVBE | CPUID_1_ECX_POPCNT | CPUID_1_ECX_AES | CPUID_1_ECX_XSAVE |                \
     CPUID_1_ECX_AVX | CPUID_1_ECX_F16C | CPUID_1_ECX_RDRAND)
#define LEAF1_ECX_OURS (CPUID_1_ECX_X2APIC | CPUID_1_ECX_TSC_DEADLINE | CPUID_1_ECX_HYPERVISOR)
/* In: FPU to CMOV, CLFSH, MMX, FXSR, SSE. Out: DS, ACPI, SS, TM, PBE, PSN. HTT is constructed. */
#define LEAF1_EDX 0x078bfbffu
#define LEAF1_EBX_KEEP 0x0000ff00u /* CLFLUSH line size */
/* FSGSBASE, BMI1, AVX2, SMEP, BMI2, ERMS, INVPCID, AVX512F/DQ, RDSEED, ADX, SMAP, IFMA, CLFLUSHOPT,
 * CLWB, AVX512CD, SHA, AVX512BW/VL. Out: TSC_ADJUST, SGX, HLE, RTM, MPX, PQM, PT. */
#define LEAF7_EBX 0xf1bf07a9u
/* VBMI, UMIP, VBMI2, GFNI, VAES, VPCLMULQDQ, VNNI, BITALG, VPOPCNTDQ, RDPID. Out: PKU, WAITPKG,
 * LA57, CET, TME, KL, ENQCMD, PKS. */
#define LEAF7_ECX 0x00405f46u
/* 4VNNIW, 4FMAPS, FSRM; no speculation MSRs: they are not switched */
#define LEAF7_EDX 0x0000001cu
#define LEAF13_1_EAX 0x7u     /* XSAVEOPT, XSAVEC, XGETBV(1); XSAVES only with IA32_XSS */
#define LEAF13_1_XSAVES 0x8u
#define EXT1_ECX 0x00000121u  /* LAHF, ABM, PREFETCHW */
#define EXT1_EDX 0x2c100800u  /* SYSCALL, NX, 1G pages, RDTSCP, long mode */
#define EXT1_EDX_RDTSCP (1u << 27)
#define EXT7_EDX 0x00000100u  /* invariant TSC */
#define LEAF4_EAX 0x000003ffu /* type, level, flags; no sharing between vCPUs is told */
#define LEAF6_EAX 0x00000004u /* ARAT: the virtual timer never stops */
#define KVM_FEATURE_CLOCKSOURCE2 (1u << 3)
#define KVM_FEATURE_PV_EOI (1u << 6)
#define KVM_FEATURE_CLOCKSOURCE_STABLE (1u << 24)

enum special { PLAIN, FEATURES, EXT_FEATURES, TOPOLOGY, XSTATE, TSC_RATE, FREQUENCY, EXT1, SIZES };

struct rule {
    uint32_t leaf, subleaf;
    uint32_t mask[4]; /* of the host's EAX, EBX, ECX, EDX */
    enum special special;
};

static const struct rule rules[] = {
    { 0x0, ANY_SUBLEAF, { 0, ALL, ALL, ALL }, PLAIN }, /* vendor; EAX: set below */
    { 0x1, ANY_SUBLEAF, { ALL, LEAF1_EBX_KEEP, LEAF1_ECX, LEAF1_EDX }, FEATURES },
    { 0x2, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, PLAIN }, /* cache descriptors */
    { 0x4, 0, { LEAF4_EAX, ALL, ALL, ALL }, PLAIN },
    { 0x4, 1, { LEAF4_EAX, ALL, ALL, ALL }, PLAIN },
    { 0x4, 2, { LEAF4_EAX, ALL, ALL, ALL }, PLAIN },
    { 0x4, 3, { LEAF4_EAX, ALL, ALL, ALL }, PLAIN },
    { 0x6, ANY_SUBLEAF, { 0, 0, 0, 0 }, PLAIN },
    { 0x7, 0, { 0, LEAF7_EBX, LEAF7_ECX, LEAF7_EDX }, EXT_FEATURES },
    { 0xb, 0, { 0, 0, 0, 0 }, TOPOLOGY },
    { 0xb, 1, { 0, 0, 0, 0 }, TOPOLOGY },
    { 0xb, ANY_SUBLEAF, { 0, 0, 0, 0 }, TOPOLOGY },
    { 0xd, 0, { 0, ALL, ALL, 0 }, XSTATE },
    { 0xd, 1, { LEAF13_1_EAX, ALL, 0, 0 }, XSTATE },
    { 0xd, 2, { ALL, ALL, ALL, 0 }, PLAIN }, /* AVX */
    { 0xd, 5, { ALL, ALL, ALL, 0 }, PLAIN }, /* AVX-512 */
    { 0xd, 6, { ALL, ALL, ALL, 0 }, PLAIN },
    { 0xd, 7, { ALL, ALL, ALL, 0 }, PLAIN },
    { 0x15, ANY_SUBLEAF, { 0, 0, 0, 0 }, TSC_RATE },
    { 0x16, ANY_SUBLEAF, { 0, 0, 0, 0 }, FREQUENCY },
    { 0x80000000, ANY_SUBLEAF, { 0, ALL, ALL, ALL }, PLAIN },
    { 0x80000001, ANY_SUBLEAF, { 0, 0, EXT1_ECX, EXT1_EDX }, EXT1 },
    { 0x80000002, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, PLAIN }, /* brand string */
    { 0x80000003, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, PLAIN },
    { 0x80000004, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, PLAIN },
    { 0x80000005, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, PLAIN }, /* caches */
    { 0x80000006, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, PLAIN },
    { 0x80000007, ANY_SUBLEAF, { 0, 0, 0, EXT7_EDX }, PLAIN },
    { 0x80000008, ANY_SUBLEAF, { 0xffff, 0, 0, 0 }, SIZES },
};

/* A row of a vCPU's table; rows of one leaf stand together, the any-subleaf row last. */
struct row {
    uint32_t leaf, subleaf;
    struct cpuid_regs regs;
    bool live; /* depends on CR4 or XCR0: completed at the exit */
};

#define ROWS_MAX 48u
struct cpuid_table {
    uint8_t basic[BASIC_LEAVES]; /* row number + 1 of the leaf's first row */
    uint8_t extended[EXTENDED_LEAVES];
    uint32_t count;
    struct row rows[ROWS_MAX];
};
_Static_assert(sizeof(struct cpuid_table) <= PAGE_SIZE, "one page");
_Static_assert(ARRAY_SIZE(rules) + 6 <= ROWS_MAX, "rows");

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

static void xstate(uint32_t subleaf, struct cpuid_regs *r)
{
    if (subleaf == 0)
        r->eax = (uint32_t)guest_state_xcr0_mask();
    else if (backend->features() & VFEATURE_XSAVES)
        r->eax |= LEAF13_1_XSAVES & x86_cpuid(CPUID_XSTATE, 1).eax;
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
    uint8_t *first = leaf < BASIC_LEAVES ? &t->basic[leaf]
                     : leaf - CPUID_EXT_MAX < EXTENDED_LEAVES ? &t->extended[leaf - CPUID_EXT_MAX]
                                                             : NULL;

    t->rows[n] = (struct row){ leaf, subleaf, r,
                               leaf == CPUID_FEATURES || (leaf == CPUID_XSTATE && subleaf < 2) };
    if (first && !*first)
        *first = (uint8_t)(n + 1);
}

static void add_hypervisor_leaves(struct cpuid_table *t)
{
    /* Linux looks for KVM's signature here, and uses exactly what the feature word offers */
    add_row(t, CPUID_HYPERVISOR, ANY_SUBLEAF,
            (struct cpuid_regs){ CPUID_HYPERVISOR + 1, 0x4b4d564b, 0x564b4d56, 0x4d });
    add_row(t, CPUID_HYPERVISOR + 1, ANY_SUBLEAF,
            (struct cpuid_regs){ KVM_FEATURE_CLOCKSOURCE2 | KVM_FEATURE_PV_EOI |
                                     KVM_FEATURE_CLOCKSOURCE_STABLE,
                                 0, 0, 0 });
    add_row(t, MULLION_CPUID_BASE, ANY_SUBLEAF, /* "MullionMulli" */
            (struct cpuid_regs){ MULLION_CPUID_FEATURES, 0x6c6c754d, 0x4d6e6f69, 0x696c6c75 });
    add_row(t, MULLION_CPUID_FEATURES, ANY_SUBLEAF,
            (struct cpuid_regs){ MULLION_ABI_VERSION, MULLION_FEATURE_EXIT_COUNTS, 0, 0 });
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
    t->rows[t->basic[0] - 1].regs.eax = MAX_BASIC;
    t->rows[t->basic[6] - 1].regs.eax = LEAF6_EAX;
    t->rows[t->extended[0] - 1].regs.eax = MAX_EXTENDED;
    add_hypervisor_leaves(t);
    v->cpuid = t;
    return 0;
}

static const struct row *find(const struct cpuid_table *t, uint32_t leaf, uint32_t subleaf)
{
    uint32_t n = 0;

    if (leaf < BASIC_LEAVES)
        n = t->basic[leaf];
    else if (leaf - CPUID_EXT_MAX < EXTENDED_LEAVES)
        n = t->extended[leaf - CPUID_EXT_MAX];
    else
        n = (uint32_t)ARRAY_SIZE(rules) + 1;
    if (!n)
        return NULL;
    for (n--; n < t->count; n++) {
        const struct row *row = &t->rows[n];
        if (row->leaf == leaf && (row->subleaf == subleaf || row->subleaf == ANY_SUBLEAF))
            return row;
        if (row->leaf != leaf && leaf < CPUID_HYPERVISOR)
            return NULL;
    }
    return NULL;
}

/* Bits that follow the guest's CR4 and XCR0, which are in the processor now. */
static void complete(struct vcpu *v, const struct row *row, struct cpuid_regs *r)
{
    if (row->leaf == CPUID_FEATURES) {
        if ((r->ecx & CPUID_1_ECX_XSAVE) && (vcpu_get(v, VREG_CR4) & CR4_OSXSAVE))
            r->ecx |= OSXSAVE_BIT;
        return;
    }
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
        complete(v, row, &r);
    if (leaf == CPUID_TOPOLOGY && subleaf > 1)
        r.ecx = subleaf & 0xff;
    return r;
}

static enum verdict on_cpuid(struct vcpu *v, struct vmexit *exit)
{
    uint32_t leaf = (uint32_t)v->gpr[RAX], subleaf = (uint32_t)v->gpr[RCX];
    struct cpuid_regs r;

    (void)exit;
    if (unlikely(leaf >= CPUID_HYPERVISOR && leaf < CPUID_EXT_MAX) && course_leaf(v, leaf, &r))
        ;
    else
        r = cpuid_of(v, leaf, subleaf);
    v->gpr[RAX] = r.eax;
    v->gpr[RBX] = r.ebx;
    v->gpr[RCX] = r.ecx;
    v->gpr[RDX] = r.edx;
    return VERDICT_NEXT;
}
EXIT_HANDLER(EXIT_CPUID, on_cpuid);
