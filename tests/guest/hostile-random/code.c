/* SPDX-License-Identifier: MIT */
/*
 * Random instructions (guest): an opcode that exits, reaches memory or changes the processor's
 * state, behind random prefixes and before random bytes, which are its operands.
 */
#include "tests/guest/hostile-random/code.h"

#define PAGE 4096u
#define INT3 0xccu
#define RANDOM_BYTES 48u
#define INSTRUCTIONS_MAX 4u
#define LAPIC 0xfee00000ull
#define IOAPIC 0xfec00000ull

struct opcode {
    uint8_t count, bytes[3];
};
static const struct opcode opcodes[] = {
    /* to and from memory: MOV, arithmetic, XCHG, stack, SSE, x87 */
    { 1, { 0x88 } }, { 1, { 0x89 } }, { 1, { 0x8a } }, { 1, { 0x8b } }, { 1, { 0xc6 } },
    { 1, { 0xc7 } }, { 1, { 0x63 } }, { 1, { 0x80 } }, { 1, { 0x81 } }, { 1, { 0x83 } },
    { 1, { 0xf6 } }, { 1, { 0xf7 } }, { 1, { 0xfe } }, { 1, { 0xff } }, { 1, { 0x84 } },
    { 1, { 0x85 } }, { 1, { 0x86 } }, { 1, { 0x87 } }, { 1, { 0x8f } }, { 1, { 0xa0 } },
    { 1, { 0xa3 } }, { 1, { 0xd7 } }, { 1, { 0xd8 } }, { 1, { 0xdf } }, { 1, { 0xc3 } },
    { 2, { 0x0f, 0xb6 } }, { 2, { 0x0f, 0xbe } }, { 2, { 0x0f, 0xa3 } }, { 2, { 0x0f, 0xab } },
    { 2, { 0x0f, 0xba } }, { 2, { 0x0f, 0xb1 } }, { 2, { 0x0f, 0xc1 } }, { 2, { 0x0f, 0xc7 } },
    { 2, { 0x0f, 0x10 } }, { 2, { 0x0f, 0x7f } }, { 2, { 0x0f, 0xae } }, { 2, { 0x0f, 0xb2 } },
    { 3, { 0x0f, 0x38, 0xf0 } }, { 3, { 0x0f, 0x38, 0x82 } },
    /* strings and ports */
    { 1, { 0xa4 } }, { 1, { 0xa5 } }, { 1, { 0xaa } }, { 1, { 0xab } }, { 1, { 0xac } },
    { 1, { 0xa6 } }, { 1, { 0xae } }, { 1, { 0x6c } }, { 1, { 0x6d } }, { 1, { 0x6e } },
    { 1, { 0x6f } }, { 1, { 0xec } }, { 1, { 0xed } }, { 1, { 0xee } }, { 1, { 0xef } },
    /* MSRs, control registers, what is privileged, hypervisors' instructions */
    { 2, { 0x0f, 0x30 } }, { 2, { 0x0f, 0x30 } }, { 2, { 0x0f, 0x30 } }, { 2, { 0x0f, 0x32 } },
    { 2, { 0x0f, 0x20 } }, { 2, { 0x0f, 0x22 } }, { 2, { 0x0f, 0x01 } }, { 2, { 0x0f, 0x33 } },
    { 2, { 0x0f, 0x06 } }, { 2, { 0x0f, 0x08 } }, { 2, { 0x0f, 0x09 } }, { 2, { 0x0f, 0x37 } },
    { 2, { 0x0f, 0x78 } }, { 2, { 0x0f, 0xaa } }, { 2, { 0x0f, 0xa2 } }, { 2, { 0x0f, 0x31 } },
    { 3, { 0x0f, 0x01, 0xc1 } }, { 3, { 0x0f, 0x01, 0xc8 } }, { 3, { 0x0f, 0x01, 0xd1 } },
    { 3, { 0x0f, 0x01, 0xd8 } }, { 3, { 0x0f, 0x01, 0xd9 } }, { 3, { 0x0f, 0x01, 0xda } },
    { 3, { 0x0f, 0x01, 0xdd } }, { 3, { 0x0f, 0x01, 0xdf } }, { 3, { 0x0f, 0x01, 0xf9 } },
    /* other ways of control, flags, HLT */
    { 1, { 0xcd } }, { 1, { 0xce } }, { 1, { 0xf1 } }, { 1, { 0xcf } }, { 1, { 0xf4 } },
    { 1, { 0xfa } }, { 1, { 0xfb } }, { 1, { 0x9c } }, { 1, { 0x9d } }, { 1, { 0x8e } },
    { 1, { 0xea } }, { 1, { 0xcb } }, { 1, { 0xe8 } }, { 2, { 0x0f, 0x05 } }, { 2, { 0x0f, 0x34 } },
    { 2, { 0x0f, 0x21 } }, { 2, { 0x0f, 0x23 } }, { 2, { 0x0f, 0x00 } },
};
static const uint8_t prefixes[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x64, 0x2e, 0x36, 0x40,
                                    0x41, 0x44, 0x48, 0x49, 0x4c };

