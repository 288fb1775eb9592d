/* SPDX-License-Identifier: MIT */
/*
 * Is this CPU able, and if not, what is missing and where is it switched on? And VMXON (root mode).
 * Source: SDM 3C, "Discovering Support for VMX", "Enabling and Entering VMX Operation".
 */
#include <errno.h>

#include "kernel/log.h"
#include "kernel/mitigate.h"
#include "kernel/page.h"
#include "kernel/x86.h"
#include "vmx/ept.h"
#include "vmx/vmx.h"
#include "vmx/vmx_asm.h"

struct vmx_caps vmx_caps;

#define VMX_BASIC_REVISION 0x7fffffffull
#define VMX_MISC_TIMER_SHIFT 0x1full
#define IO_BITMAP_ORDER 1u /* two pages */

struct ept_need {
    uint64_t bit;
    const char *name;
};

static const struct ept_need ept_needs[] = {
    { EPT_CAP_WALK_4, "EPT page-walk length 4" },
    { EPT_CAP_WB, "EPT write-back memory type" },
    { EPT_CAP_INVEPT, "INVEPT" },
    { EPT_CAP_INVEPT_SINGLE, "INVEPT single-context" },
    { EPT_CAP_INVEPT_ALL, "INVEPT all-context" },
};

static int probe_presence(void)
{
    uint64_t control;

    if (x86_is_amd()) {
        log_printf("vmx: an AMD CPU has AMD-V in place of VT-x\n");
        return -ENODEV;
    }
    if (!(x86_cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_VMX)) {
        log_printf("vmx: VT-x missing: CPUID leaf 1 ECX bit 5; switch on \"Intel Virtualization "
                   "Technology\" in the firmware set-up, in QEMU use -cpu host with the module "
                   "parameter kvm_intel nested=1\n");
        return -ENODEV;
    }
    control = x86_rdmsr(MSR_IA32_FEATURE_CONTROL);
    if ((control & FEATURE_CONTROL_LOCKED) && !(control & FEATURE_CONTROL_VMX_OUTSIDE_SMX)) {
        log_printf("vmx: VT-x is locked off: IA32_FEATURE_CONTROL bit 2; switch on \"Intel "
                   "Virtualization Technology\" in the firmware set-up and turn power off once\n");
        return -ENOTSUP;
    }
    return 0;
}

static int probe_ept(uint64_t caps)
{
    int missing = 0;

    for (size_t i = 0; i < ARRAY_SIZE(ept_needs); i++) {
        if (caps & ept_needs[i].bit)
            continue;
        log_printf("vmx: %s missing: IA32_VMX_EPT_VPID_CAP bit %d\n", ept_needs[i].name,
                   __builtin_ctzll(ept_needs[i].bit));
        missing++;
    }
    return missing ? -ENOTSUP : 0;
}

/* Without these bits, seen under other hypervisors, nobody could flush what a VPID has tagged. */
static void probe_vpid(struct vmx_caps *caps)
{
    uint64_t needs = VPID_CAP_INVVPID | VPID_CAP_INVVPID_SINGLE | VPID_CAP_INVVPID_ALL;

    if ((caps->proc2 & PROC2_VPID) && (needs &= ~caps->ept_vpid)) {
        log_printf("vmx: INVVPID missing: IA32_VMX_EPT_VPID_CAP bit %d; VPIDs are not used\n",
                   __builtin_ctzll(needs));
        caps->proc2 &= ~(uint32_t)PROC2_VPID;
    }
}

int vmx_probe(void)
{
    struct vmx_caps *caps = &vmx_caps;
    int err = probe_presence();

    if (err)
        return err;
    err = vmx_controls_init(caps);
    /* IA32_VMX_EPT_VPID_CAP exists where EPT or VPID can be on */
    if (caps->proc2 & (PROC2_EPT | PROC2_VPID))
        caps->ept_vpid = x86_rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);
    if (err || (err = probe_ept(caps->ept_vpid)))
        return err;
    caps->io_bitmap = page_alloc_ones(IO_BITMAP_ORDER);
    if (!caps->io_bitmap)
        return -ENOMEM;
    probe_vpid(caps);
    caps->revision = (uint32_t)(x86_rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_REVISION);
    caps->timer_shift = (unsigned)(x86_rdmsr(MSR_IA32_VMX_MISC) & VMX_MISC_TIMER_SHIFT);
    caps->cr0_fixed0 = x86_rdmsr(MSR_IA32_VMX_CR0_FIXED0);
    caps->cr0_fixed1 = x86_rdmsr(MSR_IA32_VMX_CR0_FIXED1);
    caps->cr4_fixed0 = x86_rdmsr(MSR_IA32_VMX_CR4_FIXED0);
    caps->cr4_fixed1 = x86_rdmsr(MSR_IA32_VMX_CR4_FIXED1);
    ept_set_capabilities(caps->ept_vpid, !mitigate_multihit());
    log_printf("vmx: VT-x with EPT%s%s, unrestricted guest%s%s, preemption timer (TSC >> %u)\n",
               caps->ept_vpid & EPT_CAP_2M ? ", 2M" : "",
               caps->ept_vpid & EPT_CAP_1G ? " and 1G pages" : " pages",
               caps->proc2 & PROC2_VPID ? ", VPID" : "",
               caps->proc2 & PROC2_XSAVES ? ", XSAVES" : "", caps->timer_shift);
    return 0;
}

static void feature_control_enable(void)
{
    uint64_t control = x86_rdmsr(MSR_IA32_FEATURE_CONTROL);

    if (!(control & FEATURE_CONTROL_LOCKED))
        x86_wrmsr(MSR_IA32_FEATURE_CONTROL,
                  control | FEATURE_CONTROL_VMX_OUTSIDE_SMX | FEATURE_CONTROL_LOCKED);
}

int vmx_cpu_on(struct cpu *cpu)
{
    int err = probe_presence(); /* each CPU has its own lock */
    struct vmx_cpu *own;

    if (err)
        return err;
    own = page_zalloc();
    if (!own)
        return -ENOMEM;
    own->region = page_zalloc();
    if (!own->region) {
        page_zfree(own);
        return -ENOMEM;
    }
    *(uint32_t *)own->region = vmx_caps.revision;
    feature_control_enable();
    x86_write_cr0((x86_read_cr0() | vmx_caps.cr0_fixed0) & vmx_caps.cr0_fixed1);
    x86_write_cr4(((x86_read_cr4() | CR4_VMXE) | vmx_caps.cr4_fixed0) & vmx_caps.cr4_fixed1);
    if (!vmx_on(page_hpa(own->region))) {
        log_printf("vmx: VMXON was refused on CPU %u\n", cpu->index);
        page_zfree(own->region);
        page_zfree(own);
        return -ENOTSUP;
    }
    cpu->backend = own;
    if (!vmx_invept(INVEPT_ALL, 0))
        vmx_refused("INVEPT", 0);
    if ((vmx_caps.proc2 & PROC2_VPID) && !vmx_invvpid(INVVPID_ALL, 0))
        vmx_refused("INVVPID", 0);
    return 0;
}
