/* SPDX-License-Identifier: MIT */
/*
 * A VMCS from its creation to its end (root mode): which field gets which value and why, as
 * tables. Source: SDM 3C, "Virtual Machine Control Structures"; SDM 3A, "Processor State After
 * Reset" for the guest state.
 */
#include <errno.h>

#include "kernel/desc.h"
#include "kernel/page.h"
#include "kernel/vcpu_reset.h"
#include "kernel/x86.h"
#include "vmx/vmx.h"
#include "vmx/vmx_asm.h"

struct field_value {
    enum vmcs_field field;
    uint64_t value;
};

static void write_table(const struct field_value *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        vmcs_write(rows[i].field, rows[i].value);
}

/* A spin loop: PAUSEs at most this many TSC ticks apart, for this long (SDM 3C, "PAUSE-Loop
 * Exiting"; the values are Linux's). */
#define PLE_GAP 128
#define PLE_WINDOW 4096

/* Ticks of the crystal in which nothing could interrupt the guest. The processor adds what its
 * longest instructions take (Linux, commit 2f4073e08f4c, "KVM: VMX: Enable Notify VM exit"). */
#define NOTIFY_WINDOW 0

static void write_controls(struct vcpu *v)
{
    const struct vmx_caps *caps = &vmx_caps;
    const struct vmx_vm *vm = vmx_vm_of(v->vm);
    const struct vmx_vcpu *x = vmx_of(v);
    hpa_t io = page_hpa(caps->io_bitmap);
    const struct field_value rows[] = {
        { VMCS_PIN_CONTROLS, caps->pin },
        { VMCS_PROC_CONTROLS, x->proc },
        { VMCS_PROC_CONTROLS2, x->proc2 },
        { VMCS_EXIT_CONTROLS, caps->exit },
        { VMCS_ENTRY_CONTROLS, caps->entry },
        { VMCS_EXCEPTION_BITMAP, VMX_EXCEPTIONS },
        { VMCS_PF_ERROR_MASK, 0 },
        { VMCS_PF_ERROR_MATCH, 0 },
        { VMCS_CR3_TARGET_COUNT, 0 },
        { VMCS_EXIT_MSR_STORE_COUNT, 0 },
        { VMCS_EXIT_MSR_LOAD_COUNT, 0 },
        { VMCS_ENTRY_MSR_LOAD_COUNT, 0 },
        { VMCS_ENTRY_INTR_INFO, 0 },
        { VMCS_IO_BITMAP_A, io },
        { VMCS_IO_BITMAP_B, io + PAGE_SIZE },
        { VMCS_MSR_BITMAP, page_hpa(vm->msr_bitmap) },
        { VMCS_EPTP, vm->eptp },
        { VMCS_TSC_OFFSET, v->vm->tsc_offset },
        { VMCS_LINK_POINTER, ~0ull }, /* no shadow VMCS */
        { VMCS_CR0_MASK, VMX_CR0_OURS },
        { VMCS_CR4_MASK, vmx_cr4_ours() },
    };

    write_table(rows, ARRAY_SIZE(rows));
    if (caps->proc2 & PROC2_VPID)
        vmcs_write(VMCS_VPID, x->vpid);
    if (caps->proc2_optional & PROC2_PAUSE_LOOP) {
        vmcs_write(VMCS_PLE_GAP, PLE_GAP);
        vmcs_write(VMCS_PLE_WINDOW, PLE_WINDOW);
    }
    if (caps->proc2 & PROC2_NOTIFY)
        vmcs_write(VMCS_NOTIFY_WINDOW, NOTIFY_WINDOW);
    if (caps->proc2 & PROC2_XSAVES)
        vmcs_write(VMCS_XSS_EXITING, ~0ull);
}

