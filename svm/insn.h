/* SPDX-License-Identifier: MIT */
/* What processors without next RIP and decode assists leave to software. */
#ifndef SVM_INSN_H
#define SVM_INSN_H

#include "kernel/exit.h"

/* The opcode that an exit of this code must come from; bytes after prefixes. */
struct svm_opcode {
    uint8_t count;
    uint8_t bytes[3];
};

/* Length of the instruction at RIP if it is this one; 0: it is not, or not there any more. */
unsigned svm_insn_length(struct vcpu *vcpu, const struct svm_opcode *opcode);
/* Decodes MOV to and from CR0, CR4 and CR8, CLTS, LMSW and SMSW. Its length, or 0. */
unsigned svm_insn_cr(struct vcpu *vcpu, struct exit_cr *cr);
/* Decodes INT n, INT3 and INTO: event and vector. Its length, or 0. */
unsigned svm_insn_interrupt(struct vcpu *vcpu, struct vmexit *exit);

#endif
