/* SPDX-License-Identifier: MIT */
/* The instruction decoder behind MMIO and string I/O (root mode and build host; pure). */
#include "kernel/insn.h"

#include <errno.h>

#include "kernel/backend.h"

struct cursor {
    const uint8_t *bytes;
    size_t count, at;
    enum insn_mode mode;
    bool operand16, address_toggle, lock;
    uint8_t rex;
    int error;
};

#define REX_W 8u
#define REX_R 4u

static uint8_t take(struct cursor *c)
{
    if (c->at >= c->count || c->at >= INSN_MAX) {
        c->error = c->at >= INSN_MAX ? -EINVAL : -ENODATA;
        return 0;
    }
    return c->bytes[c->at++];
}

static uint64_t take_number(struct cursor *c, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)take(c) << (8 * i);
    return value;
}

static bool take_prefix(struct cursor *c, struct insn *in, uint8_t byte)
{
    switch (byte) {
    case 0x26: in->segment = VSEG_ES + 1; return true;
    case 0x2e: in->segment = VSEG_CS + 1; return true;
    case 0x36: in->segment = VSEG_SS + 1; return true;
    case 0x3e: in->segment = VSEG_DS + 1; return true;
    case 0x64: in->segment = VSEG_FS + 1; return true;
    case 0x65: in->segment = VSEG_GS + 1; return true;
    case 0x66: c->operand16 = true; return true;
    case 0x67: c->address_toggle = true; return true;
    case 0xf0: c->lock = true; return true;
    case 0xf2:
    case 0xf3: in->rep = true; return true;
    default: return false;
    }
}

static unsigned operand_size(const struct cursor *c)
{
    if (c->rex & REX_W)
        return 8;
    if (c->mode == INSN_16)
        return c->operand16 ? 4 : 2;
    return c->operand16 ? 2 : 4;
}

static unsigned address_size(const struct cursor *c)
{
    static const uint8_t sizes[3][2] = { { 2, 4 }, { 4, 2 }, { 8, 4 } };

    return sizes[c->mode][c->address_toggle];
}

/* A byte register: without REX, 4 to 7 name the high bytes of the first four. */
static uint8_t byte_register(const struct cursor *c, uint8_t number)
{
    return c->rex || number < 4 ? number : (uint8_t)((number - 4) | INSN_HIGH_BYTE);
}

static void skip_displacement(struct cursor *c, uint8_t modrm, unsigned size)
{
    unsigned mod = modrm >> 6, rm = modrm & 7, displacement = 0;

    if (size == 2) {
        displacement = mod == 1 ? 1 : mod == 2 || (mod == 0 && rm == 6) ? 2 : 0;
    } else {
        uint8_t base = rm == 4 ? take(c) & 7 : (uint8_t)rm;
        displacement = mod == 1 ? 1 : mod == 2 || (mod == 0 && base == 5) ? 4 : 0;
    }
    take_number(c, displacement);
}

/* ModRM with a memory operand: the address is known from the exit, only the length counts. */
static uint8_t take_modrm(struct cursor *c, struct insn *in)
{
    uint8_t modrm = take(c), reg = (uint8_t)((modrm >> 3 & 7) | (c->rex & REX_R ? 8 : 0));

    if (modrm >> 6 == 3)
        c->error = c->error ? c->error : -EINVAL;
    else
        skip_displacement(c, modrm, address_size(c));
    in->gpr = in->size == 1 ? byte_register(c, reg) : reg;
    return modrm >> 3 & 7;
}

static uint64_t sign_extend(uint64_t value, unsigned size)
{
    unsigned shift = 64 - 8 * size;

    return (uint64_t)((int64_t)(value << shift) >> shift);
}

static void take_immediate(struct cursor *c, struct insn *in, unsigned size)
{
    in->immediate = sign_extend(take_number(c, size), size);
    in->immediate_valid = true;
}

static int two_byte(struct cursor *c, struct insn *in)
{
    uint8_t opcode = take(c);

    switch (opcode) {
    case 0xb6: /* MOVZX, MOVSX */
    case 0xb7:
    case 0xbe:
    case 0xbf:
        in->op = INSN_LOAD;
        in->size = opcode & 1 ? 2 : 1;
        in->sign = opcode & 8;
        in->extend = (uint8_t)operand_size(c);
        /* the register operand has the full width: never a high byte */
        in->size = (uint8_t)(in->size | 0x10);
        take_modrm(c, in);
        in->size &= 0xf;
        return 0;
    default:
        return -EINVAL;
    }
}

static const uint8_t arithmetic[8] = { INSN_ADD, INSN_OR,  0xff,     0xff,
                                       INSN_AND, INSN_SUB, INSN_XOR, INSN_CMP };

