/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's registers in the order that gdb gets them, and their description in XML (root mode, on
 * the vCPU's CPU). Source: GDB manual, "i386 Features": the core feature is only complete with the
 * x87's registers, which are told as unavailable.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/gdbstub.h"
#include "kernel/gmem.h"
#include "kernel/vcpu.h"
#include "kernel/x86.h"

enum kind { GPR, VREG, SELECTOR, ABSENT };
enum { CORE, SEGMENTS, CONTROL };

static const char *const features[] = {
    [CORE] = "org.gnu.gdb.i386.core",
    [SEGMENTS] = "org.gnu.gdb.i386.segments",
    [CONTROL] = "org.mullion.control",
};

static const struct reg {
    const char *name, *type;
    uint8_t feature, bits, kind, number;
    bool writable;
} regs[] = {
#define R64(name, type, number) { name, type, CORE, 64, GPR, number, true }
    R64("rax", "int64", RAX), R64("rbx", "int64", RBX), R64("rcx", "int64", RCX),
    R64("rdx", "int64", RDX), R64("rsi", "int64", RSI), R64("rdi", "int64", RDI),
    R64("rbp", "data_ptr", RBP), R64("rsp", "data_ptr", RSP),
    R64("r8", "int64", R8), R64("r9", "int64", R9), R64("r10", "int64", R10),
    R64("r11", "int64", R11), R64("r12", "int64", R12), R64("r13", "int64", R13),
    R64("r14", "int64", R14), R64("r15", "int64", R15),
    { "rip", "code_ptr", CORE, 64, VREG, VREG_RIP, true },
    { "eflags", "int32", CORE, 32, VREG, VREG_RFLAGS, true },
#define SEG(name, number) { name, "int32", CORE, 32, SELECTOR, number, false }
    SEG("cs", VSEG_CS), SEG("ss", VSEG_SS), SEG("ds", VSEG_DS), SEG("es", VSEG_ES),
    SEG("fs", VSEG_FS), SEG("gs", VSEG_GS),
#define X87(name) { name, "i387_ext", CORE, 80, ABSENT, 0, false }
    X87("st0"), X87("st1"), X87("st2"), X87("st3"),
    X87("st4"), X87("st5"), X87("st6"), X87("st7"),
#define FPU(name) { name, "int", CORE, 32, ABSENT, 0, false }
    FPU("fctrl"), FPU("fstat"), FPU("ftag"), FPU("fiseg"),
    FPU("fioff"), FPU("foseg"), FPU("fooff"), FPU("fop"),
    { "fs_base", "int64", SEGMENTS, 64, VREG, VREG_FS_BASE, true },
    { "gs_base", "int64", SEGMENTS, 64, VREG, VREG_GS_BASE, true },
#define CTL(name, number) { name, "int64", CONTROL, 64, VREG, number, false }
    CTL("cr0", VREG_CR0), CTL("cr3", VREG_CR3), CTL("cr4", VREG_CR4), CTL("efer", VREG_EFER),
};

/* What a debugger may change of RFLAGS. TF is ours; others make no sense or break the entry. */
#define RFLAGS_OPEN                                                                                \
    (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_IF | RFLAGS_DF | RFLAGS_OF)

static uint64_t value_of(struct vcpu *v, const struct reg *reg)
{
    struct vsegment s;

    if (reg->kind == GPR)
        return vcpu_gpr(v, reg->number);
    if (reg->kind == VREG)
        return vcpu_get(v, (enum vreg)reg->number);
    backend->get_segment(v, (enum vseg)reg->number, &s);
    return s.selector;
}

static void put(struct vcpu *v, const struct reg *reg, struct gdb_text *out)
{
    uint64_t value;

    if (reg->kind == ABSENT) {
        for (unsigned i = 0; i < reg->bits / 8; i++)
            gdb_put(out, "xx");
        return;
    }
    value = value_of(v, reg); /* little-endian, as gdb wants it */
    gdb_put_bytes(out, &value, reg->bits / 8);
}

/* What the processor would refuse at the next entry ends the VM: it is refused here. */
static bool acceptable(struct vcpu *v, const struct reg *reg, uint64_t value)
{
    if (reg->kind != VREG || reg->number == VREG_RFLAGS)
        return true;
    return gva_canonical(value) &&
           (reg->number != VREG_RIP || vcpu_64bit(v) || value <= UINT32_MAX);
}

static void set(struct vcpu *v, const struct reg *reg, uint64_t value)
{
    uint64_t old = value_of(v, reg);

    if (reg->kind == VREG && reg->number == VREG_RFLAGS)
        value = (old & ~RFLAGS_OPEN) | (value & RFLAGS_OPEN);
    if (reg->kind == GPR)
        vcpu_set_gpr(v, reg->number, value);
    else
        vcpu_set(v, (enum vreg)reg->number, value);
    if (reg->kind == VREG && reg->number == VREG_RIP)
        backend->wake(v);
}

void gdb_regs_get(struct vcpu *v, struct gdb_text *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
        put(v, &regs[i], out);
}

int gdb_reg_get(struct vcpu *v, uint64_t number, struct gdb_text *out)
{
    if (number >= ARRAY_SIZE(regs))
        return -EINVAL;
    put(v, &regs[number], out);
    return 0;
}

int gdb_reg_set(struct vcpu *v, uint64_t number, const char *p)
{
    uint64_t value = 0;

    if (number >= ARRAY_SIZE(regs) || !regs[number].writable ||
        !gdb_bytes(&p, &value, regs[number].bits / 8) || !acceptable(v, &regs[number], value))
        return -EINVAL;
    set(v, &regs[number], value);
    return 0;
}

__attribute__((format(printf, 3, 4))) static size_t add(char *to, size_t left, const char *format,
                                                        ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsniprintf(to, left, format, args);
    va_end(args);
    return length < 0 ? 0 : MIN((size_t)length, left ? left - 1 : 0);
}

size_t gdb_target_xml(char *buffer, size_t size)
{
    size_t at = add(buffer, size,
                    "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
                    "<target><architecture>i386:x86-64</architecture>");
    unsigned last = ARRAY_SIZE(features);

    for (size_t i = 0; i < ARRAY_SIZE(regs); i++) {
        const struct reg *reg = &regs[i];
        if (reg->feature != last)
            at += add(buffer + at, size - at, "%s<feature name=\"%s\">", i ? "</feature>" : "",
                      features[reg->feature]);
        last = reg->feature;
        at += add(buffer + at, size - at, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"/>",
                  reg->name, reg->bits, reg->type);
    }
    return at + add(buffer + at, size - at, "</feature></target>");
}
