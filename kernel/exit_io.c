/* SPDX-License-Identifier: MIT */
/* Port I/O of guests (root mode): single accesses and strings. */
#include <errno.h>

#include "kernel/emulate.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/vm.h"

/* A port that no device has reads as all ones and ignores writes; said once for each VM. */
static __attribute__((cold)) void unknown_port(struct vm *vm, uint16_t port, bool in)
{
    if (vm->unknown_ports++ < VM_UNKNOWN_LOGGED)
        log_printf("%s: %s port 0x%x, where no device is\n", vm->name, in ? "IN from" : "OUT to",
                   port);
}

uint64_t emulate_port_read(struct vm *vm, uint16_t port, unsigned size)
{
    const struct io_range *r;
    uint64_t value = ~0ull;

    lock_acquire(&vm->lock);
    r = iobus_find(&vm->pio, port, size);
    if (r)
        value = r->read(r->dev, port - r->base, size);
    else
        unknown_port(vm, port, true);
    lock_release(&vm->lock);
    return value & emulate_mask(size);
}

void emulate_port_write(struct vm *vm, uint16_t port, unsigned size, uint64_t value)
{
    const struct io_range *r;

    lock_acquire(&vm->lock);
    r = iobus_find(&vm->pio, port, size);
    if (r)
        r->write(r->dev, port - r->base, size, value & emulate_mask(size));
    else
        unknown_port(vm, port, false);
    lock_release(&vm->lock);
}

/* The processor has allowed the guest no other size than the exit's. */
static enum verdict string_io(struct vcpu *v, struct vmexit *exit)
{
    const struct exit_io *io = &exit->io;
    const struct insn *in;
    int err = insn_fetch(v, &in);

    if (err == -EFAULT)
        return VERDICT_RETRY;
    if (err || in->op != (io->in ? INSN_PORT_IN : INSN_PORT_OUT) || in->size != io->size)
        return emulate_refuse(v, "string I/O to port", io->port, "could not be decoded");
    v->misfits = 0;
    exit->length = in->length;
    return emulate_string(v, in, io->port);
}

static inline void to_rax(struct vcpu *v, unsigned size, uint64_t value)
{
    if (size == 1)
        *(uint8_t *)&v->gpr[RAX] = (uint8_t)value; /* AL */
    else if (size == 2)
        *(uint16_t *)&v->gpr[RAX] = (uint16_t)value;
    else
        v->gpr[RAX] = (uint32_t)value;
}

/* The operands are read from *io behind each call: nothing need be kept for the usual path. */
static enum verdict on_io(struct vcpu *v, struct vmexit *exit)
{
    const struct exit_io *io = &exit->io;
    const struct io_range *r;

    if (unlikely(io->string))
        return string_io(v, exit);
    lock_acquire(&v->vm->lock);
    r = iobus_find(&v->vm->pio, io->port, io->size);
    if (unlikely(!r))
        unknown_port(v->vm, io->port, io->in);
    if (io->in)
        to_rax(v, io->size, likely(r) ? r->read(r->dev, io->port - r->base, io->size) : ~0ull);
    else if (likely(r))
        r->write(r->dev, io->port - r->base, io->size, v->gpr[RAX] & emulate_mask(io->size));
    lock_release(&v->vm->lock);
    return VERDICT_NEXT;
}
EXIT_HANDLER(EXIT_IO, on_io);
