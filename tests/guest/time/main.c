/* SPDX-License-Identifier: MIT */
/* Time: the TSC, its rate, KVM's clock page and the wall clock agree. */
#include "guests/lib/guest.h"

#define MSR_KVM_WALL_CLOCK_NEW 0x4b564d00u
#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01u
#define SYSTEM_TIME_ENABLE 1u
#define YEAR_2020 1577836800u
#define YEAR_2100 4102444800u
#define NS 1000000000ull

/* Linux, Documentation/virt/kvm/x86/msr.rst */
static volatile struct {
    uint32_t version, pad;
    uint64_t tsc, ns;
    uint32_t mul;
    int8_t shift;
    uint8_t flags, pad2[2];
} clock_page __attribute__((aligned(64)));
static volatile uint32_t wall[3] __attribute__((aligned(16)));

static uint64_t clock_ns(void)
{
    uint64_t ticks = rdtsc() - clock_page.tsc;
    int shift = clock_page.shift;

    ticks = shift < 0 ? ticks >> -shift : ticks << shift;
    return clock_page.ns + (uint64_t)((unsigned __int128)ticks * clock_page.mul >> 32);
}

static uint64_t ticks_ns(uint64_t ticks, uint64_t hz)
{
    return ticks / hz * NS + ticks % hz * NS / hz;
}

static void check_clock(uint64_t hz)
{
    uint64_t last = 0;

    wrmsr(MSR_KVM_SYSTEM_TIME_NEW, (uint64_t)(uintptr_t)&clock_page | SYSTEM_TIME_ENABLE);
    guest_check(clock_page.version != 0 && clock_page.version % 2 == 0);
    guest_check_equal(clock_page.flags & 1, 1); /* stable: the same on all vCPUs */
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t tsc = rdtsc(), now = clock_ns();
        guest_check(now >= last);
        last = now;
        guest_check(now + 1000 >= ticks_ns(tsc, hz) && now <= ticks_ns(rdtsc(), hz) + 1000);
    }
    guest_check_equal(guest_wrmsr(MSR_KVM_SYSTEM_TIME_NEW, 0xfffffffffffff001), VECTOR_GP);
    guest_check_equal(guest_wrmsr(MSR_KVM_SYSTEM_TIME_NEW, 0x100003), VECTOR_GP);
    guest_check_equal(guest_wrmsr(MSR_KVM_WALL_CLOCK_NEW, 0xfffffffffffff000), VECTOR_GP);
}

static void check_tsc(uint64_t hz)
{
    uint64_t last = rdtsc(), aux;
    bool has_msr = !guest_in_qemu_tcg(); /* it reads as 0 there, without us too */

    guest_check(last < 60 * hz); /* it started at 0 with the VM */
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t now = i & 1 && has_msr ? rdmsr(MSR_TSC) : rdtsc();
        guest_check(now > last);
        last = now;
    }
    if (cpuid(0x80000001, 0).edx >> 27 & 1) {
        wrmsr(0xc0000103, 0x1234);
        __asm__ volatile("rdtscp" : "=c"(aux) : : "rax", "rdx");
        guest_check_equal((uint32_t)aux, 0x1234);
    }
}

int guest_main(const struct mullion_flat_info *info)
{
    uint64_t start;

    check_tsc(info->tsc_hz);
    check_clock(info->tsc_hz);
    wrmsr(MSR_KVM_WALL_CLOCK_NEW, (uint64_t)(uintptr_t)&wall);
    guest_check(wall[1] > YEAR_2020 && wall[1] < YEAR_2100 && wall[2] < NS);
    guest_x2apic_on();
    start = clock_ns();
    guest_sleep(info->tsc_hz / 100);
    guest_check(clock_ns() - start >= NS / 100 - 100); /* never early */
    guest_printf("slept %lu us for 10 ms\n", (clock_ns() - start) / 1000);
    return 0;
}
