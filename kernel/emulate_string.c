/* SPDX-License-Identifier: MIT */
/*
 * INS, OUTS, STOS, LODS and MOVS, and single operands (root mode): memory operands are checked and
 * translated as the processor does it, and may be RAM or a device. Source: SDM 3A, "Limit
 * Checking", "Type Checking", SDM 1, "Canonical Addressing".
 */
#include <errno.h>

#include "kernel/emulate.h"
#include "kernel/gmem.h"
#include "kernel/lock.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

#define STRING_BATCH 64u /* elements in one exit: bounded time in root mode */

/* Segment types (SDM 3A, "Code- and Data-Segment Descriptor Types") */
#define TYPE_WRITABLE 2u /* of code: readable */
#define TYPE_EXPAND_DOWN 4u
#define TYPE_CODE 8u

/* Source or destination. Its page is kept for the elements of this exit, as in a TLB. */
struct side {
    struct vsegment segment; /* in 64-bit mode its base only */
    bool wide;               /* 64-bit mode */
    bool stack;
    unsigned access; /* for gwalk */
    bool known;
    gva_t page;
    gpa_t gpa; /* of the page */
};

/* An element in guest-physical memory: in one page or two. */
struct place {
    gpa_t gpa[2];
    size_t size[2];
};

struct string {
    struct vcpu *vcpu;
    const struct insn *in;
    uint16_t port;
    uint64_t step;
    bool reads, writes; /* memory */
    struct side from, to;
};

static void side_init(const struct string *s, struct side *side, enum vseg seg, unsigned access)
{
    bool wide = vcpu_64bit(s->vcpu);

    if (vcpu_cpl(s->vcpu) == 3)
        access |= PT_USER;
    else if (!(vcpu_get(s->vcpu, VREG_RFLAGS) & RFLAGS_AC) &&
             (vcpu_get(s->vcpu, VREG_CR4) & CR4_SMAP))
        access |= GWALK_NOT_USERS;
    *side = (struct side){ .wide = wide, .stack = seg == VSEG_SS, .access = access };
    if (!wide || seg == VSEG_FS || seg == VSEG_GS)
        backend->get_segment(s->vcpu, seg, &side->segment);
}

/* What memory is read through: DS, or an override. */
static enum vseg data_segment(const struct insn *in)
{
    return in->segment ? (enum vseg)(in->segment - 1) : VSEG_DS;
}

static void string_init(struct string *s)
{
    uint64_t rflags = vcpu_get(s->vcpu, VREG_RFLAGS);
    uint8_t op = s->in->op;

    s->step = rflags & RFLAGS_DF ? 0 - (uint64_t)s->in->size : s->in->size;
    s->reads = op == INSN_MOVE_STRING || op == INSN_LOAD_STRING || op == INSN_PORT_OUT;
    s->writes = op == INSN_MOVE_STRING || op == INSN_STORE_STRING || op == INSN_PORT_IN;
    if (s->reads)
        side_init(s, &s->from, data_segment(s->in), 0);
    if (s->writes)
        side_init(s, &s->to, VSEG_ES, PT_W);
}

static bool in_segment(const struct side *side, uint64_t offset, unsigned size)
{
    unsigned access = side->segment.access, type = access & SEGMENT_ACCESS_TYPE;
    uint64_t last = offset + size - 1;

    if (side->wide)
        return gva_canonical(side->segment.base + offset) &&
               gva_canonical(side->segment.base + last);
    if (access & SEGMENT_ACCESS_UNUSABLE ||
        (side->access & PT_W ? (type & (TYPE_CODE | TYPE_WRITABLE)) != TYPE_WRITABLE
                             : (type & (TYPE_CODE | TYPE_WRITABLE)) == TYPE_CODE))
        return false;
    if ((type & (TYPE_CODE | TYPE_EXPAND_DOWN)) == TYPE_EXPAND_DOWN)
        return offset > side->segment.limit &&
               last <= (access & SEGMENT_ACCESS_DB ? UINT32_MAX : UINT16_MAX);
    return last <= side->segment.limit;
}

static int translate(struct vcpu *v, struct side *side, gva_t gva, gpa_t *gpa)
{
    uint32_t error;

    if (!side->known || gva / PAGE_SIZE != side->page) {
        if (gwalk(v, gva, side->access, &side->gpa, &error)) {
            backend->set(v, VREG_CR2, gva);
            vcpu_inject_error(v, VECTOR_PF, error);
            return -EFAULT;
        }
        side->gpa = ALIGN_DOWN(side->gpa, (gpa_t)PAGE_SIZE);
        side->page = gva / PAGE_SIZE;
        side->known = true;
    }
    *gpa = side->gpa | gva % PAGE_SIZE;
    return 0;
}