uint64_t code_below(uint64_t limit)
{
    return guest_random() % limit;
}

static uint8_t *put_opcode(uint8_t *p)
{
    const struct opcode *opcode = &opcodes[code_below(ARRAY_SIZE(opcodes))];

    while (code_below(3) == 0)
        *p++ = prefixes[code_below(ARRAY_SIZE(prefixes))];
    for (unsigned i = 0; i < opcode->count && code_below(16); i++)
        *p++ = opcode->bytes[i];
    return p + code_below(5);
}

/* QEMU without KVM aborts when events meet the null TR of an LTR, or a watchpoint. */
static void spare_qemu(uint8_t *page)
{
    for (unsigned i = 0; i + 1 < PAGE; i++) {
        if (page[i] == 0x0f && (page[i + 1] == 0x00 || page[i + 1] == 0x23))
            page[i] = INT3;
    }
}

void code_fill(uint8_t *page, unsigned offset)
{
    uint8_t *p = page + offset, *end = page + PAGE - INSTRUCTIONS_MAX * 12;

    memset(page, INT3, PAGE);
    for (unsigned i = offset; i < PAGE && i < offset + RANDOM_BYTES; i++)
        page[i] = (uint8_t)guest_random();
    for (uint64_t count = 1 + code_below(INSTRUCTIONS_MAX); count && p < end; count--)
        p = put_opcode(p);
    if (guest_in_qemu_tcg())
        spare_qemu(page);
}

static uint64_t pointer(uint64_t from, uint64_t size, uint64_t end_of_ram)
{
    switch (code_below(32)) {
    case 0:
        return LAPIC + code_below(64) * 16;
    case 1:
        return IOAPIC + code_below(2) * 16 + code_below(8);
    case 2:
        return end_of_ram - code_below(16);
    case 3:
        return 0x100000000ull - code_below(16);
    case 4:
        return 0x800000000000ull - code_below(16);
    case 5:
        return 1ull << code_below(64);
    case 6:
        return guest_random();
    case 7:
    case 8:
        return code_below(8);
    default:
        return from + code_below(size);
    }
}

static uint32_t msr_number(void)
{
    static const uint32_t known[] = {
        0x10, 0x1b, 0x1b, 0x3a, 0x8b, 0x174, 0x176, 0x1a0, 0x1d9, 0x200, 0x201, 0x277, 0x2ff,
        0x6e0, 0x6e0, 0xda0, 0x4b564d00, 0x4b564d01, 0x4b564d04, 0xc0000080, 0xc0000081,
        0xc0000082, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103, 0xc0010015, 0xc0010117,
    };

    return code_below(3) ? known[code_below(ARRAY_SIZE(known))]
                         : X2APIC_ID - 2 + (uint32_t)code_below(0x100);
}

static uint16_t port_number(void)
{
    static const uint16_t known[] = { 0x20, 0x21, 0xa1, 0x40, 0x43, 0x60, 0x61, 0x70, 0x71,
                                      0x3c0, 0x3d4, 0x3f8, 0x3fb, 0x3ff, 0xe0, 0xffff };

    return known[code_below(ARRAY_SIZE(known))];
}

void code_registers(struct guest_frame *frame, uint64_t from, uint64_t size, uint64_t end_of_ram)
{
    uint64_t *registers = &frame->r15;

    for (unsigned i = 0; i < 15; i++)
        registers[i] = pointer(from, size, end_of_ram);
    frame->rsp = pointer(from, size, end_of_ram);
    switch (code_below(4)) {
    case 0:
        frame->rcx = msr_number();
        frame->rdx = code_below(2) ? 0 : frame->rdx;
        break;
    case 1:
        frame->rdx = port_number();
        frame->rcx = code_below(2) ? code_below(8) : frame->rcx;
        break;
    case 2:
        frame->rax = MULLION_HC_BASE + code_below(16);
        break;
    default:
        break;
    }
}
