/* SPDX-License-Identifier: MIT */
/*
 * From VMCB exit fields to struct vmexit (root mode): one row for each exit code that is
 * intercepted. Source: APM 2, Appendix C "SVM Intercept Exit Codes", and the section of each.
 */
#include "kernel/guest_state.h"
#include "kernel/insn.h"
#include "kernel/log.h"
#include "kernel/time.h"
#include "kernel/x86.h"
#include "svm/check.h"
#include "svm/svm.h"

#define OPCODE_HLT 0xf4u

struct row {
    uint8_t kind;
    uint8_t code;    /* as it is counted */
    uint32_t opcode; /* of an instruction whose length is wanted: see struct insn; 0: none */
    void (*fill)(struct vcpu *v, struct vmexit *exit);
    const char *name;
};

/* Between STI and HLT. VMRUN of QEMU 7 forgets the shadow, and the interrupt that the guest wants
 * to sleep for would come before it sleeps: so it does at once what its next entry would do. */
static bool before_halt(struct vcpu *v, struct vmexit *exit)
{
    const struct insn *insn;

    if (likely(!svm_get(v, VREG_SHADOW)) || svm_get(v, VREG_CPL) || insn_fetch(v, &insn) ||
        insn->op != INSN_SYSTEM || insn->opcode != OPCODE_HLT)
        return false;
    exit->length = insn->length;
    return true;
}

/* GIF is set again and the interrupt still pending: the CPU takes it by its IDT now. */
static void fill_interrupt(struct vcpu *v, struct vmexit *exit)
{
    struct svm_vcpu *x = svm_of(v);

    x86_sti_nop_cli();
    x->timer_due = x->timer_tsc <= time_tsc();
    if (x->windows & VWINDOW_NMI)
        vcpu_request(v, VCPU_REQ_IRQ);
    svm_arm(v); /* it may have come for an NMI, before the deadline */
    if (before_halt(v, exit)) {
        exit->kind = EXIT_HLT;
        vcpu_request(v, VCPU_REQ_YIELD); /* for what the interrupt has brought */
    }
}

static void fill_exception(struct vcpu *v, struct vmexit *exit)
{
    const struct vmcb *vmcb = vmcb_of(v);

    exit->vector = (uint8_t)(vmcb->control.exit_code - VMEXIT_EXCP(0));
    exit->event = VEVENT_EXCEPTION;
    if (svm_stepped(v, exit->vector) && exit->vector == VECTOR_DB)
        exit->kind = EXIT_NONE;
    exit->debug_status = vmcb->save.dr6 ^ DR6_INIT;
    exit->has_error_code = exit->vector == VECTOR_AC;
    exit->error_code = (uint32_t)vmcb->control.exit_info1;
    if (exit->vector == VECTOR_BP) {
        exit->event = VEVENT_SOFT_EXCEPTION; /* INT3: RIP is its own */
        exit->length = 1;
    }
}

/* Of an IRET that is stepped: they are the guest's own. */
static void fill_fault(struct vcpu *v, struct vmexit *exit)
{
    fill_exception(v, exit);
    if (exit->vector == VECTOR_PF)
        vmcb_of(v)->save.cr2 = vmcb_of(v)->control.exit_info2;
    vcpu_inject_error(v, exit->vector, exit->error_code);
}

static void fill_iret(struct vcpu *v, struct vmexit *exit)
{
    (void)exit;
    svm_at_iret(v);
}

static void fill_io(struct vcpu *v, struct vmexit *exit)
{
    const struct vmcb *vmcb = vmcb_of(v);
    uint64_t info = vmcb->control.exit_info1;

    exit->io = (struct exit_io){
        .port = (uint16_t)(info >> IOIO_PORT_SHIFT),
        .size = (uint8_t)(info >> IOIO_SIZE_SHIFT & IOIO_SIZE_MASK),
        .in = info & IOIO_IN,
        .string = info & IOIO_STRING,
    };
    /* since the first AMD-V: RIP of the next instruction */
    exit->length = (uint8_t)(vmcb->control.exit_info2 - vmcb->save.rip);
}

static void fill_cpuid(struct vcpu *v, struct vmexit *exit)
{
    (void)exit;
    guest_state_see_xcr0(v);
}

