/* SPDX-License-Identifier: MIT */
/*
 * The instruction decoder behind MMIO, string I/O and exits that do not describe themselves (root
 * mode and build host; pure): a table of opcodes. It runs ahead in a buffer that is long enough,
 * and looks at the end whether what it has read was there.
 */
#include "kernel/insn.h"

#include <errno.h>

#include "kernel/backend.h"
#include "kernel/vcpu.h"

enum row_flags {
    M = 1u << 0,      /* ModRM with a memory operand */
    B = 1u << 1,      /* the operand is a byte */
    REG = 1u << 2,    /* the register is changed */
    IMM8 = 1u << 3,
    IMM = 1u << 4,    /* an immediate of the operand's size, at most four bytes */
    WIDE = 1u << 5,   /* the register has the operand size, memory a byte (B) or a word */
    SIGN = 1u << 6,
    OFFSET = 1u << 7, /* an address in place of ModRM */
    PREFIX = 1u << 8,
    GROUP = 1u << 9,  /* `op` is a row of `groups`, ModRM chooses in it */
    SYSTEM = 1u << 10, /* M: a ModRM that names registers, or memory where it is a group's */
};

struct row {
    uint8_t op; /* enum insn_op, group, or segment + 1 */
    uint16_t flags;
};

enum group { GROUP1, GROUP3, GROUP8, GROUP11, GROUPS };

static const uint8_t groups[GROUPS][8] = {
    [GROUP1] = { INSN_ADD, INSN_OR, INSN_NONE, INSN_NONE, INSN_AND, INSN_SUB, INSN_XOR, INSN_CMP },
    [GROUP3] = { INSN_TEST, INSN_TEST },
    [GROUP8] = { [4] = INSN_BT, INSN_BTS, INSN_BTR, INSN_BTC },
    [GROUP11] = { INSN_STORE },
};

#define ARITHMETIC(base, op)                                                                       \
    [(base)] = { op, M | B }, [(base) + 1] = { op, M }, [(base) + 2] = { op, M | B | REG },        \
    [(base) + 3] = { op, M | REG }
#define SYSTEM_INSN(flags) { INSN_SYSTEM, SYSTEM | (flags) }
#define STRING(base, op) [(base)] = { op, B }, [(base) + 1] = { op, 0 }

static const struct row one_byte[256] = {
    ARITHMETIC(0x00, INSN_ADD), ARITHMETIC(0x08, INSN_OR), ARITHMETIC(0x20, INSN_AND),
    ARITHMETIC(0x28, INSN_SUB), ARITHMETIC(0x30, INSN_XOR), ARITHMETIC(0x38, INSN_CMP),
    [0x26] = { VSEG_ES + 1, PREFIX }, [0x2e] = { VSEG_CS + 1, PREFIX },
    [0x36] = { VSEG_SS + 1, PREFIX }, [0x3e] = { VSEG_DS + 1, PREFIX },
    [0x64] = { VSEG_FS + 1, PREFIX }, [0x65] = { VSEG_GS + 1, PREFIX },
    [0x40 ... 0x4f] = { 0, PREFIX }, /* REX in 64-bit mode */
    [0x66] = { 0, PREFIX }, [0x67] = { 0, PREFIX },
    [0xf0] = { 0, PREFIX }, [0xf2] = { 0, PREFIX }, [0xf3] = { 0, PREFIX },
    [0x63] = { INSN_LOAD, M | WIDE | SIGN }, /* MOVSXD */
    STRING(0x6c, INSN_PORT_IN), STRING(0x6e, INSN_PORT_OUT),
    [0x80] = { GROUP1, GROUP | M | B | IMM8 }, [0x81] = { GROUP1, GROUP | M | IMM },
    [0x83] = { GROUP1, GROUP | M | IMM8 },
    [0x84] = { INSN_TEST, M | B }, [0x85] = { INSN_TEST, M },
    [0x86] = { INSN_EXCHANGE, M | B }, [0x87] = { INSN_EXCHANGE, M },
    [0x88] = { INSN_STORE, M | B }, [0x89] = { INSN_STORE, M },
    [0x8a] = { INSN_LOAD, M | B }, [0x8b] = { INSN_LOAD, M },
    [0x90] = SYSTEM_INSN(0), /* PAUSE */
    [0xa0] = { INSN_LOAD, OFFSET | B }, [0xa1] = { INSN_LOAD, OFFSET },
    [0xa2] = { INSN_STORE, OFFSET | B }, [0xa3] = { INSN_STORE, OFFSET },
    STRING(0xa4, INSN_MOVE_STRING), STRING(0xaa, INSN_STORE_STRING),
    STRING(0xac, INSN_LOAD_STRING),
    [0xc6] = { GROUP11, GROUP | M | B | IMM8 }, [0xc7] = { GROUP11, GROUP | M | IMM },
    [0xcc] = SYSTEM_INSN(0), [0xcd] = SYSTEM_INSN(IMM8), [0xce] = SYSTEM_INSN(0), /* INT */
    [0xf4] = SYSTEM_INSN(0), /* HLT */
    [0xf6] = { GROUP3, GROUP | M | B | IMM8 }, [0xf7] = { GROUP3, GROUP | M | IMM },
};

