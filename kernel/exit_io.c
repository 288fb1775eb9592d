/* SPDX-License-Identifier: MIT */
/* Port I/O of guests (root mode): single accesses and strings. */
#include "kernel/exit.h"
#include "kernel/gmem.h"
#include "kernel/insn.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

#define STRING_BATCH 64u /* elements of REP INS/OUTS in one exit: bounded time in root mode */

static uint64_t ones(unsigned size)
{
    return BIT(8 * size) - 1;
}

/* A port that no device has reads as all ones and ignores writes; said once for each VM. */
static void unknown_port(struct vm *vm, uint16_t port, bool in)
{
    if (vm->unknown_ports++ < VM_UNKNOWN_LOGGED)
        log_printf("%s: %s port 0x%x, where no device is\n", vm->name, in ? "IN from" : "OUT to",
                   port);
}

static uint64_t port_read(struct vm *vm, uint16_t port, unsigned size)
{
    const struct io_range *r = iobus_find(&vm->pio, port, size);
    uint64_t value;

    if (!r) {
        unknown_port(vm, port, true);
        return ones(size);
    }
    lock_acquire(&vm->lock);
    value = r->read(r->dev, port - r->base, size);
    lock_release(&vm->lock);
    return value & ones(size);
}

static void port_write(struct vm *vm, uint16_t port, unsigned size, uint64_t value)
{
    const struct io_range *r = iobus_find(&vm->pio, port, size);

    if (!r) {
        unknown_port(vm, port, false);
        return;
    }
    lock_acquire(&vm->lock);
    r->write(r->dev, port - r->base, size, value & ones(size));
    lock_release(&vm->lock);
}

static uint64_t address_mask(const struct insn *in)
{
    return in->address_size == 8 ? ~0ull : BIT(8 * in->address_size) - 1;
}

static gva_t linear(struct vcpu *v, const struct insn *in, enum vseg seg, uint64_t offset)
{
    struct vsegment s;

    offset &= address_mask(in);
    if (vcpu_64bit(v) && seg != VSEG_FS && seg != VSEG_GS)
        return offset;
    backend->get_segment(v, seg, &s);
    return vcpu_64bit(v) ? s.base + offset : (uint32_t)(s.base + offset);
}

static void advance(struct vcpu *v, unsigned gpr, const struct insn *in, uint64_t step)
{
    uint64_t mask = address_mask(in);

    v->gpr[gpr] = (v->gpr[gpr] & ~mask) | ((v->gpr[gpr] + step) & mask);
    if (in->address_size == 4)
        v->gpr[gpr] &= mask;
}

/* One element. False: the guest got #PF. */
static bool string_element(struct vcpu *v, const struct exit_io *io, const struct insn *in)
{
    unsigned index = io->in ? RDI : RSI;
    enum vseg seg = io->in ? VSEG_ES : in->segment ? (enum vseg)(in->segment - 1) : VSEG_DS;
    gva_t gva = linear(v, in, seg, v->gpr[index]), where;
    unsigned access = vcpu_cpl(v) == 3 ? PT_USER : 0;
    uint64_t step = vcpu_get(v, VREG_RFLAGS) & RFLAGS_DF ? 0 - (uint64_t)io->size : io->size;
    uint64_t value = 0;
    uint32_t error = 0;
    int err;

    if (io->in) {
        /* what a device has given can't be put back: first see that there is a place for it */
        err = gwalk_read(v, gva, &value, io->size, access | PT_W, &where, &error);
        if (!err) {
            value = port_read(v->vm, io->port, io->size);
            err = gwalk_write(v, gva, &value, io->size, access, &where, &error);
        }
    } else {
        err = gwalk_read(v, gva, &value, io->size, access, &where, &error);
        if (!err)
            port_write(v->vm, io->port, io->size, value);
    }
    if (err) {
        x86_write_cr2(where);
        vcpu_inject_error(v, VECTOR_PF, error);
        return false;
    }
    advance(v, index, in, step);
    return true;
}

static enum verdict string_io(struct vcpu *v, const struct exit_io *io)
{
    struct insn in;

    if (insn_fetch(v, &in) || in.op != INSN_PORT_STRING) {
        vm_fail(v->vm, v, "string I/O to port 0x%x could not be decoded", io->port);
        return VERDICT_STOP;
    }
    for (unsigned i = 0; i < STRING_BATCH; i++) {
        if (io->rep && !(v->gpr[RCX] & address_mask(&in)))
            return VERDICT_NEXT;
        if (!string_element(v, io, &in))
            return VERDICT_RETRY;
        if (!io->rep)
            return VERDICT_NEXT;
        advance(v, RCX, &in, ~0ull);
    }
    return VERDICT_RETRY;
}

static enum verdict on_io(struct vcpu *v, struct vmexit *exit)
{
    const struct exit_io *io = &exit->io;
    uint64_t mask = ones(io->size);

    if (unlikely(io->string))
        return string_io(v, io);
    if (!io->in) {
        port_write(v->vm, io->port, io->size, v->gpr[RAX]);
        return VERDICT_NEXT;
    }
    uint64_t value = port_read(v->vm, io->port, io->size);
    v->gpr[RAX] = io->size == 4 ? value : (v->gpr[RAX] & ~mask) | value;
    return VERDICT_NEXT;
}
EXIT_HANDLER(EXIT_IO, on_io);
