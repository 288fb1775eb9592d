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

struct row {
    uint8_t kind;
    uint32_t opcode; /* of an instruction whose length is wanted: see struct insn; 0: none */
    void (*fill)(struct vcpu *v, struct vmexit *exit);
    const char *name;
};

/* See struct insn; of MOV and group 7 without their ModRM */
#define OPCODE_INT3 0xccu
#define OPCODE_INT_N 0xcdu
#define OPCODE_INTO 0xceu
#define OPCODE_CLTS 0x0f06u
#define OPCODE_WRMSR 0x0f30u
#define OPCODE_RDMSR 0x0f32u
#define OPCODE_GROUP7 0x0f01u
#define OPCODE_MOV_FROM_CR 0x0f20u
#define OPCODE_MOV_TO_CR 0x0f22u
#define GROUP7_SMSW 4u
#define GROUP7_LMSW 6u
#define MODRM_REG(opcode) ((opcode) >> 3 & 7)
#define MISFITS_MAX 8u

/* What caused the exit, from memory; NULL: something else is there by now, or nothing. */
static const struct insn *instruction(struct vcpu *v)
{
    const struct insn *in;

    return insn_fetch(v, &in) == 0 && in->op == INSN_SYSTEM ? in : NULL;
}

/* 0: it is not what the exit says: a sibling has changed it since, or an old translation has led to
 * it. The guest runs what is there now; but one that always comes back here ends. */
static void set_length(struct vcpu *v, struct vmexit *exit, unsigned length)
{
    struct svm_vcpu *x = svm_of(v);

    exit->length = (uint8_t)length;
    if (likely(length)) {
        x->misfits = 0;
        return;
    }
    exit->kind = ++x->misfits < MISFITS_MAX ? EXIT_NONE : EXIT_UNKNOWN;
    x->generation = 0;
}

/* GIF is set again and the interrupt still pending: the CPU takes it by its IDT now. */
static void fill_interrupt(struct vcpu *v, struct vmexit *exit)
{
    struct svm_vcpu *x = svm_of(v);

    (void)exit;
    x86_sti_nop_cli();
    x->timer_due = x->timer_tsc <= time_tsc();
}

static void fill_exception(struct vcpu *v, struct vmexit *exit)
{
    const struct vmcb *vmcb = vmcb_of(v);

    exit->vector = (uint8_t)(vmcb->control.exit_code - VMEXIT_EXCP(0));
    exit->event = VEVENT_EXCEPTION;
    if (exit->vector == VECTOR_DB) {
        if (svm_stepped(v)) {
            exit->kind = EXIT_NONE;
            return;
        }
        exit->debug_status = vmcb->save.dr6 ^ DR6_INIT;
    } else if (exit->vector == VECTOR_BP) {
        exit->event = VEVENT_SOFT_EXCEPTION; /* INT3: RIP is its own */
        exit->length = 1;
    } else {
        exit->has_error_code = exit->vector == VECTOR_AC;
        exit->error_code = (uint32_t)vmcb->control.exit_info1;
    }
}

/* While a debugger waits for INT3 (svm_intercept_exception). */
static void fill_software(struct vcpu *v, struct vmexit *exit)
{
    const struct insn *in = instruction(v);
    uint32_t opcode = in ? in->opcode : 0;

    exit->event = VEVENT_SOFT_EXCEPTION;
    exit->vector = opcode == OPCODE_INT3 ? VECTOR_BP : VECTOR_OF;
    if (opcode == OPCODE_INT_N) {
        exit->event = VEVENT_SOFT_INTERRUPT;
        exit->vector = (uint8_t)in->immediate;
    }
    set_length(v, exit, opcode >= OPCODE_INT3 && opcode <= OPCODE_INTO ? in->length : 0);
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
        .rep = info & IOIO_REP,
    };
    /* since the first AMD-V: RIP of the next instruction */
    exit->length = (uint8_t)(vmcb->control.exit_info2 - vmcb->save.rip);
}

static unsigned length_of(struct vcpu *v, uint32_t opcode)
{
    const struct vmcb *vmcb = vmcb_of(v);
    const struct insn *in;

    if (svm_caps.next_rip && vmcb->control.next_rip)
        return (unsigned)(vmcb->control.next_rip - vmcb->save.rip);
    in = instruction(v);
    return in && in->opcode == opcode ? in->length : 0;
}

