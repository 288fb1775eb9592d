/* SPDX-License-Identifier: MIT */
/*
 * Decoder for the instructions that reach devices through memory, for INS and OUTS, and for those
 * whose exits may tell nothing about them. Pure: no guest access. Source: SDM 2, "Instruction
 * Format", Appendix A "Opcode Map".
 */
#ifndef KERNEL_INSN_H
#define KERNEL_INSN_H

#include "kernel/types.h"

#define INSN_MAX 15u
/* Room for what a decoder may look at before it sees that the instruction is too long. */
#define INSN_BUFFER 32u

enum insn_mode { INSN_16, INSN_32, INSN_64 };
enum insn_op {
    INSN_NONE,
    INSN_LOAD,         /* memory to register: MOV, MOVZX, MOVSX, MOVSXD */
    INSN_STORE,        /* register or immediate to memory: MOV */
    INSN_EXCHANGE,     /* XCHG */
    INSN_AND, INSN_OR, INSN_XOR, INSN_ADD, INSN_SUB, /* register or immediate with memory */
    INSN_TEST,         /* TEST, CMP: flags only */
    INSN_CMP,
    INSN_BT, INSN_BTS, INSN_BTR, INSN_BTC, /* one bit, copied to CF */
    INSN_STRINGS,      /* from here on: what kernel/string_insn.c carries out */
    INSN_STORE_STRING = INSN_STRINGS, /* STOS */
    INSN_LOAD_STRING,  /* LODS */
    INSN_MOVE_STRING,  /* MOVS */
    INSN_PORT_IN,      /* INS */
    INSN_PORT_OUT,     /* OUTS */
    INSN_SYSTEM,       /* `opcode` tells which; no operand, or a register, or 16 bits of memory */
    INSN_OPS
};

struct insn_code {
    uint8_t bytes[INSN_BUFFER];
    size_t count; /* of these are the guest's, at most INSN_BUFFER */
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
    uint32_t opcode;      /* SYSTEM: its bytes without prefixes, with ModRM where it has one */
    uint8_t base, index;  /* SYSTEM, in memory: its address, with `immediate` as displacement */
    uint8_t scale;        /* the index counts 1 << scale times */
    uint64_t immediate;
};
#define INSN_HIGH_BYTE 0x80u
#define INSN_NO_GPR 0x40u /* base, index */
#define INSN_RIP 0x41u    /* base: RIP of the next instruction */
#define INSN_IN_MEMORY(opcode) (((opcode) & 0xc0) != 0xc0) /* mod of a ModRM that is part of it */

/* 0; -EINVAL: not one of these; -ENODATA: more bytes are needed than there are. */
int insn_decode(const struct insn_code *code, enum insn_mode mode, struct insn *out);

struct vcpu;
/* The instruction at RIP, which has caused this exit (kernel/fetch.c). The neutral copies in the
 * vCPU are valid then, as the step past the instruction needs them. *out lives until the next. 0;
 * -EFAULT: it is not there any more, and an exception is queued; -ENXIO: it is not in RAM; else as
 * insn_decode. */
int insn_fetch(struct vcpu *vcpu, const struct insn **out);
/* It can't have caused this exit: a sibling has changed it since, or an old translation has led to
 * it. True: the guest shall run what is there now. One that always comes back here ends. */
bool insn_misfit(struct vcpu *vcpu);

#endif
