/* SPDX-License-Identifier: MIT */
/* CPUID leaves and feature bits by the manuals' names (SDM 2A, CPUID; APM 3, Appendix E). */
#ifndef KERNEL_X86_CPUID_H
#define KERNEL_X86_CPUID_H

#define CPUID_VENDOR 0x0
#define CPUID_VENDOR_EBX_AMD 0x68747541u   /* "Auth" */
#define CPUID_VENDOR_EBX_HYGON 0x6f677948u /* "Hygo" */
#define CPUID_FEATURES 0x1
#define CPUID_EXT_FEATURES 0x7
#define CPUID_TOPOLOGY 0xb
#define CPUID_XSTATE 0xd
#define CPUID_TSC 0x15
#define CPUID_HYPERVISOR 0x40000000
#define CPUID_EXT_MAX 0x80000000
#define CPUID_EXT_FEATURES_AMD 0x80000001
#define CPUID_ADDRESS_SIZES 0x80000008
#define CPUID_SVM 0x8000000a

/* Leaf 1 */
#define CPUID_1_EAX_MODEL 0x0fff0ff0u /* with the family */
#define CPUID_1_ECX_SSE3 (1u << 0)
#define CPUID_1_ECX_PCLMULQDQ (1u << 1)
#define CPUID_1_ECX_VMX (1u << 5)
#define CPUID_1_ECX_SSSE3 (1u << 9)
#define CPUID_1_ECX_FMA (1u << 12)
#define CPUID_1_ECX_CX16 (1u << 13)
#define CPUID_1_ECX_PCID (1u << 17)
#define CPUID_1_ECX_SSE4_1 (1u << 19)
#define CPUID_1_ECX_SSE4_2 (1u << 20)
#define CPUID_1_ECX_X2APIC (1u << 21)
#define CPUID_1_ECX_MOVBE (1u << 22)
#define CPUID_1_ECX_POPCNT (1u << 23)
#define CPUID_1_ECX_TSC_DEADLINE (1u << 24)
#define CPUID_1_ECX_AES (1u << 25)
#define CPUID_1_ECX_XSAVE (1u << 26)
#define CPUID_1_ECX_OSXSAVE (1u << 27)
#define CPUID_1_ECX_AVX (1u << 28)
#define CPUID_1_ECX_F16C (1u << 29)
#define CPUID_1_ECX_RDRAND (1u << 30)
#define CPUID_1_ECX_HYPERVISOR (1u << 31)
#define CPUID_1_EDX_MCE (1u << 7)
#define CPUID_1_EDX_MCA (1u << 14)
#define CPUID_1_EDX_HTT (1u << 28)

/* Leaf 7, subleaf 0 */
#define CPUID_7_EBX_FSGSBASE (1u << 0)
#define CPUID_7_EBX_TSC_ADJUST (1u << 1)
#define CPUID_7_EBX_SMEP (1u << 7)
#define CPUID_7_EBX_INVPCID (1u << 10)
#define CPUID_7_EBX_SMAP (1u << 20)
#define CPUID_7_ECX_UMIP (1u << 2)
#define CPUID_7_ECX_PKU (1u << 3)
#define CPUID_7_ECX_CET_SS (1u << 7)
#define CPUID_7_ECX_LA57 (1u << 16)
#define CPUID_7_ECX_RDPID (1u << 22)
#define CPUID_7_EDX_MD_CLEAR (1u << 10)
#define CPUID_7_EDX_IBRS_IBPB (1u << 26)
#define CPUID_7_EDX_STIBP (1u << 27)
#define CPUID_7_EDX_L1D_FLUSH (1u << 28)
#define CPUID_7_EDX_ARCH_CAPABILITIES (1u << 29)
#define CPUID_7_EDX_SSBD (1u << 31)

/* Leaf 0xb, subleaf 0: threads of a core */
#define CPUID_B_EAX_SHIFT 0x1fu
#define CPUID_B_ECX_TYPE 0xff00u
#define CPUID_B_ECX_SMT 0x100u

/* Leaf 0xd, subleaf 1 */
#define CPUID_D1_EAX_XSAVES (1u << 3)

/* Leaves 0x80000001, 7, 8, 0xa */
#define CPUID_80000001_ECX_SVM (1u << 2)
#define CPUID_80000001_EDX_PAGE1GB (1u << 26)
#define CPUID_80000001_EDX_RDTSCP (1u << 27)
#define CPUID_80000008_EBX_IBPB (1u << 12)
#define CPUID_80000008_EBX_IBRS (1u << 14)
#define CPUID_80000008_EBX_STIBP (1u << 15)
#define CPUID_80000008_EBX_SSBD (1u << 24)
#define CPUID_8000000A_EDX_FLUSH_BY_ASID (1u << 6)

#endif
