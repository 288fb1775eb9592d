/* SPDX-License-Identifier: MIT */
/*
 * From VMCS exit fields to struct vmexit (root mode): one row for each basic exit reason.
 * Source: SDM 3C, "Basic VM-Exit Information", "Information for VM Exits Due to ..."; SDM 3D,
 * Appendix C.
 */
#include "kernel/irq.h"
#include "kernel/log.h"
#include "kernel/x86.h"
#include "vmx/decode.h"

static const uint8_t event_types[8] = {
    [INTR_TYPE_EXTERNAL] = VEVENT_INTERRUPT,
    [INTR_TYPE_NMI] = VEVENT_NMI,
    [INTR_TYPE_EXCEPTION] = VEVENT_EXCEPTION,
    [INTR_TYPE_SOFT_INTERRUPT] = VEVENT_SOFT_INTERRUPT,
    [INTR_TYPE_PRIVILEGED_EXCEPTION] = VEVENT_ICEBP,
    [INTR_TYPE_SOFT_EXCEPTION] = VEVENT_SOFT_EXCEPTION,
};

static void set_nmi_blocking(bool on)
{
    uint64_t state = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) & ~BLOCKING_NMI;

    vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, state | (on ? BLOCKING_NMI : 0));
}

/* SDM 3C, "Information for VM Exits That Occur During Event Delivery" */
static void requeue_interrupted_event(struct vcpu *v)
{
    uint64_t info = vmcs_read(VMCS_IDT_VECTORING_INFO);
    struct vevent *event = &v->event;

    if (likely(!(info & INTR_VALID)))
        return;
    *event = (struct vevent){
        .type = event_types[info >> INTR_TYPE_SHIFT & INTR_TYPE_MASK],
        .vector = (uint8_t)(info & INTR_VECTOR_MASK),
        .has_error_code = info & INTR_ERROR_CODE,
    };
    if (event->has_error_code)
        event->error_code = (uint32_t)vmcs_read(VMCS_IDT_VECTORING_ERROR);
    if (event->type >= VEVENT_SOFT_INTERRUPT)
        event->length = (uint8_t)vmcs_read(VMCS_EXIT_INSN_LENGTH);
    if (event->type == VEVENT_NMI)
        set_nmi_blocking(false); /* its injection would be refused */
}

static void fill_exception(struct vcpu *v, struct vmexit *exit)
{
    uint64_t info = vmcs_read(VMCS_EXIT_INTR_INFO);

    exit->vector = (uint8_t)(info & INTR_VECTOR_MASK);
    exit->event = event_types[info >> INTR_TYPE_SHIFT & INTR_TYPE_MASK];
    if (exit->event == VEVENT_NMI) {
        exit->kind = EXIT_NMI;
        return;
    }
    exit->has_error_code = info & INTR_ERROR_CODE;
    if (exit->has_error_code)
        exit->error_code = (uint32_t)vmcs_read(VMCS_EXIT_INTR_ERROR);
    if (exit->vector == VECTOR_DB)
        exit->debug_status = vmcs_read(VMCS_EXIT_QUALIFICATION);
    if ((info & INTR_NMI_UNBLOCKING) && exit->vector != VECTOR_DF && !v->event.type)
        set_nmi_blocking(true);
    if (exit->event >= VEVENT_SOFT_INTERRUPT) /* INT1, INT3: RIP is theirs */
        vmx_decode_instruction(v, exit, exit->word);
}

/* The exception itself does not come any more. */
static void fill_machine_check(struct vcpu *v, struct vmexit *exit)
{
    (void)v;
    (void)exit;
    irq_machine_check();
}

static void fill_interrupt(struct vcpu *v, struct vmexit *exit)
{
    (void)v;
    exit->vector = (uint8_t)(vmcs_read(VMCS_EXIT_INTR_INFO) & INTR_VECTOR_MASK);
}

#define IOQ_SIZE 7u
#define IOQ_IN BIT(3)
#define IOQ_STRING BIT(4)
#define IOQ_PORT_SHIFT 16

static void fill_io(struct vcpu *v, struct vmexit *exit)
{
    uint64_t q = vmcs_read(VMCS_EXIT_QUALIFICATION);

    (void)v;
    exit->io.port = (uint16_t)(q >> IOQ_PORT_SHIFT);
    exit->io.size = (uint8_t)((q & IOQ_SIZE) + 1);
    exit->io.in = q & IOQ_IN;
    exit->io.string = q & IOQ_STRING;
}

enum crq_access { CRQ_TO_CR = 0, CRQ_FROM_CR = 1, CRQ_CLTS = 2, CRQ_LMSW = 3 };

static void fill_cr(struct vcpu *v, struct vmexit *exit)
{
    uint64_t q = vmcs_read(VMCS_EXIT_QUALIFICATION);
    unsigned access = q >> 4 & 3;

    (void)v;
    exit->cr = (struct exit_cr){
        .number = (uint8_t)(q & 0xf),
        .write = access == CRQ_TO_CR,
        .clts = access == CRQ_CLTS,
        .lmsw = access == CRQ_LMSW,
        .gpr = (uint8_t)(q >> 8 & 0xf),
        .lmsw_value = (uint16_t)(q >> 16),
    };
}

