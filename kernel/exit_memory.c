/* SPDX-License-Identifier: MIT */
/*
 * Nested page faults (root mode): memory given on demand, device registers, or nothing there.
 */
#include <errno.h>

#include "kernel/emulate.h"
#include "kernel/gmem.h"
#include "kernel/lock.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

uint64_t emulate_get(struct vcpu *v, unsigned gpr)
{
    if (gpr & INSN_HIGH_BYTE)
        return vcpu_gpr(v, gpr & ~INSN_HIGH_BYTE) >> 8;
    return vcpu_gpr(v, gpr);
}

void emulate_set_part(struct vcpu *v, unsigned gpr, unsigned size, uint64_t value)
{
    uint64_t mask = emulate_mask(size), old;

    if (size >= 4) {
        vcpu_set(v, VREG_RSP, value & mask);
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

    value &= emulate_mask(in->size);
    return in->sign ? (uint64_t)((int64_t)(value << shift) >> shift) : value;
}

#define ARITHMETIC_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static void set_flags(struct vcpu *v, const struct insn *in, uint64_t a, uint64_t b,
                      uint64_t result)
{
    uint64_t mask = emulate_mask(in->size), sign = BIT(8 * in->size - 1);
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

/* The address of the exit is that of the word which holds the bit. */
static void one_bit(struct vcpu *v, const struct io_range *range, uint64_t offset,
                    const struct insn *in)
{
    uint64_t memory = range->read(range->dev, offset, in->size);
    uint64_t number = in->immediate_valid ? in->immediate : emulate_get(v, in->gpr);
    uint64_t bit = BIT(number & (8u * in->size - 1));
    uint64_t flags = vcpu_get(v, VREG_RFLAGS) & ~(uint64_t)RFLAGS_CF;

    vcpu_set(v, VREG_RFLAGS, flags | (memory & bit ? RFLAGS_CF : 0));
    if (in->op == INSN_BT)
        return;
    memory = in->op == INSN_BTS ? memory | bit : in->op == INSN_BTR ? memory & ~bit : memory ^ bit;
    range->write(range->dev, offset, in->size, memory);
}

static void arithmetic(struct vcpu *v, const struct io_range *range, uint64_t offset,
                       const struct insn *in)
{
    uint64_t memory = range->read(range->dev, offset, in->size);
    uint64_t other = in->immediate_valid ? in->immediate : emulate_get(v, in->gpr);
    uint64_t a = in->to_register ? other : memory, b = in->to_register ? memory : other;
    uint64_t result = compute(in->op, a, b);

    set_flags(v, in, a, b, result);
    if (in->op == INSN_TEST || in->op == INSN_CMP)
        return;
    if (in->to_register)
        emulate_set(v, in->gpr, in->size, result);
    else
        range->write(range->dev, offset, in->size, result & emulate_mask(in->size));
}

static void execute(struct vcpu *v, const struct io_range *range, uint64_t offset,
                    const struct insn *in)
{
    uint64_t value;

    switch (in->op) {
    case INSN_LOAD:
        value = extend(in, range->read(range->dev, offset, in->size));
        emulate_set(v, in->gpr, in->extend, value);
        break;
    case INSN_STORE:
        value = in->immediate_valid ? in->immediate : emulate_get(v, in->gpr);
        range->write(range->dev, offset, in->size, value & emulate_mask(in->size));
        break;
    case INSN_EXCHANGE:
        value = range->read(range->dev, offset, in->size);
        range->write(range->dev, offset, in->size,
                     emulate_get(v, in->gpr) & emulate_mask(in->size));
        emulate_set(v, in->gpr, in->size, value);
        break;
    case INSN_BT:
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC:
        one_bit(v, range, offset, in);
        break;
    default:
        arithmetic(v, range, offset, in);
    }
}

__attribute__((noinline, cold)) enum verdict emulate_refuse(struct vcpu *v, const char *what,
                                                            uint64_t where, const char *how)
{
    if (insn_misfit(v))
        return VERDICT_RETRY;
    vm_fail(v->vm, v, "%s 0x%llx %s", what, (unsigned long long)where, how);
    return VERDICT_STOP;
}

static enum verdict refuse(struct vcpu *v, gpa_t gpa, const char *how)
{
    return emulate_refuse(v, "access to device memory", gpa, how);
}

__attribute__((noinline)) static enum verdict device_access(struct vcpu *v, struct vmexit *exit,
                                                            const struct io_range *range)
{
    uint64_t offset = exit->memory.gpa - range->base;
    const struct insn *in;
    int err;

    if (unlikely(exit->memory.page_walk | exit->memory.fetch | v->event.type))
        return refuse(v, exit->memory.gpa, "by a fetch, a page walk or an event's delivery");
    err = insn_fetch(v, &in);
    if (unlikely(err == -EFAULT))
        return VERDICT_RETRY;
    if (unlikely(err || in->op >= INSN_PORT_IN))
        return refuse(v, exit->memory.gpa, "by an instruction without a rule");
    if (unlikely(in->op < INSN_STRINGS && in->size > range->size - offset))
        return refuse(v, exit->memory.gpa, "across its end");
    v->misfits = 0;
    exit->length = in->length;
    if (in->op >= INSN_STRINGS)
        return emulate_string(v, in, 0);
    lock_acquire(&v->vm->lock);
    execute(v, range, offset, in);
    lock_release(&v->vm->lock);
    return VERDICT_NEXT;
}

/* A VM has few of these, in ascending order; most faults are below the first. */
static const struct io_range *find_device(const struct iobus *bus, gpa_t gpa)
{
    const struct io_range *range = bus->ranges, *end = range + bus->count;

    for (; range < end && gpa >= range->base; range++) {
        if (gpa - range->base < range->size)
            return range;
    }
    return NULL;
}

__attribute__((noinline, cold)) static enum verdict nothing_there(struct vcpu *v,
                                                                  const struct exit_memory *m,
                                                                  int err)
{
    vm_fail(v->vm, v, "%s of guest-physical 0x%llx, %s",
            m->write ? "write" : m->fetch ? "fetch" : "read", (unsigned long long)m->gpa,
            err == -ENOMEM ? "for which no memory is left" : "where nothing is");
    return VERDICT_STOP;
}

/* Apart, as device_access() is: so neither saves registers for the other. */
__attribute__((noinline)) static enum verdict ram_access(struct vcpu *v, struct vmexit *exit)
{
    int err;

    lock_acquire(&v->vm->lock);
    err = exit->memory.fetch ? gmem_fetch(v->vm, exit->memory.gpa)
                             : gmem_demand(v->vm, exit->memory.gpa);
    lock_release(&v->vm->lock);
    return likely(!err) ? VERDICT_RETRY : nothing_there(v, &exit->memory, err);
}

static enum verdict on_memory(struct vcpu *v, struct vmexit *exit)
{
    const struct io_range *range = find_device(&v->vm->mmio, exit->memory.gpa);

    return range ? device_access(v, exit, range) : ram_access(v, exit);
}
EXIT_HANDLER(EXIT_MEMORY, on_memory);
