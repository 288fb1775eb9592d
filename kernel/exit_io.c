/* SPDX-License-Identifier: MIT */
/* Port I/O of guests (root mode): single accesses and strings. */
#include <errno.h>

#include "kernel/emulate.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/vm.h"

static uint64_t ones(unsigned size)
{
    return BIT(8 * size) - 1;
}

/* A port that no device has reads as all ones and ignores writes; said once for each VM. */
static __attribute__((cold)) void unknown_port(struct vm *vm, uint16_t port, bool in)
{
    if (vm->unknown_ports++ < VM_UNKNOWN_LOGGED)
        log_printf("%s: %s port 0x%x, where no device is\n", vm->name, in ? "IN from" : "OUT to",
                   port);
}

uint64_t emulate_port_read(struct vm *vm, uint16_t port, unsigned size)
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

void emulate_port_write(struct vm *vm, uint16_t port, unsigned size, uint64_t value)
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

static enum verdict string_io(struct vcpu *v, const struct exit_io *io)
{
    const struct insn *in;
    int err = insn_fetch(v, &in);

    if (err == -EFAULT)
        return VERDICT_RETRY;
    if (err || in->op != (io->in ? INSN_PORT_IN : INSN_PORT_OUT)) {
        vm_fail(v->vm, v, "string I/O to port 0x%x could not be decoded", io->port);
        return VERDICT_STOP;
    }
    return emulate_string(v, in, io->port);
}

static enum verdict on_io(struct vcpu *v, struct vmexit *exit)
{
    const struct exit_io *io = &exit->io;
    uint64_t mask = ones(io->size);

    if (unlikely(io->string))
        return string_io(v, io);
    if (!io->in) {
        emulate_port_write(v->vm, io->port, io->size, v->gpr[RAX]);
        return VERDICT_NEXT;
    }
    uint64_t value = emulate_port_read(v->vm, io->port, io->size);
    v->gpr[RAX] = io->size == 4 ? value : (v->gpr[RAX] & ~mask) | value;
    return VERDICT_NEXT;
}
EXIT_HANDLER(EXIT_IO, on_io);
