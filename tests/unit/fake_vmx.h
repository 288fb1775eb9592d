/* SPDX-License-Identifier: MIT */
/*
 * A processor with VT-x for the files of vmx/ (build host): a VMCS in an array, capability MSRs
 * of a good CPU that a test may change, and an "entry" that writes the exit fields it is told.
 */
#ifndef TESTS_UNIT_FAKE_VMX_H
#define TESTS_UNIT_FAKE_VMX_H

#include "vmx/vmx.h"
#include "vmx/vmx_asm.h"

#define FAKE_VMCS_ENCODINGS 0x7000u
#define FAKE_LOG_SIZE 32768u

struct fake_vmx {
    uint64_t vmcs[FAKE_VMCS_ENCODINGS]; /* by encoding; beyond the files' order, one VMCS */
    uint64_t tsc;
    struct vm vm;
    struct vcpu vcpu;
    struct boot_vm config;
    bool multihit;                      /* what mitigate_multihit says */
    unsigned invepts, invvpids;
    unsigned machine_checks;            /* handled */
    uint16_t invvpid_vpid;
    uint8_t refuse_entry;               /* with this VM-instruction error */
    bool launched;
    void (*entry)(void);                /* what the guest does: fills exit fields */
    unsigned entries, launches;
    char log[FAKE_LOG_SIZE];            /* what log_printf said */
};
extern struct fake_vmx fake_vmx;

/* Forgets all; the capability MSRs of a good CPU. */
void fake_vmx_reset(void);
/* vmx_probe, a VM and a vCPU after INIT with its VMCS as vmx/setup.c writes it, and a host state
 * as on a real CPU. */
void fake_vmx_create(void);
void fake_vmx_msr(uint32_t msr, uint64_t value);
uint64_t fake_vmx_get_msr(uint32_t msr);
/* Takes allowed-1 settings (high half) of a capability MSR away, from its true variant too. */
void fake_vmx_forbid(uint32_t msr, uint32_t true_msr, uint64_t bits);
/* CPUID leaf 1 ECX. */
void fake_vmx_cpuid_1_ecx(uint32_t value);

#endif
