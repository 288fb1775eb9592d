/* SPDX-License-Identifier: MIT */
/*
 * From VMCS exit fields to struct vmexit (root mode): one row for each basic exit reason.
 * Source: SDM 3C, "Basic VM-Exit Information", "Information for VM Exits Due to ..."; SDM 3D,
 * Appendix C.
 */
#include "kernel/log.h"
#include "kernel/x86.h"
#include "vmx/vmx.h"
#include "vmx/vmx_asm.h"

enum row_flags {
    INSN = 1,      /* caused by an instruction: RIP, length, RFLAGS, shadow are wanted */
    DELIVERY = 2,  /* may have interrupted the delivery of an event, to be delivered again */
    DISABLED = 4,  /* the control that causes it is off */
};

struct row {
    const char *name;
    uint8_t kind;
    uint8_t flags;
    void (*fill)(struct vcpu *v, struct vmexit *exit);
};

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
    if (exit->event >= VEVENT_SOFT_INTERRUPT) /* INT1, INT3: RIP is theirs */
        exit->length = (uint8_t)vmcs_read(VMCS_EXIT_INSN_LENGTH);
    if ((info & INTR_NMI_UNBLOCKING) && exit->vector != VECTOR_DF && !v->event.type)
        set_nmi_blocking(true);
}

static void fill_interrupt(struct vcpu *v, struct vmexit *exit)
{
    (void)v;
    exit->vector = (uint8_t)(vmcs_read(VMCS_EXIT_INTR_INFO) & INTR_VECTOR_MASK);
}

#define IOQ_SIZE 7u
#define IOQ_IN BIT(3)
#define IOQ_STRING BIT(4)
#define IOQ_REP BIT(5)
#define IOQ_PORT_SHIFT 16

