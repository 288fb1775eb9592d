/* SPDX-License-Identifier: MIT */
/*
 * VM-execution, exit and entry controls from the capability MSRs (root mode). Each row says
 * whether Mullion cannot do without a control, uses it where it exists, or wants it off, and why.
 * Source: SDM 3D, Appendix A "VMX Capability Reporting Facility".
 */
#include <errno.h>

#include "kernel/log.h"
#include "kernel/x86.h"
#include "vmx/vmx.h"

enum group { PIN, PROC, PROC2, EXITC, ENTRYC, GROUPS };
enum need {
    REQUIRED,
    USED,
    AVAILABLE, /* required, but not set for every vCPU */
    APICV,     /* all of them or no APIC virtualisation; set by vmx/apicv.c */
};

struct control {
    enum group group;
    enum need need;
    uint64_t bit;
    const char *name;
};

static const struct control controls[] = {
    /* physical interrupts and NMIs are ours; the vector comes with the exit */
    { PIN, REQUIRED, PIN_EXTERNAL_INTERRUPT, "external-interrupt exiting" },
    { PIN, REQUIRED, PIN_NMI, "NMI exiting" },
    { EXITC, REQUIRED, EXITC_ACK_INTERRUPT, "acknowledge interrupt on exit" },
    /* lets NMIs be injected and their end be noticed */
    { PIN, REQUIRED, PIN_VIRTUAL_NMI, "virtual NMIs" },
    /* deadlines of guests and time slices without host interrupts */
    { PIN, REQUIRED, PIN_PREEMPTION_TIMER, "VMX-preemption timer" },
    /* without it the timer is written before each entry */
    { EXITC, USED, EXITC_SAVE_PREEMPTION_TIMER, "save VMX-preemption timer value" },
    /* a halted guest gives its CPU to others (shared CPUs only, see vmx/setup.c) */
    { PROC, AVAILABLE, PROC_HLT, "HLT exiting" },
    { PROC, REQUIRED, PROC_TSC_OFFSETTING, "TSC offsetting" },
    { PROC, REQUIRED, PROC_IO_BITMAPS, "I/O bitmaps" },
    { PROC, REQUIRED, PROC_MSR_BITMAPS, "MSR bitmaps" },
    { PROC, REQUIRED, PROC_SECONDARY, "secondary controls" },
    /* a guest may neither watch our memory nor sleep where we would not notice */
    { PROC, REQUIRED, PROC_MWAIT, "MWAIT exiting" },
    { PROC, REQUIRED, PROC_MONITOR, "MONITOR exiting" },
    /* CR8 is the task priority: without these it would be the physical one */
    { PROC, REQUIRED, PROC_CR8_LOAD, "CR8-load exiting" },
    { PROC, REQUIRED, PROC_CR8_STORE, "CR8-store exiting" },
    /* no virtual PMU: RDPMC raises #GP */
    { PROC, REQUIRED, PROC_RDPMC, "RDPMC exiting" },
    { PROC2, REQUIRED, PROC2_EPT, "extended page tables" },
    /* guests start in real mode and toggle paging without us */
    { PROC2, REQUIRED, PROC2_UNRESTRICTED_GUEST, "unrestricted guest" },
    { PROC2, USED, PROC2_VPID, "virtual processor identifiers" },
    { PROC2, USED, PROC2_RDTSCP, "RDTSCP" },
    { PROC2, USED, PROC2_INVPCID, "INVPCID" },
    { PROC2, USED, PROC2_XSAVES, "XSAVES" },
    /* caches are shared: a guest's WBINVD is a no-operation */
    { PROC2, USED, PROC2_WBINVD, "WBINVD exiting" },
    /* a guest that locks the bus slows everybody: at least it is counted */
    { PROC2, USED, PROC2_BUS_LOCK, "bus-lock detection" },
    /* a guest may keep the processor from the next instruction, where nothing can interrupt it */
    { PROC2, USED, PROC2_NOTIFY, "notify exiting" },
    { PROC, APICV, PROC_TPR_SHADOW, "TPR shadow" },
    { PROC2, APICV, PROC2_X2APIC_MODE, "virtualize x2APIC mode" },
    { PROC2, APICV, PROC2_APIC_REGISTERS, "APIC-register virtualization" },
    { PROC2, APICV, PROC2_INTERRUPT_DELIVERY, "virtual-interrupt delivery" },
    { EXITC, REQUIRED, EXITC_HOST_64, "host address-space size" },
    { EXITC, REQUIRED, EXITC_SAVE_DEBUG, "save debug controls" },
    { ENTRYC, REQUIRED, ENTRYC_LOAD_DEBUG, "load debug controls" },
    { EXITC, REQUIRED, EXITC_SAVE_PAT, "save PAT" },
    { EXITC, REQUIRED, EXITC_LOAD_PAT, "load PAT at exit" },
    { ENTRYC, REQUIRED, ENTRYC_LOAD_PAT, "load PAT at entry" },
    { EXITC, REQUIRED, EXITC_SAVE_EFER, "save EFER" },
    { EXITC, REQUIRED, EXITC_LOAD_EFER, "load EFER at exit" },
    { ENTRYC, REQUIRED, ENTRYC_LOAD_EFER, "load EFER at entry" },
};

