/* SPDX-License-Identifier: MIT */
/*
 * Every instruction of kernel/ that C has no word for (root mode). Tests on the build host have
 * their own privileged ones.
 */
#ifndef KERNEL_X86_H
#define KERNEL_X86_H

#include "kernel/cpu.h"
#include "kernel/types.h"
#include "kernel/x86_cpuid.h"
#include "kernel/x86_regs.h"

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};

/* LGDT, LIDT, SGDT, SIDT operand */
struct __attribute__((packed)) x86_table_reg {
    uint16_t limit;
    uint64_t base;
};

#ifdef MULLION_HOST_TEST
#include "tests/unit/x86_host.h"
#else

static inline struct cpuid_regs x86_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

static inline uint64_t x86_rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    cpu_count_msr();
    return ((uint64_t)high << 32) | low;
}

/* Counted behind it: the first one gives this CPU its record. */
static inline void x86_wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
    cpu_count_msr();
}

static inline uint64_t x86_xgetbv(uint32_t index)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
    return ((uint64_t)high << 32) | low;
}

static inline void x86_xsetbv(uint32_t index, uint64_t value)
{
    __asm__ volatile("xsetbv"
                     :
                     : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

#define X86_DEFINE_REG(name, reg)                                                                  \
    static inline uint64_t x86_read_##name(void)                                                   \
    {                                                                                              \
        uint64_t value;                                                                            \
        __asm__ volatile("movq %%" reg ", %0" : "=r"(value) : : "memory");                         \
        return value;                                                                              \
    }                                                                                              \
    static inline void x86_write_##name(uint64_t value)                                            \
    {                                                                                              \
        __asm__ volatile("movq %0, %%" reg : : "r"(value) : "memory");                             \
    }

#define X86_DEFINE_IO(bits, type, suffix)                                                          \
    static inline type x86_in##bits(uint16_t port)                                                 \
    {                                                                                              \
        type value;                                                                                \
        __asm__ volatile("in" suffix " %1, %0" : "=a"(value) : "Nd"(port) : "memory");             \
        return value;                                                                              \
    }                                                                                              \
    static inline void x86_out##bits(uint16_t port, type value)                                    \
    {                                                                                              \
        __asm__ volatile("out" suffix " %0, %1" : : "a"(value), "Nd"(port) : "memory");            \
    }

#define X86_PRIVILEGED(text) __asm__ volatile(text : : : "memory")

static inline void x86_invlpg(uint64_t address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void x86_lgdt(const struct x86_table_reg *reg)
{
    __asm__ volatile("lgdt %0" : : "m"(*reg));
}

static inline void x86_lidt(const struct x86_table_reg *reg)
{
    __asm__ volatile("lidt %0" : : "m"(*reg));
}

static inline void x86_ltr(uint16_t selector)
{
    __asm__ volatile("ltr %0" : : "r"(selector) : "memory");
}

static inline void x86_lldt(uint16_t selector)
{
    __asm__ volatile("lldt %0" : : "r"(selector) : "memory");
}

/* Loads CS by a far return, and the data segments. FS and GS bases become 0. */
static inline void x86_load_segments(uint16_t code, uint16_t data)
{
    __asm__ volatile("pushq %q0\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "movl %1, %%ds\n\t"
                     "movl %1, %%es\n\t"
                     "movl %1, %%ss\n\t"
                     "movl %2, %%fs\n\t"
                     "movl %2, %%gs"
                     :
                     : "r"((uint64_t)code), "r"((uint32_t)data), "r"(0)
                     : "rax", "memory");
}

/* area: 64-byte aligned (FXSAVE: 16). */
static inline void x86_xsave(void *area, uint64_t mask)
{
    __asm__ volatile("xsave64 (%0)"
                     :
                     : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
                     : "memory");
}

static inline void x86_xrstor(const void *area, uint64_t mask)
{
    __asm__ volatile("xrstor64 (%0)"
                     :
                     : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
                     : "memory");
}

static inline void x86_fxsave(void *area)
{
    __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static inline void x86_fxrstor(const void *area)
{
    __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

/* Flushes CPU buffers where MD_CLEAR is enumerated (Intel, Deep Dive: MDS). */
static inline void x86_verw(uint16_t selector)
{
    __asm__ volatile("verw %0" : : "m"(selector) : "cc");
}

#endif

/* AMD's architecture, AMD's or another's make. */
static inline bool x86_is_amd(void)
{
    uint32_t vendor = x86_cpuid(CPUID_VENDOR, 0).ebx;

    return vendor == CPUID_VENDOR_EBX_AMD || vendor == CPUID_VENDOR_EBX_HYGON;
}

/* May IA32_PAT hold this? Types 2, 3 and all above 7 are reserved (SDM 3A, "IA32_PAT MSR"). */
static inline bool x86_pat_defined(uint64_t pat)
{
    return !(pat & 0xf8f8f8f8f8f8f8f8) && !(pat >> 1 & ~(pat >> 2) & 0x0101010101010101);
}

X86_DEFINE_REG(cr0, "cr0")
X86_DEFINE_REG(cr2, "cr2")
X86_DEFINE_REG(cr3, "cr3")
X86_DEFINE_REG(cr4, "cr4")
X86_DEFINE_REG(dr0, "dr0")
X86_DEFINE_REG(dr1, "dr1")
X86_DEFINE_REG(dr2, "dr2")
X86_DEFINE_REG(dr3, "dr3")
X86_DEFINE_REG(dr6, "dr6")

X86_DEFINE_IO(8, uint8_t, "b")
X86_DEFINE_IO(32, uint32_t, "l")

static inline void x86_cli(void)
{
    X86_PRIVILEGED("cli");
}

static inline void x86_hlt(void)
{
    X86_PRIVILEGED("hlt");
}

/* The shadow of STI covers HLT: an interrupt that is pending already still ends the halt. */
static inline void x86_sti_hlt_cli(void)
{
    X86_PRIVILEGED("sti; hlt; cli");
}

/* Takes the interrupts that are pending. */
static inline void x86_sti_nop_cli(void)
{
    X86_PRIVILEGED("sti; nop; cli");
}

/* Calls the NMI handler; its IRET ends the blocking of NMIs. */
static inline void x86_raise_nmi(void)
{
    X86_PRIVILEGED("int $2");
}

/* Also in tests: harmless for a user program. */
static inline void x86_pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

static inline void x86_mfence(void)
{
    __asm__ volatile("mfence" : : : "memory");
}

static inline void x86_lfence(void)
{
    __asm__ volatile("lfence" : : : "memory");
}

/* REP STOSQ: fast by microcode, and one instruction to an emulator. size: a multiple of 8. */
static inline void x86_zero(void *to, size_t size)
{
    size_t quads = size / 8;
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(quads) : "a"(0ull) : "memory");
}

static inline void x86_copy(void *to, const void *from, size_t size)
{
    size_t quads = size / 8, rest = size % 8;

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(quads) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
}

static inline void x86_sgdt(struct x86_table_reg *reg)
{
    __asm__ volatile("sgdt %0" : "=m"(*reg));
}

static inline void x86_sidt(struct x86_table_reg *reg)
{
    __asm__ volatile("sidt %0" : "=m"(*reg));
}

/* MMIO accesses of exactly one width. */
static inline uint32_t x86_mmio_read32(const volatile void *address)
{
    return *(const volatile uint32_t *)address;
}

static inline void x86_mmio_write32(volatile void *address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

#endif
