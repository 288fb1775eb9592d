/* SPDX-License-Identifier: MIT */
/* CPUID policy: what is hidden, the hypervisor's leaves, topology, bits that follow CR4, XCR0. */
#include "guests/lib/guest.h"

enum reg { EAX, EBX, ECX, EDX };

struct rule {
    uint32_t leaf, subleaf;
    enum reg reg;
    uint32_t clear, set; /* bits that must be so */
    const char *what;
};

static const struct rule rules[] = {
    { 1, 0, ECX, 1u << 2 | 1u << 3 | 1u << 5 | 1u << 8, 0, "DTES64, MONITOR, VMX, TM2" },
    { 1, 0, ECX, 1u << 11 | 1u << 14 | 1u << 15 | 1u << 18, 0, "SDBG, xTPR, PDCM, DCA" },
    { 1, 0, ECX, 1u << 4 | 1u << 6 | 1u << 7, 0, "DS-CPL, SMX, EIST" },
    { 1, 0, ECX, 0, 1u << 21 | 1u << 24 | 1u << 31, "x2APIC, TSC deadline, hypervisor" },
    { 1, 0, EDX, 1u << 18 | 1u << 21 | 1u << 22 | 1u << 29 | 1u << 31, 0,
      "PSN, DS, ACPI, TM, PBE" },
    { 1, 0, EDX, 0, 1u << 0 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 9, "FPU, TSC, MSR, PAE, APIC" },
    { 7, 0, EBX, 1u << 2 | 1u << 4 | 1u << 11 | 1u << 12, 0, "SGX, HLE, RTM, PQM" },
    { 7, 0, EBX, 1u << 1 | 1u << 14 | 1u << 15 | 1u << 25, 0, "TSC_ADJUST, MPX, PQE, PT" },
    { 7, 0, ECX, 1u << 3 | 1u << 4 | 1u << 5 | 1u << 7, 0, "PKU, OSPKE, WAITPKG, CET_SS" },
    { 7, 0, ECX, 1u << 13 | 1u << 16 | 1u << 23 | 7u << 29, 0,
      "TME, LA57, KL, ENQCMD, SGX_LC, PKS" },
    { 7, 0, EDX, 1u << 18 | 1u << 19 | 1u << 20 | 7u << 22 | 3u << 24 | 1u << 30, 0,
      "PCONFIG, LBR, IBT, AMX, CORE_CAPABILITIES" },
    { 0xa, 0, EAX, ~0u, 0, "PMU" },
    { 5, 0, EAX, ~0u, 0, "MONITOR/MWAIT" },
    { 0x14, 0, EBX, ~0u, 0, "processor trace" },
    { 0x12, 0, EAX, ~0u, 0, "SGX" },
    { 0x1d, 0, EAX, ~0u, 0, "AMX" },
    { 0xd, 0, EAX, ~0xe7u, 3, "XCR0: x87 to AVX-512" },
    { 0x80000001, 0, ECX, 1u << 2, 0, "SVM" },
    { 0x80000001, 0, EDX, 0, 1u << 20 | 1u << 29, "NX, long mode" },
    { 0x40000001, 0, EAX, ~(1u << 3 | 1u << 6 | 1u << 24), 1u << 3, "KVM features" },
    { 0x40000002, 0, EAX, ~0u, 0, "no more KVM leaves" },
    { 0x400000ff, 0, EAX, ~0u, 0, "no more KVM leaves" },
    { 0x00000fff, 0, EAX, ~0u, 0, "past the last leaf" },
    { 0x80000fff, 0, EAX, ~0u, 0, "past the last leaf" },
};

static const struct rule invariant_tsc = { 0x80000007, 0, EDX, 0, 1u << 8, "invariant TSC" };

