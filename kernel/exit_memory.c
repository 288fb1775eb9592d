/* SPDX-License-Identifier: MIT */
/*
 * Nested page faults (root mode): memory given on demand, device registers, or nothing there.
 */
#include <errno.h>

#include "kernel/exit.h"
#include "kernel/gmem.h"
#include "kernel/insn.h"
#include "kernel/lock.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

static enum insn_mode insn_mode(struct vcpu *v)
{
    if (vcpu_64bit(v))
        return INSN_64;
    return vcpu_get(v, VREG_CS_ACCESS) & SEGMENT_ACCESS_DB ? INSN_32 : INSN_16;
}

/* The instruction at RIP; fewer bytes where the next page is not there. */
static size_t fetch(struct vcpu *v, enum insn_mode mode, uint8_t *bytes)
{
    unsigned access = PT_X | (vcpu_cpl(v) == 3 ? PT_USER : 0);
    gva_t rip = vcpu_get(v, VREG_RIP), where;
    struct vsegment cs;
    uint32_t error;
    size_t first;

    if (mode != INSN_64) {
        backend->get_segment(v, VSEG_CS, &cs);
        rip = (uint32_t)(rip + cs.base);
    }
    first = MIN((size_t)(PAGE_SIZE - (rip & (PAGE_SIZE - 1))), (size_t)INSN_MAX);
    if (gwalk_read(v, rip, bytes, first, access, &where, &error))
        return 0;
    if (first < INSN_MAX &&
        gwalk_read(v, rip + first, bytes + first, INSN_MAX - first, access, &where, &error))
        return first;
    return INSN_MAX;
}

int insn_fetch(struct vcpu *v, struct insn *out)
{
    enum insn_mode mode = insn_mode(v);
    uint8_t bytes[INSN_MAX];
    size_t count = fetch(v, mode, bytes);

    return count ? insn_decode(bytes, count, mode, out) : -EFAULT;
}

static uint64_t size_mask(unsigned size)
{
    return size == 8 ? ~0ull : BIT(8 * size) - 1;
}

static uint64_t read_register(struct vcpu *v, unsigned gpr)
{
    if (gpr & INSN_HIGH_BYTE)
        return vcpu_gpr(v, gpr & ~INSN_HIGH_BYTE) >> 8;
    return vcpu_gpr(v, gpr);
}

/* 32-bit writes clear the upper half, smaller ones keep the rest. */
static void write_register(struct vcpu *v, unsigned gpr, unsigned size, uint64_t value)
{
    uint64_t mask = size_mask(size), old;

    if (size == 4) {
        vcpu_set_gpr(v, gpr, (uint32_t)value);
        return;
    }
    if (gpr & INSN_HIGH_BYTE) {
        gpr &= ~INSN_HIGH_BYTE;
        mask <<= 8;
        value <<= 8;
    }
    old = vcpu_gpr(v, gpr);
    vcpu_set_gpr(v, gpr, (old & ~mask) | (value & mask));
}

static uint64_t extend(const struct insn *in, uint64_t value)
{
    unsigned shift = 64u - 8u * in->size;

    value &= size_mask(in->size);
    return in->sign ? (uint64_t)((int64_t)(value << shift) >> shift) : value;
}

#define ARITHMETIC_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static void set_flags(struct vcpu *v, const struct insn *in, uint64_t a, uint64_t b,
                      uint64_t result)
{
    uint64_t mask = size_mask(in->size), sign = BIT(8 * in->size - 1);
    uint64_t flags = vcpu_get(v, VREG_RFLAGS) & ~(uint64_t)ARITHMETIC_FLAGS;
    bool subtract = in->op == INSN_SUB || in->op == INSN_CMP, add = in->op == INSN_ADD;

    result &= mask;
    flags |= result == 0 ? RFLAGS_ZF : 0;
    flags |= result & sign ? RFLAGS_SF : 0;
    flags |= __builtin_parityll(result & 0xff) ? 0ull : RFLAGS_PF;
    if (subtract) {
        flags |= (a & mask) < (b & mask) ? RFLAGS_CF : 0;
        flags |= (a ^ b) & (a ^ result) & sign ? RFLAGS_OF : 0;
    } else if (add) {
        flags |= result < (a & mask) ? RFLAGS_CF : 0;
        flags |= ~(a ^ b) & (a ^ result) & sign ? RFLAGS_OF : 0;
    }
    flags |= (add || subtract) && ((a ^ b ^ result) & 0x10) ? RFLAGS_AF : 0;
    vcpu_set(v, VREG_RFLAGS, flags);
}

static uint64_t compute(unsigned op, uint64_t a, uint64_t b)
{
    switch (op) {
    case INSN_AND:
    case INSN_TEST:
        return a & b;
    case INSN_OR:
        return a | b;
    case INSN_XOR:
        return a ^ b;
    case INSN_ADD:
        return a + b;
    default:
        return a - b;
    }
}