/* An IRET that did not finish has ended the blocking by NMI. */
static void see_nmi_unblocking(struct vcpu *v, uint64_t qualification)
{
    if ((qualification & EPTQ_NMI_UNBLOCKING) && !v->event.type)
        set_nmi_blocking(true);
}

static void fill_memory(struct vcpu *v, struct vmexit *exit)
{
    uint64_t q = vmcs_read(VMCS_EXIT_QUALIFICATION);

    exit->memory.gpa = vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS);
    exit->memory.write = q & EPTQ_WRITE;
    exit->memory.fetch = q & EPTQ_FETCH;
    exit->memory.page_walk = (q & (EPTQ_LINEAR_VALID | EPTQ_NOT_PAGE_WALK)) == EPTQ_LINEAR_VALID;
    see_nmi_unblocking(v, q);
}

static void fill_notify(struct vcpu *v, struct vmexit *exit)
{
    uint64_t q = vmcs_read(VMCS_EXIT_QUALIFICATION);

    exit->state_lost = q & NOTIFYQ_CONTEXT_INVALID;
    see_nmi_unblocking(v, q);
}

static void fill_misconfig(struct vcpu *v, struct vmexit *exit)
{
    (void)v;
    (void)exit;
    panic("EPT misconfiguration at guest-physical 0x%llx",
          (unsigned long long)vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS));
}

static void fill_apic_write(struct vcpu *v, struct vmexit *exit)
{
    (void)v;
    exit->apic_offset = (uint32_t)vmcs_read(VMCS_EXIT_QUALIFICATION) & 0xfff;
}

static void fill_apic_eoi(struct vcpu *v, struct vmexit *exit)
{
    (void)v;
    exit->vector = (uint8_t)vmcs_read(VMCS_EXIT_QUALIFICATION);
}

#define ROW(reason, kind, flags_, fill_)                                                           \
    [VMX_EXIT_##reason] = {                                                                        \
        .word = (kind) | (uint64_t)VMX_EXIT_##reason << VMEXIT_CODE_SHIFT,                         \
        .flags = (flags_),                                                                         \
        .fill = (fill_),                                                                           \
        .name = #reason,                                                                           \
    }

uint64_t vmx_plain[VMX_EXIT_REASONS];

