/* SPDX-License-Identifier: MIT */
/*
 * APIC virtualisation of a vCPU in x2APIC mode (root mode): the processor answers reads of the
 * virtual-APIC page, delivers interrupts and takes EOIs without an exit. In any other mode the
 * controls are off and the VM's usual MSR bitmap is in force: without them the guest would reach
 * the physical APIC. Source: SDM 3C, "APIC Virtualization and Virtual Interrupts".
 */
#include "kernel/page.h"
#include "kernel/x86.h"
#include "vmx/vmx.h"
#include "vmx/vmx_asm.h"

#define APICV_PROC2 (PROC2_X2APIC_MODE | PROC2_APIC_REGISTERS | PROC2_INTERRUPT_DELIVERY)
#define CR8_EXITS (PROC_CR8_LOAD | PROC_CR8_STORE)

/* Guest interrupt status */
#define STATUS_REQUESTED 0xffull
#define STATUS_IN_SERVICE_SHIFT 8

/* MSRs that need no exit, by their distance from MSR_IA32_X2APIC_BASE. A read that is not listed
 * would give what lies in the page instead of #GP, or an old count of the timer. */
struct open_msrs {
    uint8_t first, last;
    uint8_t exits; /* mask of enum vintercept */
};

static const struct open_msrs open_msrs[] = {
    { 0x02, 0x03, VINTERCEPT_WRITE }, /* ID, version */
    { 0x08, 0x08, 0 },                /* TPR */
    { 0x0a, 0x0a, VINTERCEPT_WRITE }, /* PPR */
    { 0x0b, 0x0b, VINTERCEPT_READ },  /* EOI */
    { 0x0d, 0x0d, VINTERCEPT_WRITE }, /* LDR */
    { 0x0f, 0x28, VINTERCEPT_WRITE }, /* SVR, ISR, TMR, IRR, ESR */
    { 0x30, 0x30, VINTERCEPT_WRITE }, /* ICR */
    { 0x32, 0x38, VINTERCEPT_WRITE }, /* LVT without CMCI, initial count */
    { 0x3e, 0x3e, VINTERCEPT_WRITE }, /* divide configuration */
    { 0x3f, 0x3f, VINTERCEPT_READ },  /* self IPI */
};

void vmx_apicv_open_msrs(void *bitmap)
{
    for (size_t i = 0; i < ARRAY_SIZE(open_msrs); i++) {
        for (uint32_t n = open_msrs[i].first; n <= open_msrs[i].last; n++)
            vmx_bitmap_msr(bitmap, MSR_IA32_X2APIC_BASE + n, open_msrs[i].exits);
    }
}

static void set(struct vcpu *v, void *page, uint8_t in_service)
{
    struct vmx_vcpu *x = vmx_of(v);
    const struct vmx_vm *vm = vmx_vm_of(v->vm);
    uint64_t proc = x->proc & ~(PROC_TPR_SHADOW | CR8_EXITS);

    x->proc = (uint32_t)(proc | (page ? PROC_TPR_SHADOW : CR8_EXITS));
    x->proc2 = (uint32_t)((x->proc2 & ~APICV_PROC2) | (page ? APICV_PROC2 : 0));
    vmcs_write(VMCS_PROC_CONTROLS, x->proc);
    vmcs_write(VMCS_PROC_CONTROLS2, x->proc2);
    vmcs_write(VMCS_MSR_BITMAP, page_hpa(page ? vm->apicv_msr_bitmap : vm->msr_bitmap));
    if (!page)
        return;
    vmcs_write(VMCS_VIRTUAL_APIC, page_hpa(page));
    vmcs_write(VMCS_GUEST_INTERRUPT_STATUS, (uint64_t)in_service << STATUS_IN_SERVICE_SHIFT);
}

static void raise(struct vcpu *v, uint8_t vector)
{
    uint64_t status = vmcs_read(VMCS_GUEST_INTERRUPT_STATUS);

    vmx_shadow(v); /* a vCPU that sleeps behind STI must be able to take it */
    if ((status & STATUS_REQUESTED) < vector)
        vmcs_write(VMCS_GUEST_INTERRUPT_STATUS, (status & ~STATUS_REQUESTED) | vector);
}

static void eoi_exits(struct vcpu *v, const uint64_t vectors[APICV_WORDS])
{
    (void)v;
    for (unsigned i = 0; i < APICV_WORDS; i++)
        vmcs_write((enum vmcs_field)(VMCS_EOI_EXIT0 + 2 * i), vectors[i]);
}

const struct apicv_ops vmx_apicv = {
    .available = vmx_controls_apicv,
    .set = set,
    .raise = raise,
    .eoi_exits = eoi_exits,
};