static void arithmetic(struct vcpu *v, const struct io_range *range, uint64_t offset,
                       const struct insn *in)
{
    uint64_t memory = range->read(range->dev, offset, in->size);
    uint64_t other = in->immediate_valid ? in->immediate : read_register(v, in->gpr);
    uint64_t a = in->to_register ? other : memory, b = in->to_register ? memory : other;
    uint64_t result = compute(in->op, a, b);

    set_flags(v, in, a, b, result);
    if (in->op == INSN_TEST || in->op == INSN_CMP)
        return;
    if (in->to_register)
        write_register(v, in->gpr, in->size, result);
    else
        range->write(range->dev, offset, in->size, result & size_mask(in->size));
}

/* One element of STOS or LODS; false: REP wants more. */
static bool string(struct vcpu *v, const struct io_range *range, uint64_t offset,
                   const struct insn *in)
{
    unsigned index = in->op == INSN_STORE_STRING ? RDI : RSI;
    uint64_t step = vcpu_get(v, VREG_RFLAGS) & RFLAGS_DF ? 0 - (uint64_t)in->size : in->size;

    if (in->op == INSN_STORE_STRING)
        range->write(range->dev, offset, in->size, v->gpr[RAX] & size_mask(in->size));
    else
        write_register(v, RAX, in->size, range->read(range->dev, offset, in->size));
    write_register(v, index, in->address_size, v->gpr[index] + step);
    if (!in->rep)
        return true;
    write_register(v, RCX, in->address_size, v->gpr[RCX] - 1);
    return (v->gpr[RCX] & size_mask(in->address_size)) == 0;
}

/* True: the instruction is done. */
static bool execute(struct vcpu *v, const struct io_range *range, uint64_t offset,
                    const struct insn *in)
{
    uint64_t value;

    switch (in->op) {
    case INSN_LOAD:
        value = extend(in, range->read(range->dev, offset, in->size));
        write_register(v, in->gpr, in->extend, value);
        return true;
    case INSN_STORE:
        value = in->immediate_valid ? in->immediate : read_register(v, in->gpr);
        range->write(range->dev, offset, in->size, value & size_mask(in->size));
        return true;
    case INSN_EXCHANGE:
        value = range->read(range->dev, offset, in->size);
        range->write(range->dev, offset, in->size,
                     read_register(v, in->gpr) & size_mask(in->size));
        write_register(v, in->gpr, in->size, value);
        return true;
    case INSN_STORE_STRING:
    case INSN_LOAD_STRING:
        return string(v, range, offset, in);
    default:
        arithmetic(v, range, offset, in);
        return true;
    }
}

static enum verdict device_access(struct vcpu *v, struct vmexit *exit)
{
    gpa_t gpa = exit->memory.gpa;
    const struct io_range *range;
    struct insn in;
    bool done;

    if (exit->memory.page_walk || exit->memory.fetch || v->event.type || insn_fetch(v, &in) ||
        in.op == INSN_PORT_STRING) {
        vm_fail(v->vm, v, "access to device memory 0x%llx by an instruction without a rule",
                (unsigned long long)gpa);
        return VERDICT_STOP;
    }
    range = iobus_find(&v->vm->mmio, gpa, in.size);
    if (!range) {
        vm_fail(v->vm, v, "access across the end of device memory at 0x%llx",
                (unsigned long long)gpa);
        return VERDICT_STOP;
    }
    lock_acquire(&v->vm->lock);
    done = execute(v, range, gpa - range->base, &in);
    lock_release(&v->vm->lock);
    /* an exit by a memory access does not bring these; the step past the instruction needs them */
    vcpu_get(v, VREG_RFLAGS);
    vcpu_get(v, VREG_SHADOW);
    exit->length = in.length;
    return done ? VERDICT_NEXT : VERDICT_RETRY;
}

static enum verdict on_memory(struct vcpu *v, struct vmexit *exit)
{
    const struct exit_memory *m = &exit->memory;
    int err;

    if (iobus_find(&v->vm->mmio, m->gpa, 1))
        return device_access(v, exit);
    lock_acquire(&v->vm->lock);
    err = gmem_demand(v->vm, m->gpa);
    lock_release(&v->vm->lock);
    if (!err)
        return VERDICT_RETRY;
    vm_fail(v->vm, v, "%s of guest-physical 0x%llx, %s",
            m->write ? "write" : m->fetch ? "fetch" : "read", (unsigned long long)m->gpa,
            err == -ENOMEM ? "for which no memory is left" : "where nothing is");
    return VERDICT_STOP;
}
EXIT_HANDLER(EXIT_MEMORY, on_memory);
