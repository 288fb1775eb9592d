/* SPDX-License-Identifier: MIT */
/* CPUID leaves for coursework, with the numbers that test.yaml gives them (guest). */
#include "guests/lib/guest.h"

#define TOTAL_EXITS 0x4ffffffcu
#define TOTAL_CYCLES 0x4ffffffdu
#define EXITS_BY_REASON 0x4ffffffeu
#define CYCLES_BY_REASON 0x4fffffffu
/* SDM 3D, Appendix C: with AMD-V too */
#define REASON_CPUID 10
#define REASON_VMCALL 18
#define REASON_IO 30
#define REASON_MTF 37
#define REASONS 78 /* SDM 3D, Appendix C: 0 to 77 */
#define CALLS 50
#define ATTEMPTS 100
#define UNDEFINED 0xffffffffu

static uint64_t cycles(uint32_t leaf, uint32_t reason)
{
    struct guest_cpuid c = cpuid(leaf, reason);

    return (uint64_t)c.ebx << 32 | c.ecx;
}

static void check_reasons(void)
{
    static const uint32_t undefined[] = { 35, 38, 42, 78, 79, 200, 255, 256, 65536, 0xffffffff };

    for (size_t i = 0; i < ARRAY_SIZE(undefined); i++) {
        guest_check_equal(cpuid(EXITS_BY_REASON, undefined[i]).edx, UNDEFINED);
        guest_check_equal(cpuid(CYCLES_BY_REASON, undefined[i]).edx, UNDEFINED);
    }
    for (uint32_t reason = 0; reason < 35; reason++)
        guest_check_equal(cpuid(EXITS_BY_REASON, reason).edx, 0);
    guest_check_equal(cpuid(EXITS_BY_REASON, REASON_MTF).eax, 0);
    guest_check_equal(cpuid(EXITS_BY_REASON, REASON_MTF).edx, 0);
    guest_check_equal(cycles(CYCLES_BY_REASON, REASON_MTF), 0);
}

/* Those with exits, but for CPUID, whose figures change by asking. */
static uint32_t find_used(uint32_t used[REASONS])
{
    uint32_t count = 0;

    for (uint32_t reason = 0; reason < REASONS; reason++) {
        if (reason != REASON_CPUID && cpuid(EXITS_BY_REASON, reason).eax)
            used[count++] = reason;
    }
    return count;
}

/* As docs/manifest.md says it. False: an exit of another reason (an interrupt) came between. */
static bool totals_are_sums(void)
{
    uint32_t used[REASONS], count = find_used(used), start = cpuid(TOTAL_EXITS, 0).eax;
    uint64_t exits = 0, spent = 0, first, total, last;
    uint32_t end, cpuids;

    for (uint32_t i = 0; i < count; i++) {
        exits += cpuid(EXITS_BY_REASON, used[i]).eax;
        spent += cycles(CYCLES_BY_REASON, used[i]);
    }
    first = cycles(CYCLES_BY_REASON, REASON_CPUID);
    total = cycles(TOTAL_CYCLES, 0);
    last = cycles(CYCLES_BY_REASON, REASON_CPUID);
    end = cpuid(TOTAL_EXITS, 0).eax;
    cpuids = cpuid(EXITS_BY_REASON, REASON_CPUID).eax; /* with the one that asked for `end` */
    if (end - start != 2 * count + 4 || find_used(used) != count)
        return false;
    guest_check(spent + first < total);
    guest_check(total < spent + last);
    guest_check_equal(end, exits + cpuids);
    return true;
}

static void check_totals(void)
{
    unsigned attempts = 0;

    while (!totals_are_sums() && ++attempts < ATTEMPTS)
        ;
    guest_check(attempts < ATTEMPTS);
}

int guest_main(const struct mullion_flat_info *info)
{
    uint32_t total = cpuid(TOTAL_EXITS, 0).eax, calls = cpuid(EXITS_BY_REASON, REASON_VMCALL).eax;
    uint64_t spent = cycles(TOTAL_CYCLES, 0), in_calls = cycles(CYCLES_BY_REASON, REASON_VMCALL);
    uint32_t cpuids = cpuid(EXITS_BY_REASON, REASON_CPUID).eax;
    uint32_t io = cpuid(EXITS_BY_REASON, REASON_IO).eax;

    (void)info;
    for (unsigned i = 0; i < CALLS; i++)
        guest_hypercall(MULLION_HC_NOP, 0, 0);
    guest_check_equal(cpuid(EXITS_BY_REASON, REASON_VMCALL).eax, calls + CALLS);
    guest_check_equal(cpuid(EXITS_BY_REASON, REASON_CPUID).eax, cpuids + 4); /* and vendor: once */
    guest_check_equal(cpuid(EXITS_BY_REASON, REASON_IO).eax, io);
    guest_check(cpuid(TOTAL_EXITS, 0).eax >= total + CALLS + 5);
    guest_check(cycles(TOTAL_CYCLES, 0) > spent);
    guest_check(cycles(CYCLES_BY_REASON, REASON_VMCALL) - in_calls >= CALLS);
    guest_check_equal(cpuid(TOTAL_EXITS, 0).edx, 0);
    check_reasons();
    check_totals();
    guest_printf("%u exits, %lu cycles\n", cpuid(TOTAL_EXITS, 0).eax, cycles(TOTAL_CYCLES, 0));
    return 0;
}
