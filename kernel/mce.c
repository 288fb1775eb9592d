/* SPDX-License-Identifier: MIT */
/* Machine checks (root mode). SDM 3B, Machine-Check Architecture, 16.3 and 16.10. */
#include "kernel/mce.h"

#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "kernel/x86.h"

#define MCE_BANK_STRIDE 4u /* MSRs: CTL, STATUS, ADDR, MISC */

static bool mce_supported(void)
{
    uint32_t edx = x86_cpuid(CPUID_FEATURES, 0).edx;
    return (edx & CPUID_1_EDX_MCE) && (edx & CPUID_1_EDX_MCA);
}

/* Logs and clears each valid bank. */
static void mce_scan(const char *when)
{
    uint32_t count = (uint32_t)x86_rdmsr(MSR_IA32_MCG_CAP) & MCG_CAP_COUNT;

    for (uint32_t bank = 0; bank < count; bank++) {
        uint32_t offset = bank * MCE_BANK_STRIDE;
        uint64_t status = x86_rdmsr(MSR_IA32_MC0_STATUS + offset);
        if (!(status & MC_STATUS_VAL))
            continue;
        uint64_t address = status & MC_STATUS_ADDRV ? x86_rdmsr(MSR_IA32_MC0_ADDR + offset) : 0;
        log_printf("machine check %s: CPU %u bank %u status %#lx address %#lx\n", when,
                   this_cpu()->index, bank, status, address);
        x86_wrmsr(MSR_IA32_MC0_STATUS + offset, 0);
    }
}

/* Has an error lost something? */
static bool mce_fatal(void)
{
    uint32_t count = (uint32_t)x86_rdmsr(MSR_IA32_MCG_CAP) & MCG_CAP_COUNT;
    bool fatal = false;

    for (uint32_t bank = 0; bank < count; bank++) {
        uint64_t status = x86_rdmsr(MSR_IA32_MC0_STATUS + bank * MCE_BANK_STRIDE);
        fatal |= (status & MC_STATUS_VAL) && (status & (MC_STATUS_UC | MC_STATUS_PCC));
    }
    return fatal;
}

void mce_init_cpu(void)
{
    if (!mce_supported())
        return;
    uint64_t cap = x86_rdmsr(MSR_IA32_MCG_CAP);
    if (cap & MCG_CAP_CTL_P)
        x86_wrmsr(MSR_IA32_MCG_CTL, ~0ull);
    mce_scan("before start");
    for (uint32_t bank = 0; bank < (cap & MCG_CAP_COUNT); bank++)
        x86_wrmsr(MSR_IA32_MC0_CTL + bank * MCE_BANK_STRIDE, ~0ull);
    x86_write_cr4(x86_read_cr4() | CR4_MCE);
}

void mce_report(void)
{
    if (mce_supported())
        mce_scan("now");
}

/* The banks keep what they hold for mce_report(). */
void mce_handle(const struct trap_frame *frame)
{
    uint64_t status = x86_rdmsr(MSR_IA32_MCG_STATUS);

    if (mce_fatal() || !(status & MCG_STATUS_RIPV))
        panic_frame(frame, "machine check, MCG_STATUS %#lx", status);
    x86_wrmsr(MSR_IA32_MCG_STATUS, 0);
}
