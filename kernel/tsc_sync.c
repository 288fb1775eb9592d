/* SPDX-License-Identifier: MIT */
/*
 * Two CPUs take turns in reading their TSCs; a reading below the last of the other is a warp. First
 * the new one takes over the boot CPU's IA32_TSC_ADJUST (SDM 3B, "Time-Stamp Counter Adjustment").
 * Root mode, while CPUs are started one by one.
 */
#include "kernel/tsc_sync.h"

#include "kernel/time.h"
#include "kernel/x86.h"

#define TSC_SYNC_TURNS 64u

static volatile uint32_t turn; /* even: the boot CPU's, odd: the other one's */
static volatile uint64_t last;
static uint64_t warp;

static uint64_t boot_adjust; /* IA32_TSC_ADJUST of the boot CPU */

static bool has_adjust(void)
{
    return x86_cpuid(CPUID_VENDOR, 0).eax >= CPUID_EXT_FEATURES &&
           (x86_cpuid(CPUID_EXT_FEATURES, 0).ebx & CPUID_7_EBX_TSC_ADJUST);
}

static void tsc_sync_run(uint32_t mine)
{
    for (uint32_t i = 0; i < TSC_SYNC_TURNS; i++) {
        while ((__atomic_load_n(&turn, __ATOMIC_ACQUIRE) & 1) != mine)
            x86_pause();
        x86_lfence(); /* RDTSC may run ahead of the loads before it */
        uint64_t now = time_tsc();
        if (now < last && last - now > warp)
            warp = last - now;
        last = now;
        __atomic_store_n(&turn, turn + 1, __ATOMIC_RELEASE);
    }
}

void tsc_sync_lead(void)
{
    if (has_adjust())
        boot_adjust = x86_rdmsr(MSR_IA32_TSC_ADJUST);
    tsc_sync_run(0);
    /* The next CPU must find an even turn: wait for this one's last. */
    while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) & 1)
        x86_pause();
}

/* What runs apart by firmware's writes comes together; what then still differs, we can't mend. */
void tsc_sync_join(void)
{
    while (!(__atomic_load_n(&turn, __ATOMIC_ACQUIRE) & 1))
        x86_pause();
    if (has_adjust() && x86_rdmsr(MSR_IA32_TSC_ADJUST) != boot_adjust)
        x86_wrmsr(MSR_IA32_TSC_ADJUST, boot_adjust);
    tsc_sync_run(1);
}

uint64_t tsc_sync_warp(void)
{
    return warp;
}
