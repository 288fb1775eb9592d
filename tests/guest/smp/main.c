/* SPDX-License-Identifier: MIT */
/* Several vCPUs: start, identity, IPIs, one TSC, a TLB shootdown, NMI and INIT of another CPU. */
#include "guests/lib/guest.h"

#define CPUS 4
#define PING 0x60
#define SHOOT 0x61
#define ROUNDS 64
#define PAGE 0x500000ull
#define OTHER_PAGE 0x501000ull

static uint8_t stacks[CPUS][8192] __attribute__((aligned(16)));
static volatile unsigned started[CPUS], pings[CPUS], shots[CPUS], nmis[CPUS];
static volatile uint64_t seen[CPUS], last_tsc, backwards;

static unsigned self(void)
{
    return (unsigned)rdmsr(X2APIC_ID);
}

static void on_ping(struct guest_frame *frame)
{
    unsigned cpu = self();
    uint64_t now = rdtsc();

    (void)frame;
    /* the sender read its TSC before it sent: this one must not be behind */
    if (now < last_tsc)
        backwards++;
    last_tsc = rdtsc();
    wrmsr(X2APIC_EOI, 0);
    __atomic_fetch_add(&pings[cpu], 1, __ATOMIC_SEQ_CST);
}

static void on_shoot(struct guest_frame *frame)
{
    unsigned cpu = self();

    (void)frame;
    invlpg(PAGE);
    seen[cpu] = *(volatile uint64_t *)PAGE;
    wrmsr(X2APIC_EOI, 0);
    __atomic_fetch_add(&shots[cpu], 1, __ATOMIC_SEQ_CST);
}

static void on_nmi(struct guest_frame *frame)
{
    (void)frame;
    __asm__ volatile("movq %0, %%dr3" : : "r"(0x1234ull));
    nmis[self()]++;
}

static void secondary(void)
{
    unsigned cpu = self();
    uint64_t dr3;

    guest_check_equal(cpuid(1, 0).ebx >> 24, cpu);
    guest_check_equal(cpuid(0xb, 0).edx, cpu);
    guest_check_equal(rdmsr(X2APIC_LDR), 1u << cpu);
    seen[cpu] = *(volatile uint64_t *)PAGE;
    __asm__ volatile("movq %%dr3, %0" : "=r"(dr3)); /* on_nmi has set it before INIT */
    guest_check_equal(dr3, 0);
    started[cpu]++;
    for (;;)
        sti_hlt();
}

/* Waits for another vCPU, which may share this physical CPU. */
static void wait_until(const volatile unsigned *counter, unsigned value, uint64_t hz)
{
    uint64_t end = rdtsc() + 20 * hz;

    while (*counter < value) {
        guest_check(rdtsc() < end);
        guest_sleep(hz / 10000);
    }
    guest_check_equal(*counter, value);
}

static void send(uint32_t destination, uint32_t command)
{
    wrmsr(X2APIC_ICR, (uint64_t)destination << 32 | command);
}

static void check_start(const struct mullion_flat_info *info)
{
    *(volatile uint64_t *)PAGE = 1;
    for (unsigned cpu = 1; cpu < info->vcpus; cpu++) {
        guest_start_cpu(cpu, secondary, stacks[cpu] + sizeof(stacks[cpu]));
        wait_until(&started[cpu], 1, info->tsc_hz);
        guest_check_equal(seen[cpu], 1);
    }
}

/* There and back: a vCPU asleep is woken by each. */
static void check_pings(const struct mullion_flat_info *info)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned cpu = 1 + i % (info->vcpus - 1), before = pings[cpu];
        last_tsc = rdtsc();
        send(cpu, PING);
        wait_until(&pings[cpu], before + 1, info->tsc_hz);
        guest_check(rdtsc() >= last_tsc);
    }
    guest_check_equal(backwards, 0);
}

static void check_broadcasts(const struct mullion_flat_info *info)
{
    unsigned expected[CPUS];

    for (unsigned cpu = 0; cpu < info->vcpus; cpu++)
        expected[cpu] = pings[cpu] + (cpu ? 3 : 2);
    send(0, ICR_OTHERS | PING);
    for (unsigned cpu = 1; cpu < info->vcpus; cpu++)
        wait_until(&pings[cpu], expected[cpu] - 2, info->tsc_hz);
    send(0, ICR_ALL | PING);
    for (unsigned cpu = 0; cpu < info->vcpus; cpu++)
        wait_until(&pings[cpu], expected[cpu] - 1, info->tsc_hz);
    send(0x0000ffff, ICR_LOGICAL | PING); /* the cluster */
    for (unsigned cpu = 0; cpu < info->vcpus; cpu++)
        wait_until(&pings[cpu], expected[cpu], info->tsc_hz);
}

static void check_shootdown(const struct mullion_flat_info *info)
{
    for (unsigned round = 1; round <= 8; round++) {
        uint64_t to = round % 2 ? OTHER_PAGE : PAGE;
        guest_map_to(PAGE, to, PTE_RAM);
        *(volatile uint64_t *)PAGE = 100 + round;
        send(0, ICR_OTHERS | SHOOT);
        for (unsigned cpu = 1; cpu < info->vcpus; cpu++) {
            wait_until(&shots[cpu], round, info->tsc_hz);
            guest_check_equal(seen[cpu], 100 + round);
        }
    }
}

/* NMI wakes; INIT stops a CPU, which then runs again only after a SIPI. */
static void check_nmi_and_init(const struct mullion_flat_info *info)
{
    unsigned before = pings[1];

    send(1, ICR_NMI);
    wait_until(&nmis[1], 1, info->tsc_hz);
    send(1, ICR_INIT | ICR_ASSERT);
    guest_sleep(info->tsc_hz / 1000);
    send(1, PING);
    guest_sleep(info->tsc_hz / 100);
    guest_check_equal(pings[1], before);
    guest_start_cpu(1, secondary, stacks[1] + sizeof(stacks[1]));
    wait_until(&started[1], 2, info->tsc_hz);
    send(1, PING);
    wait_until(&pings[1], before + 1, info->tsc_hz);
}

int guest_main(const struct mullion_flat_info *info)
{
    guest_check(info->vcpus >= 2 && info->vcpus <= CPUS);
    guest_on_vector(PING, on_ping);
    guest_on_vector(SHOOT, on_shoot);
    guest_on_vector(VECTOR_NMI, on_nmi);
    guest_x2apic_on();
    guest_check_equal(cpuid(0xb, 1).ebx, info->vcpus);
    guest_check_equal(cpuid(1, 0).edx >> 28 & 1, 1);
    check_start(info);
    check_pings(info);
    check_broadcasts(info);
    check_shootdown(info);
    check_nmi_and_init(info);
    return 0;
}
