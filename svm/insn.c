/* SPDX-License-Identifier: MIT */
/*
 * Exits that an instruction has caused: its length, and what else the processor leaves to find out
 * (root mode). Source: APM 2, "Decode Assists"; APM 3, "Instruction Encoding".
 */
#include "kernel/insn.h"

#include "kernel/x86.h"
#include "svm/svm.h"

/* See struct insn; of MOV and group 7 without their ModRM */
#define OPCODE_INT3 0xccu
#define OPCODE_INT_N 0xcdu
#define OPCODE_INTO 0xceu
#define OPCODE_CLTS 0x0f06u
#define OPCODE_INVD 0x0f08u
#define OPCODE_GROUP7 0x0f01u
#define OPCODE_MOV_FROM_CR 0x0f20u
#define OPCODE_MOV_TO_CR 0x0f22u
#define GROUP7_SMSW 4u
#define GROUP7_LMSW 6u
#define MODRM_REG(opcode) ((opcode) >> 3 & 7)

/* What caused the exit, from memory; NULL: something else is there by now, or nothing. */
static const struct insn *instruction(struct vcpu *v)
{
    const struct insn *in;

    return insn_fetch(v, &in) == 0 && in->op == INSN_SYSTEM ? in : NULL;
}

/* 0: it is not what the exit says. */
static void set_length(struct vcpu *v, struct vmexit *exit, unsigned length)
{
    exit->length = (uint8_t)length;
    if (likely(length)) {
        v->misfits = 0;
        return;
    }
    exit->kind = insn_misfit(v) ? EXIT_NONE : EXIT_UNKNOWN;
    svm_of(v)->generation = 0;
}

void svm_fill_length(struct vcpu *v, struct vmexit *exit, uint32_t opcode)
{
    const struct vmcb *vmcb = vmcb_of(v);
    const struct insn *in;

    if (svm_caps.next_rip && vmcb->control.next_rip) {
        set_length(v, exit, (unsigned)(vmcb->control.next_rip - vmcb->save.rip));
        return;
    }
    in = instruction(v); /* QEMU 7 says WBINVD of an INVD */
    set_length(v, exit, in && (in->opcode == opcode || in->opcode == OPCODE_INVD) ? in->length : 0);
}

/* While a debugger waits for INT3 (svm_intercept_exception). */
void svm_fill_software(struct vcpu *v, struct vmexit *exit)
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
void svm_fill_cr(struct vcpu *v, struct vmexit *exit)
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
