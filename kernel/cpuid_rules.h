/* SPDX-License-Identifier: MIT */
/*
 * The allow-list behind kernel/cpuid.c, the only file that includes this: for each leaf the bits
 * of the host's registers that a guest may see, and what is constructed instead. To offer a
 * feature, set its bit here, after making sure that its state is switched (kernel/guest_state.c).
 */
#ifndef KERNEL_CPUID_RULES_H
#define KERNEL_CPUID_RULES_H

#include "kernel/x86.h"

#define ALL 0xffffffffu
#define ANY_SUBLEAF 0xffffffffu
#define MAX_BASIC 0x16u
#define MAX_EXTENDED 0x80000008u
#define BASIC_LEAVES (MAX_BASIC + 1)

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
/* 4VNNIW, 4FMAPS, FSRM, MD_CLEAR; IBRS_IBPB, STIBP, L1D_FLUSH, ARCH_CAPABILITIES, SSBD:
 * kernel/speculation.c */
#define LEAF7_EDX 0xbc00041cu
#define LEAF13_1_EAX 0x7u     /* XSAVEOPT, XSAVEC, XGETBV(1); XSAVES only with IA32_XSS */
#define LEAF13_1_XSAVES 0x8u
#define EXT1_ECX 0x00000121u  /* LAHF, ABM, PREFETCHW */
#define EXT1_EDX 0x2c100800u  /* SYSCALL, NX, 1G pages, RDTSCP, long mode */
#define EXT1_EDX_RDTSCP (1u << 27)
/* IBPB, IBRS, STIBP, IBRS and STIBP always on or preferred, SSBD, SSB_NO, BTC_NO, IBPB_RET: AMD's.
 * Out: VIRT_SSBD, PSFD. */
#define EXT8_EBX 0x650fd000u
#define EXT7_EDX 0x00000100u  /* invariant TSC */
#define LEAF4_EAX 0x000003ffu /* type, level, flags; no sharing between vCPUs is told */
#define LEAF6_EAX 0x00000004u /* ARAT: the virtual timer never stops */
#define KVM_FEATURE_CLOCKSOURCE2 (1u << 3)
#define KVM_FEATURE_PV_EOI (1u << 6)
#define KVM_FEATURE_CLOCKSOURCE_STABLE (1u << 24)

enum special { PLAIN, FEATURES, EXT_FEATURES, TOPOLOGY, XSTATE, TSC_RATE, FREQUENCY, EXT1, EXT7,
               SIZES };

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
    { 0xd, 0, { 0, ALL, 0, 0 }, XSTATE },
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
    { 0x80000007, ANY_SUBLEAF, { 0, 0, 0, EXT7_EDX }, EXT7 },
    { 0x80000008, ANY_SUBLEAF, { 0xffff, EXT8_EBX, 0, 0 }, SIZES },
};

#endif