static void fill_memory(struct vcpu *v, struct vmexit *exit)
{
    const struct vmcb_control *c = &vmcb_of(v)->control;

    exit->memory = (struct exit_memory){
        .gpa = c->exit_info2,
        .write = c->exit_info1 & NPF_WRITE,
        .fetch = c->exit_info1 & NPF_FETCH,
        .page_walk = c->exit_info1 & NPF_PAGE_WALK,
    };
}

static void fill_unknown(struct vcpu *v, struct vmexit *exit)
{
    (void)exit;
    log_printf("svm: exit code 0x%llx\n", (unsigned long long)vmcb_of(v)->control.exit_code);
}

static void fill_invalid(struct vcpu *v, struct vmexit *exit)
{
    (void)exit;
    log_printf("svm: VMRUN refused, VMEXIT_INVALID\n");
    svm_check(v->vm->name, vmcb_of(v), x86_read_cr3());
}

/* Rows beyond the exit codes up to TLBSYNC's and some more. */
enum { ROW_UNKNOWN = 0xb0, ROW_NPF, ROW_WRMSR, ROW_INVALID, ROW_TIMER, ROWS };

#define ROW(row_, code_, kind_, name_, fill_, opcode_)                                             \
    [row_] = { .kind = (kind_), .code = (code_), .opcode = (opcode_), .fill = (fill_),             \
               .name = (name_) }