/* -EFAULT: an exception is queued. */
static int find(const struct string *s, struct side *side, uint64_t address, struct place *place)
{
    uint64_t offset = address & emulate_mask(s->in->address_size);
    gva_t gva = side->segment.base + offset;
    int err;

    if (!in_segment(side, offset, s->in->size)) {
        vcpu_inject_error(s->vcpu, side->stack ? VECTOR_SS : VECTOR_GP, 0);
        return -EFAULT;
    }
    if (!side->wide)
        gva = (uint32_t)gva;
    place->size[0] = MIN((size_t)(PAGE_SIZE - gva % PAGE_SIZE), (size_t)s->in->size);
    place->size[1] = s->in->size - place->size[0];
    err = translate(s->vcpu, side, gva, &place->gpa[0]);
    if (!err && place->size[1]) {
        gva += place->size[0];
        err = translate(s->vcpu, side, side->wide ? gva : (uint32_t)gva, &place->gpa[1]);
    }
    return err;
}

/* A place that is not RAM: a device, or the end of this VM. */
static int device(struct vm *vm, struct vcpu *v, const struct place *place, uint64_t *value,
                  bool write)
{
    unsigned size = (unsigned)place->size[0];
    const struct io_range *range = iobus_find(&vm->mmio, place->gpa[0], size);

    if (!range || place->size[1]) {
        vm_fail(vm, v, "a string instruction reaches guest-physical 0x%llx, %s",
                (unsigned long long)place->gpa[0],
                range ? "across a device's end" : "where nothing is");
        return -ENODEV;
    }
    lock_acquire(&vm->lock);
    if (write)
        range->write(range->dev, place->gpa[0] - range->base, size, *value & emulate_mask(size));
    else
        *value = range->read(range->dev, place->gpa[0] - range->base, size);
    lock_release(&vm->lock);
    return 0;
}

static int transfer(const struct string *s, const struct place *place, uint64_t *value, bool write)
{
    struct vm *vm = s->vcpu->vm;
    uint8_t *bytes = (uint8_t *)value;

    for (unsigned i = 0; i < 2 && place->size[i]; i++, bytes += place->size[0]) {
        int err = write ? gmem_write(vm, place->gpa[i], bytes, place->size[i])
                        : gmem_read(vm, place->gpa[i], bytes, place->size[i]);
        if (err)
            return device(vm, s->vcpu, place, value, write);
    }
    return 0;
}

static void advance(const struct string *s, unsigned gpr, uint64_t step)
{
    emulate_set(s->vcpu, gpr, s->in->address_size, s->vcpu->gpr[gpr] + step);
}

/* One element. What a device has given can't be put back: its place is found before. */
static int element(struct string *s)
{
    struct vcpu *v = s->vcpu;
    struct place from, to;
    uint64_t value = v->gpr[RAX];
    int err = s->reads ? find(s, &s->from, v->gpr[RSI], &from) : 0;

    if (!err && s->writes)
        err = find(s, &s->to, v->gpr[RDI], &to);
    if (!err && s->reads)
        err = transfer(s, &from, &value, false);
    if (err)
        return err;
    if (s->in->op == INSN_PORT_IN)
        value = emulate_port_read(v->vm, s->port, s->in->size);
    else if (s->in->op == INSN_PORT_OUT)
        emulate_port_write(v->vm, s->port, s->in->size, value);
    else if (s->in->op == INSN_LOAD_STRING)
        emulate_set(v, RAX, s->in->size, value);
    if (s->writes && (err = transfer(s, &to, &value, true)))
        return err;
    if (s->reads)
        advance(s, RSI, s->step);
    if (s->writes)
        advance(s, RDI, s->step);
    return 0;
}

enum verdict emulate_string(struct vcpu *v, const struct insn *in, uint16_t port)
{
    struct string s = { .vcpu = v, .in = in, .port = port };

    string_init(&s);
    for (unsigned i = 0; i < STRING_BATCH; i++) {
        if (in->rep && !(v->gpr[RCX] & emulate_mask(in->address_size)))
            return VERDICT_NEXT;
        int err = element(&s);
        if (err)
            return err == -EFAULT ? VERDICT_RETRY : VERDICT_STOP;
        if (!in->rep)
            return VERDICT_NEXT;
        advance(&s, RCX, ~0ull);
    }
    return VERDICT_RETRY;
}

static uint64_t address_of(struct vcpu *v, const struct insn *in)
{
    uint64_t base = in->base == INSN_NO_GPR ? 0
                    : in->base == INSN_RIP  ? vcpu_get(v, VREG_RIP) + in->length
                                            : vcpu_gpr(v, in->base);

    return base + (in->index == INSN_NO_GPR ? 0 : v->gpr[in->index] << in->scale) + in->immediate;
}

int emulate_operand(struct vcpu *v, const struct insn *in, uint64_t *value, bool write)
{
    struct string s = { .vcpu = v, .in = in };
    struct place place;
    int err;

    if (INSN_IN_MEMORY(in->opcode)) {
        side_init(&s, &s.from, data_segment(in), write ? PT_W : 0);
        err = find(&s, &s.from, address_of(v, in), &place);
        return err ? err : transfer(&s, &place, value, write);
    }
    if (write)
        emulate_set(v, in->gpr, in->size, *value);
    else
        *value = vcpu_gpr(v, in->gpr);
    return 0;
}