static void fill_io(struct vcpu *v, struct vmexit *exit)
{
    uint64_t q = vmcs_read(VMCS_EXIT_QUALIFICATION);

    (void)v;
    exit->io = (struct exit_io){
        .port = (uint16_t)(q >> IOQ_PORT_SHIFT),
        .size = (uint8_t)((q & IOQ_SIZE) + 1),
        .in = q & IOQ_IN,
        .string = q & IOQ_STRING,
        .rep = q & IOQ_REP,
    };
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

static void fill_memory(struct vcpu *v, struct vmexit *exit)
{
    uint64_t q = vmcs_read(VMCS_EXIT_QUALIFICATION);

    exit->memory = (struct exit_memory){
        .gpa = vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS),
        .gva_valid = q & EPTQ_LINEAR_VALID,
        .read = q & EPTQ_READ,
        .write = q & EPTQ_WRITE,
        .fetch = q & EPTQ_FETCH,
        .present = q & EPTQ_RIGHTS,
        .page_walk = (q & EPTQ_LINEAR_VALID) && !(q & EPTQ_NOT_PAGE_WALK),
    };
    if ((q & EPTQ_NMI_UNBLOCKING) && !v->event.type)
        set_nmi_blocking(true);
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

#define ROW(reason, kind_, flags_, fill_)                                                          \
    [VMX_EXIT_##reason] = { #reason, (kind_), (flags_), (fill_) }

static const struct row rows[VMX_EXIT_REASONS] = {
    ROW(EXCEPTION_NMI, EXIT_EXCEPTION, DELIVERY, fill_exception),
    ROW(EXTERNAL_INTERRUPT, EXIT_INTERRUPT, DELIVERY, fill_interrupt),
    ROW(TRIPLE_FAULT, EXIT_TRIPLE_FAULT, 0, NULL),
    /* INIT of a physical CPU: blocked while it is ours, ignored when it arrives in a guest */
    ROW(INIT, EXIT_NONE, 0, NULL),
    ROW(SIPI, EXIT_UNKNOWN, 0, NULL),
    ROW(IO_SMI, EXIT_UNKNOWN, DISABLED, NULL),
    ROW(OTHER_SMI, EXIT_UNKNOWN, DISABLED, NULL),
    ROW(IRQ_WINDOW, EXIT_IRQ_WINDOW, 0, NULL),
    ROW(NMI_WINDOW, EXIT_NMI_WINDOW, 0, NULL),
    ROW(TASK_SWITCH, EXIT_TASK_SWITCH, DELIVERY, NULL),
    ROW(CPUID, EXIT_CPUID, INSN, NULL),
    /* instructions that CPUID hides: #UD, as on a machine that lacks them */
    ROW(GETSEC, EXIT_UNDEFINED, INSN, NULL),
    ROW(HLT, EXIT_HLT, INSN, NULL),
    ROW(INVD, EXIT_CACHE, INSN, NULL),
    ROW(INVLPG, EXIT_UNKNOWN, DISABLED, NULL),
    ROW(RDPMC, EXIT_RDPMC, INSN, NULL),
    ROW(RDTSC, EXIT_UNKNOWN, DISABLED, NULL),
    ROW(RSM, EXIT_UNDEFINED, INSN, NULL),
    ROW(VMCALL, EXIT_HYPERCALL, INSN, NULL),
    ROW(VMCLEAR, EXIT_UNDEFINED, INSN, NULL),
    ROW(VMLAUNCH, EXIT_UNDEFINED, INSN, NULL),
    ROW(VMPTRLD, EXIT_UNDEFINED, INSN, NULL),
    ROW(VMPTRST, EXIT_UNDEFINED, INSN, NULL),
    ROW(VMREAD, EXIT_UNDEFINED, INSN, NULL),
    ROW(VMRESUME, EXIT_UNDEFINED, INSN, NULL),
    ROW(VMWRITE, EXIT_UNDEFINED, INSN, NULL),
    ROW(VMXOFF, EXIT_UNDEFINED, INSN, NULL),
    ROW(VMXON, EXIT_UNDEFINED, INSN, NULL),
    ROW(CR, EXIT_CR, INSN, fill_cr),
    ROW(DR, EXIT_UNKNOWN, DISABLED, NULL),
    ROW(IO, EXIT_IO, INSN, fill_io),
    ROW(RDMSR, EXIT_MSR_READ, INSN, NULL),
    ROW(WRMSR, EXIT_MSR_WRITE, INSN, NULL),
    ROW(ENTRY_GUEST_STATE, EXIT_ENTRY_FAILED, 0, NULL),
    ROW(ENTRY_MSR_LOAD, EXIT_ENTRY_FAILED, 0, NULL),
    ROW(MWAIT, EXIT_UNDEFINED, INSN, NULL),
    ROW(MTF, EXIT_UNKNOWN, DISABLED, NULL),
    ROW(MONITOR, EXIT_UNDEFINED, INSN, NULL),
    ROW(PAUSE, EXIT_PAUSE, INSN, NULL),
    ROW(ENTRY_MACHINE_CHECK, EXIT_ENTRY_FAILED, 0, NULL),
    ROW(TPR, EXIT_UNKNOWN, DISABLED, NULL),
    ROW(APIC_ACCESS, EXIT_UNKNOWN, DELIVERY | DISABLED, NULL),
    ROW(VIRTUAL_EOI, EXIT_APIC_EOI, DELIVERY, fill_apic_eoi),
    ROW(GDTR_IDTR, EXIT_UNKNOWN, DISABLED, NULL),
    ROW(LDTR_TR, EXIT_UNKNOWN, DISABLED, NULL),
    ROW(EPT_VIOLATION, EXIT_MEMORY, DELIVERY, fill_memory),
    ROW(EPT_MISCONFIG, EXIT_UNKNOWN, 0, fill_misconfig),
    ROW(INVEPT, EXIT_UNDEFINED, INSN, NULL),
    ROW(RDTSCP, EXIT_UNKNOWN, DISABLED, NULL),
    ROW(PREEMPTION_TIMER, EXIT_TIMER, 0, NULL),
    ROW(INVVPID, EXIT_UNDEFINED, INSN, NULL),
    ROW(WBINVD, EXIT_CACHE, INSN, NULL),
    ROW(XSETBV, EXIT_XSETBV, INSN, NULL),
    ROW(APIC_WRITE, EXIT_APIC_WRITE, 0, fill_apic_write),
    ROW(RDRAND, EXIT_UNKNOWN, DISABLED, NULL),
    ROW(INVPCID, EXIT_UNKNOWN, DISABLED, NULL),
    ROW(VMFUNC, EXIT_UNDEFINED, INSN, NULL),
    ROW(ENCLS, EXIT_UNDEFINED, INSN, NULL),
    ROW(RDSEED, EXIT_UNKNOWN, DISABLED, NULL),
    ROW(PML_FULL, EXIT_UNKNOWN, DISABLED, NULL),
    ROW(XSAVES, EXIT_FORBIDDEN, INSN, NULL),
    ROW(XRSTORS, EXIT_FORBIDDEN, INSN, NULL),
    ROW(PCONFIG, EXIT_UNDEFINED, INSN, NULL),
    ROW(SPP, EXIT_UNKNOWN, DISABLED, NULL),
    ROW(UMWAIT, EXIT_UNDEFINED, INSN | DISABLED, NULL),
    ROW(TPAUSE, EXIT_UNDEFINED, INSN | DISABLED, NULL),
    ROW(LOADIWKEY, EXIT_UNDEFINED, INSN, NULL),
    ROW(ENCLV, EXIT_UNDEFINED, INSN, NULL),
    ROW(ENQCMD, EXIT_UNKNOWN, DISABLED, NULL),
    ROW(ENQCMDS, EXIT_UNKNOWN, DISABLED, NULL),
    ROW(BUS_LOCK, EXIT_BUS_LOCK, DELIVERY, NULL),
    ROW(NOTIFY, EXIT_UNKNOWN, DELIVERY | DISABLED, NULL),
    ROW(SEAMCALL, EXIT_UNDEFINED, INSN, NULL),
    ROW(TDCALL, EXIT_UNDEFINED, INSN, NULL),
};

const char *vmx_exit_name(unsigned code)
{
    return code < VMX_EXIT_REASONS ? rows[code].name : NULL;
}

bool vmx_exit_enabled(unsigned code)
{
    return code < VMX_EXIT_REASONS && rows[code].name && !(rows[code].flags & DISABLED);
}

void vmx_decode(struct vcpu *v, struct vmexit *exit)
{
    uint32_t reason = (uint32_t)vmcs_read(VMCS_EXIT_REASON);
    uint32_t basic = reason & EXIT_REASON_BASIC;
    const struct row *row;

    exit->length = 0;
    exit->code = basic;
    if (unlikely(basic >= VMX_EXIT_REASONS)) {
        exit->kind = EXIT_UNKNOWN;
        exit->code = 0;
        log_printf("vmx: exit reason 0x%x is not in the manual\n", reason);
        return;
    }
    row = &rows[basic];
    exit->kind = row->kind;
    vmx_of(v)->cached = 0;
    if (likely(row->flags & INSN)) {
        exit->length = (uint8_t)vmcs_read(VMCS_EXIT_INSN_LENGTH);
        v->rip = vmcs_read(VMCS_GUEST_RIP);
        v->rflags = vmcs_read(VMCS_GUEST_RFLAGS);
        v->shadow = (uint32_t)vmcs_read(VMCS_GUEST_INTERRUPTIBILITY);
        vmx_of(v)->cached = VMX_CACHED_RIP | VMX_CACHED_RFLAGS | VMX_CACHED_SHADOW;
    } else if (row->flags & DELIVERY) {
        requeue_interrupted_event(v);
    } else if (unlikely(reason & EXIT_REASON_ENTRY_FAILURE)) {
        vmx_explain_entry_failure(v, reason);
    }
    if (row->fill)
        row->fill(v, exit);
}
