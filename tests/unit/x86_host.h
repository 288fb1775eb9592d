/* SPDX-License-Identifier: MIT */
/*
 * For kernel/x86.h on the build host: privileged instructions call a hook that a test may define,
 * x86_test_*, and otherwise do nothing and read as zero (ports: all ones).
 */
#ifndef TESTS_UNIT_X86_HOST_H
#define TESTS_UNIT_X86_HOST_H

__attribute__((weak)) struct cpuid_regs x86_test_cpuid(uint32_t leaf, uint32_t subleaf);
__attribute__((weak)) uint64_t x86_test_rdmsr(uint32_t msr);
__attribute__((weak)) void x86_test_wrmsr(uint32_t msr, uint64_t value);
__attribute__((weak)) uint64_t x86_test_read_reg(const char *name);
__attribute__((weak)) void x86_test_write_reg(const char *name, uint64_t value);
__attribute__((weak)) uint64_t x86_test_in(uint16_t port, unsigned bits);
__attribute__((weak)) void x86_test_out(uint16_t port, unsigned bits, uint64_t value);
__attribute__((weak)) void x86_test_verw(void);

static inline struct cpuid_regs x86_cpuid(uint32_t leaf, uint32_t subleaf)
{
    return x86_test_cpuid ? x86_test_cpuid(leaf, subleaf) : (struct cpuid_regs){ 0, 0, 0, 0 };
}

static inline uint64_t x86_rdmsr(uint32_t msr)
{
    return x86_test_rdmsr ? x86_test_rdmsr(msr) : 0;
}

static inline void x86_wrmsr(uint32_t msr, uint64_t value)
{
    if (x86_test_wrmsr)
        x86_test_wrmsr(msr, value);
}

static inline uint64_t x86_xgetbv(uint32_t index)
{
    (void)index;
    return 0;
}

static inline void x86_xsetbv(uint32_t index, uint64_t value)
{
    (void)index;
    (void)value;
}

#define X86_DEFINE_REG(name, reg)                                                                  \
    static inline uint64_t x86_read_##name(void)                                                   \
    {                                                                                              \
        return x86_test_read_reg ? x86_test_read_reg(reg) : 0;                                     \
    }                                                                                              \
    static inline void x86_write_##name(uint64_t value)                                            \
    {                                                                                              \
        if (x86_test_write_reg)                                                                    \
            x86_test_write_reg(reg, value);                                                        \
    }

#define X86_DEFINE_IO(bits, type, suffix)                                                          \
    static inline type x86_in##bits(uint16_t port)                                                 \
    {                                                                                              \
        return x86_test_in ? (type)x86_test_in(port, bits) : (type)~0u;                            \
    }                                                                                              \
    static inline void x86_out##bits(uint16_t port, type value)                                    \
    {                                                                                              \
        if (x86_test_out)                                                                          \
            x86_test_out(port, bits, value);                                                       \
    }

#define X86_PRIVILEGED(text) ((void)0)

static inline void x86_invlpg(uint64_t address)
{
    (void)address;
}

static inline void x86_lidt(const struct x86_table_reg *reg)
{
    (void)reg;
}

static inline void x86_verw(uint16_t selector)
{
    (void)selector;
    if (x86_test_verw)
        x86_test_verw();
}

#endif