static const struct row two_byte[256] = {
    [0x01] = SYSTEM_INSN(M | GROUP),                                      /* group 7 */
    [0x06] = SYSTEM_INSN(0), [0x08] = SYSTEM_INSN(0), [0x09] = SYSTEM_INSN(0), /* CLTS, caches */
    [0x20] = SYSTEM_INSN(M), [0x22] = SYSTEM_INSN(M),                     /* MOV CR */
    [0x30] = SYSTEM_INSN(0), [0x32] = SYSTEM_INSN(0), [0x33] = SYSTEM_INSN(0), /* MSRs, RDPMC */
    [0xa2] = SYSTEM_INSN(0),                                              /* CPUID */
    [0xa3] = { INSN_BT, M }, [0xab] = { INSN_BTS, M },
    [0xb3] = { INSN_BTR, M }, [0xbb] = { INSN_BTC, M },
    [0xba] = { GROUP8, GROUP | M | IMM8 },
    [0xb6] = { INSN_LOAD, M | B | WIDE }, [0xb7] = { INSN_LOAD, M | WIDE },
    [0xbe] = { INSN_LOAD, M | B | WIDE | SIGN }, [0xbf] = { INSN_LOAD, M | WIDE | SIGN },
};

#define ESCAPE 0x0f
#define MOVSXD 0x63
#define REX_W 8u
#define REX_R 4u
#define REX_X 2u
#define REX_B 1u

struct cursor {
    const uint8_t *bytes;
    size_t at;
    enum insn_mode mode;
    bool operand_toggle, address_toggle;
    uint8_t rex;
};

/* False: not a prefix in this mode. */
static bool take_prefix(struct cursor *c, struct insn *in, uint8_t byte)
{
    if ((byte & 0xf0) == 0x40) {
        c->rex = byte;
        return c->mode == INSN_64;
    }
    c->rex = 0; /* REX counts right before the opcode only */
    if (byte == 0x66)
        c->operand_toggle = true;
    else if (byte == 0x67)
        c->address_toggle = true;
    else if (byte == 0xf2 || byte == 0xf3)
        in->rep = true;
    else if (byte != 0xf0) /* LOCK: device accesses hold the device's lock anyway */
        in->segment = one_byte[byte].op;
    return true;
}

static uint8_t operand_size(const struct cursor *c)
{
    if (c->rex & REX_W)
        return 8;
    return (c->mode == INSN_16) != c->operand_toggle ? 2 : 4;
}

static uint8_t address_size(const struct cursor *c)
{
    static const uint8_t sizes[3][2] = { { 2, 4 }, { 4, 2 }, { 8, 4 } };

    return sizes[c->mode][c->address_toggle];
}

/* Of SIB and displacement mostly the length counts: the address is known from the exit. */
static unsigned address_length(const uint8_t *modrm, unsigned size)
{
    unsigned mod = *modrm >> 6, rm = *modrm & 7;

    if (size == 2)
        return mod == 1 ? 1 : mod == 2 || (mod == 0 && rm == 6) ? 2 : 0;
    unsigned sib = rm == 4, base = sib ? modrm[1] & 7 : rm;
    return sib + (mod == 1 ? 1 : mod == 2 || (mod == 0 && base == 5) ? 4 : 0);
}

/* A byte register: without REX, 4 to 7 name the high bytes of the first four. */
static uint8_t register_number(const struct cursor *c, uint8_t modrm, bool byte)
{
    uint8_t number = modrm >> 3 & 7;

    if (c->rex)
        return (uint8_t)(number | (c->rex & REX_R ? 8 : 0));
    return byte && number >= 4 ? (uint8_t)((number - 4) | INSN_HIGH_BYTE) : number;
}

static void take_immediate(struct cursor *c, struct insn *in, size_t size)
{
    unsigned shift = 64 - 8 * (unsigned)size;
    uint64_t value = 0;

    __builtin_memcpy(&value, &c->bytes[c->at], sizeof(uint32_t));
    in->immediate = (uint64_t)((int64_t)(value << shift) >> shift);
    in->immediate_valid = true;
    c->at += size;
}

static int take_operands(struct cursor *c, struct insn *in, uint8_t op, unsigned flags)
{
    uint8_t modrm = c->bytes[c->at], operand = operand_size(c);

    in->size = flags & B ? 1 : flags & WIDE ? MIN(operand, (uint8_t)2) : operand;
    in->extend = flags & WIDE ? operand : in->size;
    in->sign = flags & SIGN;
    in->to_register = flags & REG;
    if (flags & M) {
        c->at++;
        if (modrm >> 6 == 3)
            return -EINVAL;
        if (flags & GROUP)
            op = groups[op][modrm >> 3 & 7];
        else
            in->gpr = register_number(c, modrm, in->extend == 1);
        if (op == INSN_NONE)
            return -EINVAL;
        c->at += address_length(&c->bytes[c->at - 1], in->address_size);
    }
    if (op == INSN_NONE)
        return -EINVAL;
    in->op = op;
    if (flags & (IMM8 | IMM))
        take_immediate(c, in, flags & IMM8 ? 1 : MIN(operand, (uint8_t)4));
    return 0;
}