static void check_rule(const struct rule *r)
{
    struct guest_cpuid c = cpuid(r->leaf, r->subleaf);
    uint32_t regs[] = { c.eax, c.ebx, c.ecx, c.edx };
    uint32_t value = regs[r->reg];

    if ((value & r->clear) || (value & r->set) != r->set) {
        guest_printf("leaf 0x%x register %d is 0x%x\n", r->leaf, r->reg, value);
        guest_fail(__FILE__, __LINE__, r->what);
    }
    guest_checks++;
}

static bool signature(uint32_t leaf, const char *text)
{
    struct guest_cpuid c = cpuid(leaf, 0);
    uint32_t words[3] = { c.ebx, c.ecx, c.edx };
    const char *bytes = (const char *)words;

    for (unsigned i = 0; i < 12 && text[i]; i++) {
        if (bytes[i] != text[i])
            return false;
    }
    return true;
}

static void check_topology(const struct mullion_flat_info *info)
{
    struct guest_cpuid one = cpuid(1, 0);

    guest_check_equal(one.ebx >> 24, 0);
    guest_check_equal(one.ebx >> 16 & 0xff, info->vcpus);
    for (uint32_t level = 0; level < 4; level++) {
        struct guest_cpuid c = cpuid(0xb, level);
        guest_check_equal(c.ecx, level | (level < 2 ? level + 1 : 0) << 8);
        guest_check_equal(c.edx, 0);
        guest_check(level > 1 || c.ebx == (level ? info->vcpus : 1));
    }
}

/* Sizes for the components that XCR0 enables now: the end of the last one. */
static uint32_t xsave_size(uint64_t xcr0)
{
    uint32_t end = 576;

    for (uint32_t i = 2; i < 8; i++) {
        struct guest_cpuid c = cpuid(0xd, i);
        if (xcr0 >> i & 1 && c.ebx + c.eax > end)
            end = c.ebx + c.eax;
    }
    return end;
}

static void check_xsave(void)
{
    uint64_t all = cpuid(0xd, 0).eax;
    static const uint64_t values[] = { 1, 3, 7, 0xe7 };

    guest_check_equal(cpuid(1, 0).ecx >> 27 & 1, 0);
    write_cr4(read_cr4() | CR4_OSXSAVE);
    guest_check_equal(cpuid(1, 0).ecx >> 27 & 1, 1);
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        if ((values[i] & all) != values[i])
            continue;
        xsetbv(0, values[i]);
        guest_check_equal(cpuid(0xd, 0).ebx, xsave_size(values[i]));
        guest_check_equal(cpuid(0xd, 0).ecx, xsave_size(all));
    }
    write_cr4(read_cr4() & ~CR4_OSXSAVE);
    guest_check_equal(cpuid(1, 0).ecx >> 27 & 1, 0);
}

static void check_upper_halves(void)
{
    uint64_t a = 0x1122334400000000, b = ~0ull, c = 0x5566778800000000, d = ~0ull;

    __asm__ volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
    guest_check_equal((a | b | c | d) >> 32, 0);
    guest_check_equal(a, cpuid(0, 0).eax);
}

int guest_main(const struct mullion_flat_info *info)
{
    struct guest_cpuid rate = cpuid(0x15, 0);
    uint64_t hz;

    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        check_rule(&rules[i]);
    if (!guest_in_qemu_tcg()) /* which has none to offer */
        check_rule(&invariant_tsc);
    guest_check(signature(0x40000000, "KVMKVMKVM"));
    guest_check(signature(MULLION_CPUID_BASE, "MullionMulli"));
    guest_check_equal(cpuid(MULLION_CPUID_FEATURES, 0).eax, MULLION_ABI_VERSION);
    guest_check(cpuid(0x80000008, 0).eax % 256 >= 36);
    check_topology(info);
    check_xsave();
    check_upper_halves();
    guest_check(rate.eax && rate.ebx && rate.ecx);
    hz = (uint64_t)rate.ecx * rate.ebx / rate.eax;
    guest_check(info->tsc_hz - hz <= rate.ebx);
    guest_check_equal(cpuid(0x16, 0).eax, info->tsc_hz / 1000000);
    return 0;
}
