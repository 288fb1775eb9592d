/* SPDX-License-Identifier: MIT */
/*
 * The instruction behind an exit, where the processor tells nothing about it (root mode). It has
 * been executed up to its intercept, so all its prefixes are legal; a sibling vCPU may have changed
 * it since, and then the guest runs what is there now. Source: APM 3, "Instruction Encoding".
 */
#include "svm/insn.h"

#include "kernel/gmem.h"
#include "kernel/x86.h"
#include "svm/svm.h"

#define INSN_BYTES 15u
#define MODRM_REG(byte) ((byte) >> 3 & 7)
#define MODRM_RM(byte) ((byte) & 7)
#define MODRM_MOD(byte) ((byte) >> 6)
#define REX_R 4u
#define REX_B 1u
#define CR_MOV_WRITE 0x22
#define CR_MOV_READ 0x20
#define CR_CLTS 0x06
#define CR_GROUP7 0x01
#define GROUP7_SMSW 4u
#define GROUP7_LMSW 6u
#define INT3 0xcc
#define INT_N 0xcd
#define INTO 0xce

struct code {
    uint8_t bytes[INSN_BYTES];
    unsigned count; /* that are there */
    unsigned at;    /* behind the prefixes */
    uint8_t rex;
    bool lock;      /* in 32-bit code LOCK MOV CR0 is MOV CR8 */
};

static bool prefix(struct code *c, bool wide)
{
    uint8_t byte = c->bytes[c->at];

    switch (byte) {
    case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x66: case 0x67:
    case 0xf2: case 0xf3:
        c->rex = 0; /* it counts right before the opcode only */
        return true;
    case 0xf0:
        c->rex = 0;
        c->lock = true;
        return true;
    default:
        if (!wide || (byte & 0xf0) != 0x40)
            return false;
        c->rex = byte;
        return true;
    }
}

/* To the end of the page at least: what lies behind it may be another instruction's. */
static void fetch(struct vcpu *v, struct code *c)
{
    const struct vmcb_save *save = &vmcb_of(v)->save;
    bool wide = vcpu_64bit(v);
    gva_t gva = wide ? save->rip : (uint32_t)(save->cs.base + save->rip), where;
    unsigned access = PT_X | (save->cpl == 3 ? PT_USER : 0);
    unsigned first = (unsigned)MIN(PAGE_SIZE - gva % PAGE_SIZE, INSN_BYTES);
    uint32_t error;

    *c = (struct code){ .count = first };
    if (gwalk_read(v, gva, c->bytes, first, access, &where, &error))
        c->count = 0;
    else if (first < INSN_BYTES && gwalk_read(v, gva + first, c->bytes + first, INSN_BYTES - first,
                                              access, &where, &error) == 0)
        c->count = INSN_BYTES;
    while (c->at < c->count && prefix(c, wide))
        c->at++;
}

unsigned svm_insn_length(struct vcpu *v, const struct svm_opcode *opcode)
{
    struct code c;

    fetch(v, &c);
    if (c.at + opcode->count > c.count)
        return 0;
    for (unsigned i = 0; i < opcode->count; i++) {
        if (c.bytes[c.at + i] != opcode->bytes[i])
            return 0;
    }
    return c.at + opcode->count;
}

static unsigned register_operand(const struct code *c, uint8_t modrm)
{
    return MODRM_RM(modrm) | (c->rex & REX_B ? 8u : 0);
}

/* LMSW from memory is not carried out: nobody has used it since the 80286. */
static unsigned group7(struct vcpu *v, const struct code *c, uint8_t modrm, struct exit_cr *cr)
{
    unsigned gpr = register_operand(c, modrm);

    if (MODRM_MOD(modrm) != 3)
        return 0;
    if (MODRM_REG(modrm) == GROUP7_LMSW)
        *cr = (struct exit_cr){ .lmsw = true, .lmsw_value = (uint16_t)vcpu_gpr(v, gpr) };
    else if (MODRM_REG(modrm) == GROUP7_SMSW)
        *cr = (struct exit_cr){ .gpr = (uint8_t)gpr };
    else
        return 0;
    return c->at + 3;
}

unsigned svm_insn_cr(struct vcpu *v, struct exit_cr *cr)
{
    struct code c;
    uint8_t opcode, modrm;

    fetch(v, &c);
    if (c.at + 2 > c.count || c.bytes[c.at] != 0x0f)
        return 0;
    opcode = c.bytes[c.at + 1];
    if (opcode == CR_CLTS) { /* which may be the last of its page */
        *cr = (struct exit_cr){ .clts = true };
        return c.at + 2;
    }
    if (c.at + 3 > c.count)
        return 0;
    modrm = c.bytes[c.at + 2];
    switch (opcode) {
    case CR_GROUP7:
        return group7(v, &c, modrm, cr);
    case CR_MOV_READ:
    case CR_MOV_WRITE:
        *cr = (struct exit_cr){
            .number = (uint8_t)(MODRM_REG(modrm) | (c.rex & REX_R || c.lock ? 8 : 0)),
            .write = opcode == CR_MOV_WRITE,
            .gpr = (uint8_t)register_operand(&c, modrm),
        };
        return c.at + 3;
    default:
        return 0;
    }
}

unsigned svm_insn_interrupt(struct vcpu *v, struct vmexit *exit)
{
    struct code c;
    uint8_t opcode;

    fetch(v, &c);
    opcode = c.bytes[c.at];
    if (c.at + (opcode == INT_N ? 2 : 1) > c.count)
        return 0;
    exit->event = opcode == INT_N ? VEVENT_SOFT_INTERRUPT : VEVENT_SOFT_EXCEPTION;
    switch (opcode) {
    case INT3:
        exit->vector = VECTOR_BP;
        return c.at + 1;
    case INT_N:
        exit->vector = c.bytes[c.at + 1];
        return c.at + 2;
    case INTO:
        exit->vector = VECTOR_OF;
        return c.at + 1;
    default:
        return 0;
    }
}