static void fill_msr(struct vcpu *v, struct vmexit *exit)
{
    bool write = vmcb_of(v)->control.exit_info1;

    exit->kind = write ? EXIT_MSR_WRITE : EXIT_MSR_READ;
    set_length(v, exit, length_of(v, write ? OPCODE_WRMSR : OPCODE_RDMSR));
}

static bool accesses_cr(const struct insn *in, struct exit_cr *cr)
{
    cr->gpr = in->gpr;
    if (in->opcode >> 8 == (cr->write ? OPCODE_MOV_TO_CR : OPCODE_MOV_FROM_CR))
        return MODRM_REG(in->opcode) == (cr->number & 7u);
    if (cr->number != 0)
        return false;
    cr->clts = in->opcode == OPCODE_CLTS;
    if (cr->clts)
        return cr->write;
    cr->lmsw = cr->write;
    cr->operand = in;
    return in->opcode >> 8 == OPCODE_GROUP7 &&
           MODRM_REG(in->opcode) == (cr->lmsw ? GROUP7_LMSW : GROUP7_SMSW);
}

/* The processor names the register of a MOV only, and on some models. */
static void fill_cr(struct vcpu *v, struct vmexit *exit)
{
    const struct vmcb_control *c = &vmcb_of(v)->control;
    const struct insn *in;

    exit->cr = (struct exit_cr){
        .number = c->exit_code & 0xf,
        .write = c->exit_code >= VMEXIT_CR_WRITE(0),
        .gpr = c->exit_info1 & CR_INFO_GPR_MASK,
    };
    if (svm_caps.next_rip && svm_caps.decode_assists && (c->exit_info1 & CR_INFO_MOV)) {
        exit->length = (uint8_t)(c->next_rip - vmcb_of(v)->save.rip);
        return;
    }
    in = instruction(v);
    set_length(v, exit, in && accesses_cr(in, &exit->cr) ? in->length : 0);
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

static void fill_invalid(struct vcpu *v, struct vmexit *exit)
{
    (void)exit;
    log_printf("svm: VMRUN refused, VMEXIT_INVALID\n");
    svm_check(v->vm->name, vmcb_of(v), x86_read_cr3());
}

#define ROW(code_, kind_, fill_)                                                                   \
    [code_] = { .kind = (kind_), .fill = (fill_), .name = &#code_[sizeof("VMEXIT")] }
#define INSN(code_, kind_, fill_, opcode_)                                                         \
    [code_] = { .kind = (kind_), .opcode = (opcode_), .fill = (fill_),                             \
                .name = &#code_[sizeof("VMEXIT")] }
#define CODE(number_, kind_, fill_, name_)                                                         \
    [number_] = { .kind = (kind_), .fill = (fill_), .name = (name_) }

static const struct row rows[SVM_CODES] = {
    CODE(VMEXIT_CR_READ(0), EXIT_CR, fill_cr, "CR0_READ"),
    CODE(VMEXIT_CR_READ(4), EXIT_CR, fill_cr, "CR4_READ"),
    CODE(VMEXIT_CR_READ(8), EXIT_CR, fill_cr, "CR8_READ"),
    CODE(VMEXIT_CR_WRITE(0), EXIT_CR, fill_cr, "CR0_WRITE"),
    CODE(VMEXIT_CR_WRITE(4), EXIT_CR, fill_cr, "CR4_WRITE"),
    CODE(VMEXIT_CR_WRITE(8), EXIT_CR, fill_cr, "CR8_WRITE"),
    CODE(VMEXIT_EXCP(VECTOR_DB), EXIT_EXCEPTION, fill_exception, "EXCP_DB"),
    CODE(VMEXIT_EXCP(VECTOR_BP), EXIT_EXCEPTION, fill_exception, "EXCP_BP"),
    CODE(VMEXIT_EXCP(VECTOR_AC), EXIT_EXCEPTION, fill_exception, "EXCP_AC"),
    CODE(VMEXIT_EXCP(VECTOR_MC), EXIT_EXCEPTION, fill_exception, "EXCP_MC"),
    ROW(VMEXIT_INTR, EXIT_INTERRUPT, fill_interrupt),
    /* these came when GIF was set: NMI and INIT (as #SX) by the IDT, SMI by the processor itself */
    ROW(VMEXIT_NMI, EXIT_NONE, NULL),
    ROW(VMEXIT_SMI, EXIT_NONE, NULL),
    ROW(VMEXIT_INIT, EXIT_NONE, NULL),
    ROW(VMEXIT_VINTR, EXIT_IRQ_WINDOW, NULL),
    ROW(VMEXIT_IRET, EXIT_NMI_WINDOW, fill_iret),
    ROW(VMEXIT_SWINT, EXIT_EXCEPTION, fill_software),
    INSN(VMEXIT_RDPMC, EXIT_RDPMC, NULL, 0x0f33),
    INSN(VMEXIT_CPUID, EXIT_CPUID, fill_cpuid, 0x0fa2),
    INSN(VMEXIT_INVD, EXIT_CACHE, NULL, 0x0f08),
    INSN(VMEXIT_WBINVD, EXIT_CACHE, NULL, 0x0f09),
    INSN(VMEXIT_PAUSE, EXIT_PAUSE, NULL, 0x90),
    INSN(VMEXIT_HLT, EXIT_HLT, NULL, 0xf4),
    INSN(VMEXIT_VMMCALL, EXIT_HYPERCALL, NULL, 0x0f01d9),
    INSN(VMEXIT_XSETBV, EXIT_XSETBV, NULL, 0x0f01d1),
    ROW(VMEXIT_IOIO, EXIT_IO, fill_io),
    ROW(VMEXIT_MSR, EXIT_UNKNOWN, fill_msr),
    ROW(VMEXIT_TASK_SWITCH, EXIT_TASK_SWITCH, NULL),
    ROW(VMEXIT_FERR_FREEZE, EXIT_UNKNOWN, NULL),
    ROW(VMEXIT_SHUTDOWN, EXIT_TRIPLE_FAULT, NULL),
    /* instructions that CPUID hides: #UD, as on a machine that lacks them */
    ROW(VMEXIT_RSM, EXIT_UNDEFINED, NULL),
    ROW(VMEXIT_INVLPGA, EXIT_UNDEFINED, NULL),
    ROW(VMEXIT_VMRUN, EXIT_UNDEFINED, NULL),
    ROW(VMEXIT_VMLOAD, EXIT_UNDEFINED, NULL),
    ROW(VMEXIT_VMSAVE, EXIT_UNDEFINED, NULL),
    ROW(VMEXIT_STGI, EXIT_UNDEFINED, NULL),
    ROW(VMEXIT_CLGI, EXIT_UNDEFINED, NULL),
    ROW(VMEXIT_SKINIT, EXIT_UNDEFINED, NULL),
    ROW(VMEXIT_MONITOR, EXIT_UNDEFINED, NULL),
    ROW(VMEXIT_MWAIT, EXIT_UNDEFINED, NULL),
    ROW(VMEXIT_RDPRU, EXIT_UNDEFINED, NULL),
    ROW(VMEXIT_INVLPGB, EXIT_UNDEFINED, NULL),
    ROW(VMEXIT_INVLPGB_ILLEGAL, EXIT_UNDEFINED, NULL),
    ROW(VMEXIT_MCOMMIT, EXIT_UNDEFINED, NULL),
    ROW(VMEXIT_TLBSYNC, EXIT_UNDEFINED, NULL),
    CODE(SVM_CODE_NPF, EXIT_MEMORY, fill_memory, "NPF"),
    CODE(SVM_CODE_TIMER, EXIT_TIMER, NULL, "TIMER"),
    CODE(SVM_CODE_INVALID, EXIT_ENTRY_FAILED, fill_invalid, "INVALID"),
};

const char *svm_exit_name(unsigned code)
{
    return code < SVM_CODES ? rows[code].name : NULL;
}

bool svm_exit_enabled(unsigned code)
{
    return code < SVM_CODES && rows[code].name;
}

static unsigned compact(uint64_t code)
{
    if ((uint32_t)code == VMEXIT_INVALID)
        return SVM_CODE_INVALID;
    if (code >= VMEXIT_NPF)
        return (unsigned)MIN(code - VMEXIT_NPF + SVM_CODE_MOVED, (uint64_t)SVM_CODE_TIMER - 1);
    return (unsigned)MIN(code, (uint64_t)SVM_CODE_MOVED - 1);
}

void svm_decode(struct vcpu *v, struct vmexit *exit)
{
    unsigned code = compact(vmcb_of(v)->control.exit_code);
    const struct row *row = &rows[code];

    exit->word = row->kind | (uint64_t)code << VMEXIT_CODE_SHIFT;
    svm_requeue_interrupted_event(v);
    if (row->opcode)
        set_length(v, exit, length_of(v, row->opcode));
    if (row->fill)
        row->fill(v, exit);
    if (exit->length)
        svm_copies(v);
}
