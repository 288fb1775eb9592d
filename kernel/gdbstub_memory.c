/* SPDX-License-Identifier: MIT */
/*
 * Memory and breakpoints of the debugged VM (root mode, CPU 0 unless stated). A breakpoint is an
 * INT3 in the guest's memory.
 */
#include <errno.h>

#include "kernel/gdbstub.h"
#include "kernel/gmem.h"
#include "kernel/sched.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"

#define INSN_INT3 0xcc

static struct gdb_breakpoint *find(gva_t gva)
{
    for (unsigned i = 0; i < GDB_BREAKPOINTS; i++) {
        if (gdb.breakpoints[i].used && gdb.breakpoints[i].gva == gva)
            return &gdb.breakpoints[i];
    }
    return NULL;
}

/* The page that the guest executes now, which may be another process' at the same address. */
bool gdb_at_breakpoint(struct vcpu *v)
{
    gva_t rip = vcpu_linear(v, VSEG_CS, vcpu_get(v, VREG_RIP));
    const struct gdb_breakpoint *b = find(rip);
    uint32_t error;
    gpa_t gpa;

    return b && gwalk(v, rip, PT_R, &gpa, &error) == 0 && gpa == b->gpa;
}

struct access {
    gva_t gva;
    uint8_t *bytes;
    size_t size;
    bool write;
    gpa_t gpa; /* of the first byte */
    int err;
};

static void access_memory(struct vcpu *v, void *arg)
{
    struct access *a = arg;
    uint32_t error;
    gva_t fault;

    lock_acquire(&v->vm->lock); /* pages that come on demand */
    a->err = gwalk(v, a->gva, PT_R, &a->gpa, &error);
    /* a debugger may write what the guest may only read */
    for (size_t done = 0; !a->err && done < a->size; done++) {
        gpa_t gpa;
        a->err = gwalk(v, a->gva + done, PT_R, &gpa, &error);
        if (!a->err && a->write)
            a->err = gmem_write(v->vm, gpa, a->bytes + done, 1);
    }
    if (!a->err && !a->write)
        a->err = gwalk_read(v, a->gva, a->bytes, a->size, PT_R, &fault, &error);
    lock_release(&v->vm->lock);
}

static int access(struct access *a)
{
    if (gdb.thread >= gdb.vm->vcpu_count)
        return -EFAULT;
    vcpu_call(gdb.vm->vcpus[gdb.thread], access_memory, a);
    return a->err;
}

/* Breakpoints stay out of sight: reading gives what was there, writing goes below them. */
int gdb_memory(gva_t gva, void *bytes, size_t size, bool write)
{
    struct access a = { .gva = gva, .bytes = bytes, .size = size, .write = write };
    const uint8_t int3 = INSN_INT3;

    sched_touched(gdb.vm);
    if (gva + size < gva || access(&a))
        return -EFAULT;
    for (unsigned i = 0; i < GDB_BREAKPOINTS; i++) {
        struct gdb_breakpoint *b = &gdb.breakpoints[i];
        if (!b->used || b->gva - gva >= size)
            continue;
        if (!write) {
            a.bytes[b->gva - gva] = b->saved;
        } else {
            b->saved = a.bytes[b->gva - gva];
            (void)gmem_write(gdb.vm, b->gpa, &int3, 1); /* the page was there when it was set */
        }
    }
    return 0;
}

int gdb_breakpoint_set(gva_t gva)
{
    struct gdb_breakpoint *b = gdb.breakpoints;
    uint8_t byte = INSN_INT3;
    struct access a = { .gva = gva, .size = 1 };

    if (find(gva))
        return 0;
    while (b < gdb.breakpoints + GDB_BREAKPOINTS && b->used)
        b++;
    if (b == gdb.breakpoints + GDB_BREAKPOINTS)
        return -ENOSPC;
    a.bytes = &b->saved;
    if (access(&a))
        return a.err;
    a.bytes = &byte;
    a.write = true;
    if (access(&a))
        return a.err;
    *b = (struct gdb_breakpoint){ .used = true, .saved = b->saved, .gva = gva, .gpa = a.gpa };
    return 0;
}

/* By its physical page: the address may mean another one by now. */
int gdb_breakpoint_clear(gva_t gva)
{
    struct gdb_breakpoint *b = find(gva);

    if (!b)
        return -ENOENT;
    b->used = false;
    return gmem_write(gdb.vm, b->gpa, &b->saved, 1);
}