/* Where no exit tells the address (SDM 2A, "Addressing-Mode Encoding of ModR/M and SIB Bytes"). */
static void take_address(struct cursor *c, struct insn *in, uint8_t modrm)
{
    static const uint8_t pairs[8][2] = {
        { RBX, RSI }, { RBX, RDI }, { RBP, RSI }, { RBP, RDI }, { RSI, INSN_NO_GPR },
        { RDI, INSN_NO_GPR }, { RBP, INSN_NO_GPR }, { RBX, INSN_NO_GPR },
    };
    unsigned mod = modrm >> 6, rm = modrm & 7, sib, base = rm, index = RSP;
    unsigned rest = address_length(&c->bytes[c->at - 1], in->address_size);
    bool absolute = mod == 0 && rm == (in->address_size == 2 ? 6 : 5);

    if (rm == 4 && in->address_size != 2) {
        sib = c->bytes[c->at++];
        base = sib & 7;
        index = (sib >> 3 & 7) | (c->rex & REX_X ? 8 : 0);
        in->scale = (uint8_t)(sib >> 6);
        absolute = mod == 0 && base == 5;
        rest--;
    }
    in->base = in->address_size == 2 ? pairs[rm][0] : (uint8_t)(base | (c->rex & REX_B ? 8 : 0));
    in->index = in->address_size == 2 ? pairs[rm][1]
                : index == RSP        ? (uint8_t)INSN_NO_GPR
                                      : (uint8_t)index;
    if (absolute)
        in->base = c->mode == INSN_64 && rm == 5 ? INSN_RIP : INSN_NO_GPR;
    else if (!in->segment && (in->base == RSP || in->base == RBP))
        in->segment = VSEG_SS + 1;
    if (rest)
        take_immediate(c, in, rest);
}

static int take_system(struct cursor *c, struct insn *in, uint32_t opcode, unsigned flags)
{
    uint8_t modrm = c->bytes[c->at];

    in->op = INSN_SYSTEM;
    in->opcode = opcode;
    in->size = operand_size(c);
    if (flags & IMM8)
        take_immediate(c, in, 1);
    if (!(flags & M))
        return 0;
    c->at++;
    in->opcode = opcode << 8 | modrm;
    in->gpr = (uint8_t)((modrm & 7) | (c->rex & REX_B ? 8 : 0));
    if ((flags & GROUP) && INSN_IN_MEMORY(modrm)) {
        in->size = 2;
        take_address(c, in, modrm);
    }
    return 0;
}

/* What the flags of a row can't say. */
static int odd_ones(struct cursor *c, struct insn *in, uint8_t opcode, unsigned flags)
{
    if (flags & OFFSET)
        c->at += in->address_size;
    if ((in->op == INSN_PORT_IN || in->op == INSN_PORT_OUT) && in->size == 8)
        in->size = 4;
    if (opcode != MOVSXD || !(flags & SIGN))
        return 0;
    in->size = MIN(in->extend, (uint8_t)4); /* with 66h a word, and no extension */
    return c->mode == INSN_64 ? 0 : -EINVAL;
}

int insn_decode(const struct insn_code *code, enum insn_mode mode, struct insn *out)
{
    struct cursor c = { .bytes = code->bytes, .mode = mode };
    uint8_t opcode = c.bytes[c.at++];
    const struct row *row = &one_byte[opcode];
    uint32_t escape = 0;
    int err = -EINVAL;

    *out = (struct insn){ 0 };
    while ((row->flags & PREFIX) && c.at <= INSN_MAX && take_prefix(&c, out, opcode))
        row = &one_byte[opcode = c.bytes[c.at++]];
    if (opcode == ESCAPE) {
        escape = ESCAPE << 8;
        row = &two_byte[opcode = c.bytes[c.at++]];
    }
    out->address_size = address_size(&c);
    if (row->flags & SYSTEM)
        err = take_system(&c, out, escape | opcode, row->flags);
    else if (!(row->flags & PREFIX))
        err = take_operands(&c, out, row->op, row->flags);
    if (!err && (row->flags & (OFFSET | SIGN) || out->op >= INSN_STRINGS))
        err = odd_ones(&c, out, opcode, row->flags);
    out->length = (uint8_t)c.at;
    if (c.at > MIN(code->count, (size_t)INSN_MAX))
        return code->count < INSN_MAX ? -ENODATA : -EINVAL;
    return err;
}