#define INSN(name_, code_, kind_, fill_, opcode_)                                                  \
    ROW(VMEXIT_##name_, code_, kind_, #name_, fill_, opcode_)
#define OTHER(name_, code_, kind_, fill_) INSN(name_, code_, kind_, fill_, 0)
#define EXCP(vectors_, kind_, fill_) ROW(vectors_, 0, kind_, "EXCP", fill_, 0)
#define CR(row_) ROW(row_, 28, EXIT_CR, "CR", svm_fill_cr, 0)

static const struct row rows[ROWS] = {
    CR(VMEXIT_CR_READ(0)), CR(VMEXIT_CR_READ(4)), CR(VMEXIT_CR_READ(8)),
    CR(VMEXIT_CR_WRITE(0)), CR(VMEXIT_CR_WRITE(4)), CR(VMEXIT_CR_WRITE(8)),
    EXCP(VMEXIT_EXCP(VECTOR_DB), EXIT_EXCEPTION, fill_exception),
    EXCP(VMEXIT_EXCP(VECTOR_BP), EXIT_EXCEPTION, fill_exception),
    EXCP(VMEXIT_EXCP(VECTOR_TS) ... VMEXIT_EXCP(VECTOR_PF), EXIT_NONE, fill_fault),
    EXCP(VMEXIT_EXCP(VECTOR_AC), EXIT_EXCEPTION, fill_exception),
    EXCP(VMEXIT_EXCP(VECTOR_MC), EXIT_EXCEPTION, fill_exception),
    EXCP(VMEXIT_SWINT, EXIT_EXCEPTION, svm_fill_software),
    OTHER(INTR, 1, EXIT_INTERRUPT, fill_interrupt),
    /* these came when GIF was set: NMI and INIT (as #SX) by the IDT, SMI by the processor itself */
    EXCP(VMEXIT_NMI, EXIT_NONE, NULL),
    OTHER(SMI, 6, EXIT_NONE, NULL),
    OTHER(INIT, 3, EXIT_NONE, NULL),
    OTHER(VINTR, 7, EXIT_IRQ_WINDOW, NULL),
    OTHER(IRET, 8, EXIT_NMI_WINDOW, fill_iret),
    INSN(RDPMC, 15, EXIT_RDPMC, NULL, 0x0f33),
    INSN(CPUID, 10, EXIT_CPUID, fill_cpuid, 0x0fa2),
    INSN(INVD, 13, EXIT_CACHE, NULL, 0x0f08),
    INSN(WBINVD, 54, EXIT_CACHE, NULL, 0x0f09),
    INSN(PAUSE, 40, EXIT_PAUSE, NULL, 0x90),
    INSN(HLT, 12, EXIT_HLT, NULL, OPCODE_HLT),
    INSN(VMMCALL, 18, EXIT_HYPERCALL, NULL, 0x0f01d9),
    INSN(XSETBV, 55, EXIT_XSETBV, NULL, 0x0f01d1),
    OTHER(IOIO, 30, EXIT_IO, fill_io),
    ROW(VMEXIT_MSR, 31, EXIT_MSR_READ, "RDMSR", NULL, 0x0f32),
    ROW(ROW_WRMSR, 32, EXIT_MSR_WRITE, "WRMSR", NULL, 0x0f30),
    OTHER(TASK_SWITCH, 9, EXIT_TASK_SWITCH, NULL),
    OTHER(SHUTDOWN, 2, EXIT_TRIPLE_FAULT, NULL),
    /* instructions that CPUID hides: #UD, as on a machine that lacks them */
    OTHER(RSM, 17, EXIT_UNDEFINED, NULL),
    OTHER(INVLPGA, 53, EXIT_UNDEFINED, NULL),
    OTHER(VMRUN, 20, EXIT_UNDEFINED, NULL),
    OTHER(VMLOAD, 21, EXIT_UNDEFINED, NULL),
    OTHER(VMSAVE, 22, EXIT_UNDEFINED, NULL),
    OTHER(STGI, 27, EXIT_UNDEFINED, NULL),
    OTHER(CLGI, 26, EXIT_UNDEFINED, NULL),
    OTHER(SKINIT, 11, EXIT_UNDEFINED, NULL),
    OTHER(MONITOR, 39, EXIT_UNDEFINED, NULL),
    OTHER(MWAIT, 36, EXIT_UNDEFINED, NULL),
    OTHER(RDPRU, 16, EXIT_UNDEFINED, NULL),
    OTHER(INVLPGB, 14, EXIT_UNDEFINED, NULL),
    OTHER(INVLPGB_ILLEGAL, 14, EXIT_UNDEFINED, NULL),
    OTHER(MCOMMIT, 60, EXIT_UNDEFINED, NULL),
    OTHER(TLBSYNC, 50, EXIT_UNDEFINED, NULL),
    ROW(ROW_NPF, 48, EXIT_MEMORY, "NPF", fill_memory, 0),
    ROW(ROW_TIMER, SVM_CODE_TIMER, EXIT_TIMER, "TIMER", NULL, 0),
    ROW(ROW_INVALID, 33, EXIT_ENTRY_FAILED, "INVALID", fill_invalid, 0),
    ROW(ROW_UNKNOWN, SVM_CODE_UNKNOWN, EXIT_UNKNOWN, NULL, fill_unknown, 0),
};

static const struct row *row_of(const struct vmcb_control *c)
{
    if ((uint32_t)c->exit_code == VMEXIT_INVALID)
        return &rows[ROW_INVALID];
    if (c->exit_code == VMEXIT_NPF)
        return &rows[ROW_NPF];
    if (c->exit_code == VMEXIT_MSR && c->exit_info1)
        return &rows[ROW_WRMSR];
    if (c->exit_code < ROW_UNKNOWN && rows[c->exit_code].name)
        return &rows[c->exit_code];
    return &rows[ROW_UNKNOWN];
}

static const char *name_of(unsigned code)
{
    for (unsigned i = 0; i < ROWS; i++) {
        if (rows[i].name && rows[i].code == code)
            return rows[i].name;
    }
    return NULL;
}

bool svm_exit_enabled(unsigned code)
{
    return name_of(code);
}

/* A number that VT-x defines and nothing here has, is a name all the same. */
const char *svm_exit_name(unsigned code)
{
    const char *name = name_of(code);
    bool undefined = code == 35 || code == 38 || code == 42 || code == 71;

    return name || undefined || code >= SVM_CODE_UNKNOWN ? name : "VT-x only";
}

void svm_decode(struct vcpu *v, struct vmexit *exit)
{
    const struct row *row = row_of(&vmcb_of(v)->control);

    exit->word = row->kind | (uint64_t)row->code << VMEXIT_CODE_SHIFT;
    svm_requeue_interrupted_event(v);
    if (row->opcode)
        svm_fill_length(v, exit, row->opcode);
    if (row->fill)
        row->fill(v, exit);
    if (exit->length)
        svm_copies(v);
}
