/* SPDX-License-Identifier: MIT */
/*
 * x87, SSE, AVX and AVX-512 registers survive exits, and the use by the other vCPUs of this VM, of
 * which two share a physical CPU at least. XSETBV refuses what the manual forbids.
 */
#include "guests/lib/guest.h"

#define CPUS 3
#define AREA_SIZE 4096u
#define LEGACY_XMM 160u
#define HEADER 512u
#define HEADER_SIZE 64u
#define FCW 0u
#define FTW 4u
#define MXCSR 24u
#define MXCSR_MASK 28u
#define ST0 32u
#define ROUNDS 40u

static uint8_t area[CPUS][2][AREA_SIZE] __attribute__((aligned(64)));
static uint8_t stacks[CPUS][8192] __attribute__((aligned(16)));
static volatile unsigned finished;
static uint64_t hz;

static void xsave(void *to, uint64_t mask)
{
    __asm__ volatile("xsave64 (%0)" : : "r"(to), "a"((uint32_t)mask), "d"(0) : "memory");
}

static void xrstor(const void *from, uint64_t mask)
{
    __asm__ volatile("xrstor64 (%0)" : : "r"(from), "a"((uint32_t)mask), "d"(0) : "memory");
}

static void fill(uint8_t *bytes, unsigned size, unsigned seed)
{
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(seed + i * 7);
}

/* A valid area whose registers all hold the seed's pattern. */
static void make(uint8_t *a, uint64_t mask, unsigned seed)
{
    memset(a, 0, AREA_SIZE);
    *(uint16_t *)(void *)(a + FCW) = seed % 2 ? 0x37f : 0x27f;
    a[FTW] = 0xff;
    *(uint32_t *)(void *)(a + MXCSR) = seed % 2 ? 0x1f80 : 0x3f80;
    *(uint32_t *)(void *)(a + MXCSR_MASK) = 0xffff;
    for (unsigned i = 0; i < 8; i++)
        fill(a + ST0 + 16 * i, 10, seed + i);
    fill(a + LEGACY_XMM, 256, seed);
    for (uint32_t i = 2; i < 8; i++) {
        struct guest_cpuid c = cpuid(0xd, i);
        if (mask >> i & 1)
            fill(a + c.ebx, c.eax, seed + i);
    }
    *(uint64_t *)(void *)(a + HEADER) = mask;
}

static bool same(const uint8_t *a, const uint8_t *b, uint64_t mask)
{
    uint32_t size = cpuid(0xd, 0).ebx;

    for (uint32_t i = 0; i < size; i++) {
        bool x87_pointers = i >= 6 && i < MXCSR, gap = i >= LEGACY_XMM + 256 && i < HEADER;
        bool of_model = i >= MXCSR_MASK && i < ST0;
        if (a[i] != b[i] && !x87_pointers && !of_model && !gap &&
            (i < HEADER || i >= HEADER + HEADER_SIZE)) {
            guest_printf("byte %u: 0x%x and 0x%x, mask 0x%lx\n", i, a[i], b[i], mask);
            return false;
        }
    }
    return *(const uint64_t *)(const void *)(b + HEADER) == mask;
}

/* Exits of several kinds; the sleep lets other vCPUs run on this CPU. */
static void disturb(unsigned round)
{
    cpuid(0, 0);
    outb(0xe0, (uint8_t)round);
    guest_hypercall(MULLION_HC_NOP, 0, 0);
    if (round % 4 == 0)
        guest_sleep(hz / 1000);
}

static void keep(unsigned cpu)
{
    uint64_t all = cpuid(0xd, 0).eax;
    static const uint64_t masks[] = { 3, 7, 0xe7 };

    write_cr4(read_cr4() | CR4_OSXSAVE);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t mask = masks[(round + cpu) % ARRAY_SIZE(masks)] & all;
        xsetbv(0, mask);
        make(area[cpu][0], mask, cpu * 31 + round);
        memset(area[cpu][1], 0, AREA_SIZE);
        xrstor(area[cpu][0], mask);
        disturb(round);
        guest_check_equal(xgetbv(0), mask);
        xsave(area[cpu][1], mask);
        guest_check(same(area[cpu][0], area[cpu][1], mask));
    }
    __atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
}

static void secondary(void)
{
    keep((unsigned)rdmsr(X2APIC_ID));
}

static void set_xcr0(void *arg)
{
    xsetbv(0, *(const uint64_t *)arg);
}

static void set_xcr1(void *arg)
{
    (void)arg;
    xsetbv(1, 1);
}

/* SDM 2B, "XSETBV" */
static void check_refusals(void)
{
    uint64_t all = cpuid(0xd, 0).eax;
    uint64_t bad[] = { 0, 2, 5, 0x27, 0x67, 0xe3, 1 | 1ull << 62, 1ull << 63 | 3, 0x203, 0x20003 };

    guest_check_equal(guest_catch(set_xcr1, NULL, NULL), VECTOR_GP);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        int vector = guest_catch(set_xcr0, &bad[i], NULL);
        /* QEMU before 8 ignores the intercept of XSETBV, and checks less */
        if (vector != GUEST_NO_FAULT || !guest_in_qemu_tcg())
            guest_check_equal(vector, VECTOR_GP);
    }
    guest_check_equal(guest_catch_user(set_xcr0, &all, NULL), VECTOR_GP);
    xsetbv(0, all);
    guest_check_equal(xgetbv(0), all);
}

int guest_main(const struct mullion_flat_info *info)
{
    hz = info->tsc_hz;
    guest_check_equal(info->vcpus, CPUS);
    guest_x2apic_on();
    write_cr4(read_cr4() | CR4_OSXSAVE);
    guest_check_equal(xgetbv(0), 1);
    check_refusals();
    for (unsigned i = 1; i < CPUS; i++) {
        guest_start_cpu(i, secondary, stacks[i] + sizeof(stacks[i]));
        guest_sleep(hz / 1000);
    }
    keep(0);
    while (finished < CPUS)
        guest_sleep(hz / 1000);
    guest_printf("%u rounds on each of %u vCPUs, XCR0 up to 0x%x\n", ROUNDS, CPUS,
                 cpuid(0xd, 0).eax);
    return 0;
}
