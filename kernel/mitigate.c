/* SPDX-License-Identifier: MIT */
/*
 * Speculation barriers as a table (root mode): what is done when a CPU changes from one VM to
 * another, and on which machines; and an erratum that a guest can stop the machine with. Source:
 * SDM 4, IA32_ARCH_CAPABILITIES, IA32_PRED_CMD, IA32_FLUSH_CMD; Intel, "Microarchitectural Data
 * Sampling", "Processor MMIO Stale Data Vulnerabilities", "Register File Data Sampling", "Machine
 * Check Error Avoidance on Page Size Change".
 */
#include "kernel/mitigate.h"

#include "kernel/desc.h"
#include "kernel/log.h"
#include "kernel/option.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

struct barrier {
    const char *name;
    bool (*needed)(uint32_t edx7, uint64_t capabilities);
    void (*run)(void);
};

static bool ibpb_needed(uint32_t edx7, uint64_t capabilities)
{
    (void)capabilities;
    /* AMD has a bit elsewhere for the same MSR (APM 2, "Indirect Branch Control Extension") */
    return (edx7 & CPUID_7_EDX_IBRS_IBPB) ||
           (x86_is_amd() &&
            (x86_cpuid(CPUID_ADDRESS_SIZES, 0).ebx & CPUID_80000008_EBX_IBPB));
}

static void ibpb(void)
{
    x86_wrmsr(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
}

static bool l1d_needed(uint32_t edx7, uint64_t capabilities)
{
    return (edx7 & CPUID_7_EDX_L1D_FLUSH) &&
           !(capabilities & (ARCH_CAP_RDCL_NO | ARCH_CAP_SKIP_L1DFL_VMENTRY));
}

static void l1d_flush(void)
{
    x86_wrmsr(MSR_IA32_FLUSH_CMD, FLUSH_CMD_L1D);
}

/* Some without MDS have TAA, MMIO Stale Data or RFDS: wherever it clears something. */
static bool verw_needed(uint32_t edx7, uint64_t capabilities)
{
    return (edx7 & CPUID_7_EDX_MD_CLEAR) ||
           (capabilities & (ARCH_CAP_FB_CLEAR | ARCH_CAP_RFDS_CLEAR));
}

static void verw(void)
{
    x86_verw(SEL_DATA);
}

static const struct barrier barriers[] = {
    { "IBPB (branch predictions)", ibpb_needed, ibpb },
    { "L1D flush (L1TF)", l1d_needed, l1d_flush },
    { "VERW (MDS and the like)", verw_needed, verw },
};
static bool chosen[ARRAY_SIZE(barriers)];

uint32_t mitigate_leaf7_edx(void)
{
    return x86_cpuid(CPUID_VENDOR, 0).eax >= CPUID_EXT_FEATURES
               ? x86_cpuid(CPUID_EXT_FEATURES, 0).edx
               : 0;
}

uint64_t mitigate_capabilities(void)
{
    return mitigate_leaf7_edx() & CPUID_7_EDX_ARCH_CAPABILITIES
               ? x86_rdmsr(MSR_IA32_ARCH_CAPABILITIES)
               : 0;
}

void mitigate_init(void)
{
    uint32_t edx7 = mitigate_leaf7_edx();
    uint64_t capabilities = mitigate_capabilities();

    if (option_has("mitigations=off")) {
        log_printf("mitigations: off by boot option\n");
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(barriers); i++) {
        chosen[i] = barriers[i].needed(edx7, capabilities);
        if (chosen[i])
            log_printf("mitigations: %s between VMs\n", barriers[i].name);
    }
}

/* Family 6 without the erratum, and without a bit that says so: Atom from Silvermont to Goldmont
 * Plus, Xeon Phi (CPUID leaf 1 EAX but for the stepping). */
static const uint32_t multihit_free[] = { 0x30670, 0x406a0, 0x406c0, 0x406d0, 0x50670, 0x506a0,
                                          0x506c0, 0x506d0, 0x506f0, 0x70650, 0x706a0, 0x80650 };

static bool has_multihit(void)
{
    uint32_t model = x86_cpuid(CPUID_FEATURES, 0).eax & CPUID_1_EAX_MODEL;

    for (size_t i = 0; i < ARRAY_SIZE(multihit_free); i++) {
        if (model == multihit_free[i])
            return false;
    }
    return !(mitigate_capabilities() & ARCH_CAP_IF_PSCHANGE_MC_NO);
}

bool mitigate_multihit(void)
{
    if (option_has("multihit=off"))
        return false;
    if (!option_has("multihit=on") && (option_has("mitigations=off") || !has_multihit()))
        return false;
    log_printf("mitigations: no large page is executed (iTLB multihit)\n");
    return true;
}

void mitigate_switch(uint64_t from, uint64_t to)
{
    if (!from || from == to)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(barriers); i++) {
        if (chosen[i])
            barriers[i].run();
    }
}

/* How far an APIC id is shifted for its core's number (SDM 2A, CPUID, leaf 0BH). */
static uint32_t core_shift(void)
{
    struct cpuid_regs r = { 0 };

    if (x86_cpuid(CPUID_VENDOR, 0).eax >= CPUID_TOPOLOGY)
        r = x86_cpuid(CPUID_TOPOLOGY, 0);
    return (r.ecx & CPUID_B_ECX_TYPE) == CPUID_B_ECX_SMT ? r.eax & CPUID_B_EAX_SHIFT : 0;
}

/* Do the two run on different threads of one core? */
static bool share_core(const struct vm *a, const struct vm *b, uint32_t shift)
{
    for (uint32_t i = 0; i < a->vcpu_count; i++) {
        for (uint32_t j = 0; j < b->vcpu_count; j++) {
            const struct cpu *one = a->vcpus[i]->cpu, *other = b->vcpus[j]->cpu;
            if (one != other && one->apic_id >> shift == other->apic_id >> shift)
                return true;
        }
    }
    return false;
}

void mitigate_warn(const struct vm *vm)
{
    uint32_t shift = core_shift();

    for (uint32_t id = 0; id < VM_MAX; id++) {
        const struct vm *other = vm_get(id);
        /* The later one says it, so that it is said once. */
        if (other && other != vm && other->launches && share_core(vm, other, shift))
            log_printf("mitigations: %s and %s run on two threads of one core: barriers do not "
                       "part them\n", vm->name, other->name);
    }
}