struct capability {
    const char *name;  /* of the MSR that reports it */
    uint32_t msr;
    uint32_t true_msr; /* 0: none */
};

static const struct capability capabilities[GROUPS] = {
    [PIN] = { "IA32_VMX_PINBASED_CTLS", MSR_IA32_VMX_PINBASED_CTLS,
              MSR_IA32_VMX_TRUE_PINBASED_CTLS },
    [PROC] = { "IA32_VMX_PROCBASED_CTLS", MSR_IA32_VMX_PROCBASED_CTLS,
               MSR_IA32_VMX_TRUE_PROCBASED_CTLS },
    [PROC2] = { "IA32_VMX_PROCBASED_CTLS2", MSR_IA32_VMX_PROCBASED_CTLS2, 0 },
    [EXITC] = { "IA32_VMX_EXIT_CTLS", MSR_IA32_VMX_EXIT_CTLS, MSR_IA32_VMX_TRUE_EXIT_CTLS },
    [ENTRYC] = { "IA32_VMX_ENTRY_CTLS", MSR_IA32_VMX_ENTRY_CTLS, MSR_IA32_VMX_TRUE_ENTRY_CTLS },
};

/* Low half: bits that must be 1; high half: bits that may be 1. */
static uint64_t capability_read(enum group group)
{
    const struct capability *c = &capabilities[group];
    bool has_true = x86_rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS;

    if (group == PROC2 &&
        !(x86_rdmsr(MSR_IA32_VMX_PROCBASED_CTLS) >> 32 & PROC_SECONDARY))
        return 0;
    return x86_rdmsr(has_true && c->true_msr ? c->true_msr : c->msr);
}

static void log_missing(const struct control *c)
{
    log_printf("vmx: %s missing: %s bit %d\n", c->name, capabilities[c->group].name,
               __builtin_ctzll(c->bit) + 32);
}

int vmx_controls_apicv(void)
{
    int missing = 0;

    for (size_t i = 0; i < ARRAY_SIZE(controls); i++) {
        const struct control *c = &controls[i];
        if (c->need != APICV || (capability_read(c->group) >> 32 & c->bit))
            continue;
        log_missing(c);
        missing++;
    }
    return missing ? -ENOTSUP : 0;
}

int vmx_controls_init(struct vmx_caps *caps)
{
    uint64_t capability[GROUPS];
    uint32_t value[GROUPS];
    int missing = 0;

    for (unsigned g = 0; g < GROUPS; g++) {
        capability[g] = capability_read((enum group)g);
        value[g] = (uint32_t)capability[g];
    }
    for (size_t i = 0; i < ARRAY_SIZE(controls); i++) {
        const struct control *c = &controls[i];
        if (c->need == APICV)
            continue;
        if (capability[c->group] >> 32 & c->bit) {
            value[c->group] |= c->need == AVAILABLE ? 0 : (uint32_t)c->bit;
        } else if (c->need != USED) {
            log_missing(c);
            missing++;
        }
    }
    caps->pin = value[PIN];
    caps->proc = value[PROC];
    caps->proc2 = value[PROC2];
    caps->proc2_optional = (uint32_t)(capability[PROC2] >> 32);
    caps->exit = value[EXITC];
    caps->entry = value[ENTRYC];
    caps->timer_saved = caps->exit & EXITC_SAVE_PREEMPTION_TIMER;
    return missing ? -ENOTSUP : 0;
}