/* 00-3f: the eight operations in rows of eight opcodes */
static int arithmetic_register(struct cursor *c, struct insn *in, uint8_t opcode)
{
    uint8_t op = arithmetic[opcode >> 3 & 7];

    if (op == 0xff || (opcode & 7) > 3)
        return -EINVAL;
    in->op = op;
    in->to_register = opcode & 2;
    in->size = (uint8_t)(opcode & 1 ? operand_size(c) : 1);
    take_modrm(c, in);
    return 0;
}

static int arithmetic_immediate(struct cursor *c, struct insn *in, uint8_t opcode)
{
    unsigned size = opcode & 1 ? operand_size(c) : 1;
    uint8_t op;

    in->size = (uint8_t)size;
    op = arithmetic[take_modrm(c, in)];
    if (op == 0xff)
        return -EINVAL;
    in->op = op;
    take_immediate(c, in, opcode == 0x81 ? MIN(size, 4u) : 1);
    return 0;
}

static int moffs(struct cursor *c, struct insn *in, uint8_t opcode)
{
    in->op = opcode & 2 ? INSN_STORE : INSN_LOAD;
    in->size = in->extend = (uint8_t)(opcode & 1 ? operand_size(c) : 1);
    in->gpr = 0;
    take_number(c, address_size(c));
    return 0;
}

static int string_op(struct cursor *c, struct insn *in, uint8_t opcode)
{
    switch (opcode & 0xfe) {
    case 0x6c:
    case 0x6e: in->op = INSN_PORT_STRING; break;
    case 0xaa: in->op = INSN_STORE_STRING; break;
    default: in->op = INSN_LOAD_STRING; break;
    }
    in->size = in->extend = (uint8_t)(opcode & 1 ? operand_size(c) : 1);
    if (in->op == INSN_PORT_STRING && in->size == 8)
        in->size = 4;
    return 0;
}

static int group3(struct cursor *c, struct insn *in, uint8_t opcode)
{
    unsigned size = opcode & 1 ? operand_size(c) : 1;

    in->size = (uint8_t)size;
    in->op = INSN_TEST;
    if (take_modrm(c, in) > 1)
        return -EINVAL;
    take_immediate(c, in, MIN(size, 4u));
    return 0;
}

static int one_byte(struct cursor *c, struct insn *in, uint8_t opcode)
{
    in->size = in->extend = (uint8_t)(opcode & 1 ? operand_size(c) : 1);
    switch (opcode) {
    case 0x88: case 0x89:
        in->op = INSN_STORE;
        take_modrm(c, in);
        return 0;
    case 0x8a: case 0x8b:
        in->op = INSN_LOAD;
        take_modrm(c, in);
        return 0;
    case 0xc6: case 0xc7:
        in->op = INSN_STORE;
        if (take_modrm(c, in) != 0)
            return -EINVAL;
        take_immediate(c, in, MIN(in->size, 4u));
        return 0;
    case 0x63:
        if (c->mode != INSN_64)
            return -EINVAL;
        in->op = INSN_LOAD;
        in->sign = true;
        in->extend = (uint8_t)operand_size(c);
        in->size = MIN(in->extend, (uint8_t)4); /* with 66h a word, and no extension */
        take_modrm(c, in);
        return 0;
    case 0x84: case 0x85:
        in->op = INSN_TEST;
        take_modrm(c, in);
        return 0;
    case 0x86: case 0x87:
        in->op = INSN_EXCHANGE;
        take_modrm(c, in);
        return 0;
    case 0xa0: case 0xa1: case 0xa2: case 0xa3:
        return moffs(c, in, opcode);
    case 0x6c: case 0x6d: case 0x6e: case 0x6f: case 0xaa: case 0xab: case 0xac: case 0xad:
        return string_op(c, in, opcode);
    case 0x80: case 0x81: case 0x83:
        return arithmetic_immediate(c, in, opcode);
    case 0xf6: case 0xf7:
        return group3(c, in, opcode);
    case 0x0f:
        return two_byte(c, in);
    default:
        return opcode < 0x40 ? arithmetic_register(c, in, opcode) : -EINVAL;
    }
}

int insn_decode(const uint8_t *bytes, size_t count, enum insn_mode mode, struct insn *out)
{
    struct cursor c = { .bytes = bytes, .count = count, .mode = mode };
    uint8_t byte;
    int err;

    *out = (struct insn){ 0 };
    while (take_prefix(&c, out, byte = take(&c)) && !c.error)
        ;
    if (mode == INSN_64 && (byte & 0xf0) == 0x40) { /* REX stands right before the opcode */
        c.rex = byte;
        byte = take(&c);
    }
    out->address_size = (uint8_t)address_size(&c);
    err = one_byte(&c, out, byte);
    out->length = (uint8_t)c.at;
    return c.error ? c.error : err;
}
