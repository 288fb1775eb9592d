/* SPDX-License-Identifier: MIT */
/*
 * Decoder for the instructions that reach devices through memory, and for INS and OUTS. Pure: no
 * guest access. Source: SDM 2, "Instruction Format", Appendix A "Opcode Map".
 */
#ifndef KERNEL_INSN_H
#define KERNEL_INSN_H

#include "kernel/types.h"

#define INSN_MAX 15u

enum insn_mode { INSN_16, INSN_32, INSN_64 };
enum insn_op {
    INSN_LOAD,      /* memory to register: MOV, MOVZX, MOVSX, MOVSXD */
    INSN_STORE,     /* register or immediate to memory: MOV */
    INSN_STORE_STRING, /* STOS */
    INSN_LOAD_STRING,  /* LODS */
    INSN_EXCHANGE,  /* XCHG */
    INSN_AND, INSN_OR, INSN_XOR, INSN_ADD, INSN_SUB, /* register or immediate with memory */
    INSN_TEST,      /* TEST, CMP: flags only */
    INSN_CMP,
    INSN_PORT_STRING, /* INS, OUTS */
};

struct insn {
    uint8_t op;           /* enum insn_op */
    uint8_t length;       /* with prefixes and immediates */
    uint8_t size;         /* of the memory operand: 1, 2, 4, 8 */
    uint8_t address_size; /* 2, 4, 8 */
    uint8_t gpr;          /* register operand; bit 7 (INSN_HIGH_BYTE): AH, CH, DH, BH */
    uint8_t extend;       /* LOAD: bytes of the register that are written */
    bool sign;            /* LOAD: sign-extends */
    bool immediate_valid; /* the other operand is `immediate`, not a register */
    bool to_register;     /* arithmetic: memory is the source, the register is changed */
    bool rep;
    uint8_t segment;      /* override: enum vseg + 1; 0: none */
    uint64_t immediate;
};
#define INSN_HIGH_BYTE 0x80u

/* 0; -EINVAL: not one of these; -ENODATA: more bytes are needed than there are. */
int insn_decode(const uint8_t *bytes, size_t count, enum insn_mode mode, struct insn *out);

struct vcpu;
/* Fetches and decodes the instruction at RIP. Also -EFAULT: it can't be read. */
int insn_fetch(struct vcpu *vcpu, struct insn *out);

#endif
