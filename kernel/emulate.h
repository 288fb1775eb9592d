/* SPDX-License-Identifier: MIT */
/* Instructions that are carried out here, for exits that leave them undone (root mode). */
#ifndef KERNEL_EMULATE_H
#define KERNEL_EMULATE_H

#include "kernel/exit.h"
#include "kernel/insn.h"
#include "kernel/vcpu.h"

struct vm;

static inline uint64_t emulate_mask(unsigned size)
{
    static const uint64_t masks[] = { [1] = 0xff, [2] = 0xffff, [4] = 0xffffffff, [8] = ~0ull };

    return masks[size];
}

/* A register operand; INSN_HIGH_BYTE counts. 32-bit writes clear the upper half, smaller ones
 * keep the rest. */
uint64_t emulate_get(struct vcpu *vcpu, unsigned gpr);
void emulate_set_part(struct vcpu *vcpu, unsigned gpr, unsigned size, uint64_t value);
static inline void emulate_set(struct vcpu *v, unsigned gpr, unsigned size, uint64_t value)
{
    if (likely(size >= 4 && gpr != RSP))
        v->gpr[gpr] = value & emulate_mask(size);
    else
        emulate_set_part(v, gpr, size, value);
}

/* A string instruction, up to a number of elements that bounds the time in root mode: NEXT; RETRY:
 * more is to be done, or an exception is queued; STOP. `port`: of INS and OUTS. */
enum verdict emulate_string(struct vcpu *vcpu, const struct insn *in, uint16_t port);

/* Reads or writes the operand of an INSN_SYSTEM: a register, or memory as above. 0; -EFAULT: an
 * exception is queued; -ENODEV: the VM has been stopped. RIP is still the instruction's. */
int emulate_operand(struct vcpu *vcpu, const struct insn *in, uint64_t *value, bool write);

/* What `how` says of the instruction ends the VM, unless a sibling has just put it there. */
enum verdict emulate_refuse(struct vcpu *vcpu, const char *what, uint64_t where, const char *how);

/* One access to a port, as IN and OUT make it (kernel/exit_io.c). */
uint64_t emulate_port_read(struct vm *vm, uint16_t port, unsigned size);
void emulate_port_write(struct vm *vm, uint16_t port, unsigned size, uint64_t value);

#endif
