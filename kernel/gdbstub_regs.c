/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's registers in the order that gdb gets them, and their description in XML (root mode, on
 * the vCPU's CPU). Source: GDB manual, "i386 Features": the core feature is only complete with the
 * x87's registers, told as unavailable. The description sets the order, so that of 32 bits
 * is the same table without its last rows, and with 32 of each 64 bits.
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
enum { CONTROL, CORE, SEGMENTS };

static const char *const features[] = {
    [CONTROL] = "org.mullion.control",
    [CORE] = "org.gnu.gdb.i386.core",
    [SEGMENTS] = "org.gnu.gdb.i386.segments",
};

static const struct reg {
    const char *name, *type;
    uint8_t feature, bits, kind, number;
    bool writable;
} regs[] = {
#define CTL(name, number) { name, "int", CONTROL, 64, VREG, number, false }
    CTL("cr0", VREG_CR0), CTL("cr3", VREG_CR3), CTL("cr4", VREG_CR4), CTL("efer", VREG_EFER),
#define R64(name, type, number) { name, type, CORE, 64, GPR, number, true }
    R64("rax", "int", RAX), R64("rbx", "int", RBX), R64("rcx", "int", RCX), R64("rdx", "int", RDX),
    R64("rsi", "int", RSI), R64("rdi", "int", RDI),
    R64("rbp", "data_ptr", RBP), R64("rsp", "data_ptr", RSP),
    { "rip", "code_ptr", CORE, 64, VREG, VREG_RIP, true },
    { "eflags", "int", CORE, 32, VREG, VREG_RFLAGS, true },
#define SEG(name, number) { name, "int", CORE, 32, SELECTOR, number, false }
    SEG("cs", VSEG_CS), SEG("ss", VSEG_SS), SEG("ds", VSEG_DS), SEG("es", VSEG_ES),
    SEG("fs", VSEG_FS), SEG("gs", VSEG_GS),
#define X87(name) { name, "i387_ext", CORE, 80, ABSENT, 0, false }
    X87("st0"), X87("st1"), X87("st2"), X87("st3"),
    X87("st4"), X87("st5"), X87("st6"), X87("st7"),
#define FPU(name) { name, "int", CORE, 32, ABSENT, 0, false }
    FPU("fctrl"), FPU("fstat"), FPU("ftag"), FPU("fiseg"),
    FPU("fioff"), FPU("foseg"), FPU("fooff"), FPU("fop"),
    R64("r8", "int", R8), R64("r9", "int", R9), R64("r10", "int", R10), R64("r11", "int", R11),
    R64("r12", "int", R12), R64("r13", "int", R13), R64("r14", "int", R14), R64("r15", "int", R15),
    { "fs_base", "int", SEGMENTS, 64, VREG, VREG_FS_BASE, true },
    { "gs_base", "int", SEGMENTS, 64, VREG, VREG_GS_BASE, true },
};
#define ONLY_64BIT 10u /* the last ones: r8 to gs_base */

/* What a debugger may change of RFLAGS. TF is ours; others make no sense or break the entry. */
#define RFLAGS_OPEN                                                                                \
    (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_IF | RFLAGS_DF | RFLAGS_OF)

static size_t reg_count(void)
{
    return ARRAY_SIZE(regs) - (gdb.long_mode ? 0 : ONLY_64BIT);
}

static unsigned bits_of(const struct reg *reg)
{
    return reg->bits == 64 && !gdb.long_mode ? 32 : reg->bits;
}

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
        for (unsigned i = 0; i < bits_of(reg) / 8; i++)
            gdb_put(out, "xx");
        return;
    }
    value = value_of(v, reg); /* little-endian, as gdb wants it */
    gdb_put_bytes(out, &value, bits_of(reg) / 8);
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
    for (size_t i = 0; i < reg_count(); i++)
        put(v, &regs[i], out);
}

int gdb_reg_get(struct vcpu *v, uint64_t number, struct gdb_text *out)
{
    if (number >= reg_count())
        return -EINVAL;
    put(v, &regs[number], out);
    return 0;
}

int gdb_reg_set(struct vcpu *v, uint64_t number, const char *p)
{
    uint64_t value = 0;

    if (number >= reg_count() || !regs[number].writable ||
        !gdb_bytes(&p, &value, bits_of(&regs[number]) / 8) || !acceptable(v, &regs[number], value))
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
                    "<target><architecture>i386%s</architecture>",
                    gdb.long_mode ? ":x86-64" : "");
    unsigned last = ARRAY_SIZE(features);

    for (size_t i = 0; i < reg_count(); i++) {
        const struct reg *reg = &regs[i];
        if (reg->feature != last)
            at += add(buffer + at, size - at, "%s<feature name=\"%s\">", i ? "</feature>" : "",
                      features[reg->feature]);
        last = reg->feature;
        at += add(buffer + at, size - at, "<reg name=\"%c%s\" bitsize=\"%u\" type=\"%s\"/>",
                  reg->name[0] == 'r' && !gdb.long_mode ? 'e' : reg->name[0], reg->name + 1,
                  bits_of(reg), reg->type);
    }
    return at + add(buffer + at, size - at, "</feature></target>");
}