const struct vmx_row vmx_rows[VMX_EXIT_REASONS] = {
    ROW(EXCEPTION_NMI, EXIT_EXCEPTION, ROW_DELIVERY, fill_exception),
    ROW(EXTERNAL_INTERRUPT, EXIT_INTERRUPT, ROW_DELIVERY, fill_interrupt),
    ROW(TRIPLE_FAULT, EXIT_TRIPLE_FAULT, 0, NULL),
    /* INIT of a physical CPU: blocked while it is ours, ignored when it arrives in a guest */
    ROW(INIT, EXIT_NONE, 0, NULL),
    ROW(SIPI, EXIT_UNKNOWN, 0, NULL),
    ROW(IO_SMI, EXIT_UNKNOWN, ROW_DISABLED, NULL),
    ROW(OTHER_SMI, EXIT_UNKNOWN, ROW_DISABLED, NULL),
    ROW(IRQ_WINDOW, EXIT_IRQ_WINDOW, 0, NULL),
    ROW(NMI_WINDOW, EXIT_NMI_WINDOW, 0, NULL),
    ROW(TASK_SWITCH, EXIT_TASK_SWITCH, ROW_DELIVERY, NULL),
    ROW(CPUID, EXIT_CPUID, ROW_INSN, NULL),
    /* instructions that CPUID hides: #UD, as on a machine that lacks them */
    ROW(GETSEC, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(HLT, EXIT_HLT, ROW_INSN, NULL),
    ROW(INVD, EXIT_CACHE, ROW_INSN, NULL),
    ROW(INVLPG, EXIT_UNKNOWN, ROW_DISABLED, NULL),
    ROW(RDPMC, EXIT_RDPMC, ROW_INSN, NULL),
    ROW(RDTSC, EXIT_UNKNOWN, ROW_DISABLED, NULL),
    ROW(RSM, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(VMCALL, EXIT_HYPERCALL, ROW_INSN, NULL),
    ROW(VMCLEAR, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(VMLAUNCH, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(VMPTRLD, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(VMPTRST, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(VMREAD, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(VMRESUME, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(VMWRITE, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(VMXOFF, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(VMXON, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(CR, EXIT_CR, ROW_INSN, fill_cr),
    ROW(DR, EXIT_UNKNOWN, ROW_DISABLED, NULL),
    ROW(IO, EXIT_IO, ROW_INSN, fill_io),
    ROW(RDMSR, EXIT_MSR_READ, ROW_INSN, NULL),
    ROW(WRMSR, EXIT_MSR_WRITE, ROW_INSN, NULL),
    ROW(ENTRY_GUEST_STATE, EXIT_ENTRY_FAILED, 0, NULL),
    ROW(ENTRY_MSR_LOAD, EXIT_ENTRY_FAILED, 0, NULL),
    ROW(MWAIT, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(MTF, EXIT_UNKNOWN, ROW_DISABLED, NULL),
    ROW(MONITOR, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(PAUSE, EXIT_PAUSE, ROW_INSN, NULL),
    ROW(ENTRY_MACHINE_CHECK, EXIT_ENTRY_FAILED, 0, fill_machine_check),
    ROW(TPR, EXIT_UNKNOWN, ROW_DISABLED, NULL),
    ROW(APIC_ACCESS, EXIT_UNKNOWN, ROW_DELIVERY | ROW_DISABLED, NULL),
    ROW(VIRTUAL_EOI, EXIT_APIC_EOI, ROW_DELIVERY, fill_apic_eoi),
    ROW(GDTR_IDTR, EXIT_UNKNOWN, ROW_DISABLED, NULL),
    ROW(LDTR_TR, EXIT_UNKNOWN, ROW_DISABLED, NULL),
    ROW(EPT_VIOLATION, EXIT_MEMORY, ROW_DELIVERY, fill_memory),
    ROW(EPT_MISCONFIG, EXIT_UNKNOWN, 0, fill_misconfig),
    ROW(INVEPT, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(RDTSCP, EXIT_UNKNOWN, ROW_DISABLED, NULL),
    ROW(PREEMPTION_TIMER, EXIT_TIMER, 0, NULL),
    ROW(INVVPID, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(WBINVD, EXIT_CACHE, ROW_INSN, NULL),
    ROW(XSETBV, EXIT_XSETBV, ROW_INSN, NULL),
    ROW(APIC_WRITE, EXIT_APIC_WRITE, 0, fill_apic_write),
    ROW(RDRAND, EXIT_UNKNOWN, ROW_DISABLED, NULL),
    ROW(INVPCID, EXIT_UNKNOWN, ROW_DISABLED, NULL),
    ROW(VMFUNC, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(ENCLS, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(RDSEED, EXIT_UNKNOWN, ROW_DISABLED, NULL),
    ROW(PML_FULL, EXIT_UNKNOWN, ROW_DISABLED, NULL),
    ROW(XSAVES, EXIT_FORBIDDEN, ROW_INSN, NULL),
    ROW(XRSTORS, EXIT_FORBIDDEN, ROW_INSN, NULL),
    ROW(PCONFIG, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(SPP, EXIT_UNKNOWN, ROW_DISABLED, NULL),
    ROW(UMWAIT, EXIT_UNDEFINED, ROW_DISABLED, NULL),
    ROW(TPAUSE, EXIT_UNDEFINED, ROW_DISABLED, NULL),
    ROW(LOADIWKEY, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(ENCLV, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(ENQCMD, EXIT_UNKNOWN, ROW_DISABLED, NULL),
    ROW(ENQCMDS, EXIT_UNKNOWN, ROW_DISABLED, NULL),
    ROW(BUS_LOCK, EXIT_BUS_LOCK, ROW_DELIVERY, NULL),
    ROW(NOTIFY, EXIT_STUCK, ROW_DELIVERY, fill_notify),
    ROW(SEAMCALL, EXIT_UNDEFINED, ROW_INSN, NULL),
    ROW(TDCALL, EXIT_UNDEFINED, ROW_INSN, NULL),
};

const char *vmx_exit_name(unsigned code)
{
    return code < VMX_EXIT_REASONS ? vmx_rows[code].name : NULL;
}

bool vmx_exit_enabled(unsigned code)
{
    return code < VMX_EXIT_REASONS && vmx_rows[code].name && !(vmx_rows[code].flags & ROW_DISABLED);
}

void vmx_decode_rest(struct vcpu *v, struct vmexit *exit, uint32_t reason)
{
    static const struct vmx_row none = { .word = EXIT_UNKNOWN };
    uint32_t basic = reason & EXIT_REASON_BASIC;
    const struct vmx_row *row = likely(basic < VMX_EXIT_REASONS) ? &vmx_rows[basic] : &none;

    if (unlikely(row->flags == ROW_INSN)) {
        vmx_decode_filled(v, exit, row);
        return;
    }
    cpu_count_access(1);
    v->valid = v->dirty = 0;
    exit->word = row->word;
    if (row->flags & ROW_DELIVERY)
        requeue_interrupted_event(v);
    else if (unlikely(reason & EXIT_REASON_ENTRY_FAILURE))
        vmx_explain_entry_failure(v, reason);
    else if (unlikely(row == &none))
        log_printf("vmx: exit reason 0x%x is not in the manual\n", reason);
    if (row->fill)
        row->fill(v, exit);
}