static void write_host_state(const struct vcpu *v)
{
    struct x86_table_reg gdt, idt;

    x86_sgdt(&gdt);
    x86_sidt(&idt);
    const struct field_value rows[] = {
        { VMCS_HOST_CR0, x86_read_cr0() },
        { VMCS_HOST_CR3, x86_read_cr3() },
        { VMCS_HOST_CR4, x86_read_cr4() },
        { VMCS_HOST_ES, 0 },
        { VMCS_HOST_CS, SEL_CODE },
        { VMCS_HOST_SS, SEL_DATA },
        { VMCS_HOST_DS, 0 },
        { VMCS_HOST_FS, 0 },
        { VMCS_HOST_GS, 0 },
        { VMCS_HOST_TR, SEL_TSS },
        { VMCS_HOST_FS_BASE, 0 },
        { VMCS_HOST_GS_BASE, (uint64_t)(uintptr_t)this_cpu() },
        { VMCS_HOST_TR_BASE, desc_tss_base(this_cpu()) },
        { VMCS_HOST_GDTR_BASE, gdt.base },
        { VMCS_HOST_IDTR_BASE, idt.base },
        { VMCS_HOST_SYSENTER_CS, 0 },
        { VMCS_HOST_SYSENTER_ESP, 0 },
        { VMCS_HOST_SYSENTER_EIP, 0 },
        { VMCS_HOST_PAT, x86_rdmsr(MSR_IA32_PAT) },
        { VMCS_HOST_EFER, x86_rdmsr(MSR_IA32_EFER) },
        /* see vmx/enter.S */
        { VMCS_HOST_RSP, (uint64_t)(uintptr_t)v },
        { VMCS_HOST_RIP, (uint64_t)(uintptr_t)vmx_exit_point },
    };

    write_table(rows, ARRAY_SIZE(rows));
}

void vmx_vcpu_reset(struct vcpu *v)
{
    v->valid = v->dirty = 0;
    vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, 0);
    vmcs_write(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
    vmcs_write(VMCS_GUEST_DEBUGCTL, 0);
    vmcs_write(VMCS_ENTRY_INTR_INFO, 0);
    vcpu_reset_registers(v);
}

int vmx_vcpu_init(struct vcpu *v)
{
    struct vmx_vcpu *x = vm_alloc(v->vm, sizeof(*x));

    if (!x)
        return -ENOMEM;
    x->vmcs = page_zalloc();
    if (!x->vmcs)
        return -ENOMEM;
    x->vmcs_hpa = page_hpa(x->vmcs);
    x->vpid = (uint16_t)(v->vm->id * BOOT_VCPUS_MAX + v->id + 1);
    x->proc = vmx_caps.proc;
    x->proc2 = vmx_caps.proc2;
    x->timer_tsc = VTIMER_OFF;
    x->timer_slack = vmx_caps.timer_saved ? VMX_TIMER_SLACK : 0;
    v->backend = x;
    *(uint32_t *)x->vmcs = vmx_caps.revision;
    if (!vmx_clear(x->vmcs_hpa))
        vmx_refused("VMCLEAR", x->vmcs_hpa);
    vmx_load(v);
    write_controls(v);
    write_host_state(v);
    vmx_vcpu_reset(v);
    vmx_flush_linear(v); /* the VPID may have been another vCPU's before */
    vmx_put(v);
    return 0;
}

void vmx_vcpu_fini(struct vcpu *v)
{
    struct vmx_vcpu *x = vmx_of(v);

    if (!x)
        return;
    page_zfree(x->vmcs);
    v->backend = NULL;
}

/* Read and written by the guest without exits; a VMCS has no fields for them. */
static const uint32_t switched_msrs[VMX_SWITCHED_COUNT] = {
    MSR_IA32_STAR, MSR_IA32_LSTAR, MSR_IA32_CSTAR, MSR_IA32_FMASK, MSR_IA32_KERNEL_GS_BASE,
};

void vmx_load(struct vcpu *v)
{
    struct vmx_vcpu *x = vmx_of(v);

    for (unsigned i = 0; i < VMX_SWITCHED_COUNT; i++)
        x86_wrmsr(switched_msrs[i], x->msrs[i]);
    x86_write_cr2(x->cr2);
    x86_write_dr6(x->dr6);

    if (!vmx_load_region(x->vmcs_hpa))
        vmx_refused("VMPTRLD", x->vmcs_hpa);
    v->timer_limit = 0;
}

/* VMCLEAR writes all that the processor keeps of it to memory. */
void vmx_put(struct vcpu *v)
{
    struct vmx_vcpu *x = vmx_of(v);

    for (unsigned i = 0; i < VMX_SWITCHED_COUNT; i++)
        x->msrs[i] = x86_rdmsr(switched_msrs[i]);
    x->cr2 = x86_read_cr2();
    x->dr6 = x86_read_dr6();
    vmx_write_back(v);
    if (!vmx_clear(x->vmcs_hpa))
        vmx_refused("VMCLEAR", x->vmcs_hpa);
    v->valid = 0;
}
