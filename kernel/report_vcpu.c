/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's post-mortem in the log: registers, last exits, code and stack (root mode, on the
 * vCPU's CPU). Guest memory is the guest's word: what can't be read is said, never trusted.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/gmem.h"
#include "kernel/log.h"
#include "kernel/report.h"
#include "kernel/vm.h"

#define CODE_BYTES 16u
#define STACK_WORDS 8u

static void print_gprs(struct vcpu *v)
{
    static const struct {
        const char *name;
        unsigned number;
    } order[] = {
        { "rax", RAX }, { "rbx", RBX }, { "rcx", RCX }, { "rdx", RDX },
        { "rsi", RSI }, { "rdi", RDI }, { "rbp", RBP }, { "rsp", RSP },
        { "r8 ", R8 },  { "r9 ", R9 },  { "r10", R10 }, { "r11", R11 },
        { "r12", R12 }, { "r13", R13 }, { "r14", R14 }, { "r15", R15 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(order); i++)
        log_printf("%s%s %016llx%s", i % 4 ? "" : "  ", order[i].name,
                   (unsigned long long)vcpu_gpr(v, order[i].number), i % 4 == 3 ? "\n" : " ");
}

static void print_control(struct vcpu *v)
{
    static const struct {
        const char *name;
        enum vreg reg;
    } order[] = {
        { "rip", VREG_RIP }, { "rflags", VREG_RFLAGS }, { "efer", VREG_EFER },
        { "cr0", VREG_CR0 }, { "cr3", VREG_CR3 },       { "cr4", VREG_CR4 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(order); i++)
        log_printf("%s%s %llx%s", i % 3 ? "" : "  ", order[i].name,
                   (unsigned long long)vcpu_get(v, order[i].reg), i % 3 == 2 ? "\n" : " ");
}

static void print_segments(struct vcpu *v)
{
    static const char *const names[VSEG_COUNT] = {
        [VSEG_ES] = "es",     [VSEG_CS] = "cs", [VSEG_SS] = "ss",     [VSEG_DS] = "ds",
        [VSEG_FS] = "fs",     [VSEG_GS] = "gs", [VSEG_LDTR] = "ldtr", [VSEG_TR] = "tr",
        [VSEG_GDTR] = "gdtr", [VSEG_IDTR] = "idtr",
    };

    for (unsigned seg = 0; seg < VSEG_COUNT; seg++) {
        struct vsegment s;
        backend->get_segment(v, (enum vseg)seg, &s);
        log_printf("  %-4s %04x base %016llx limit %08lx access %05lx\n", names[seg], s.selector,
                   (unsigned long long)s.base, (unsigned long)s.limit, (unsigned long)s.access);
    }
}

static bool read_guest(struct vcpu *v, gva_t gva, void *to, size_t size)
{
    gva_t fault;
    uint32_t error;

    return gwalk_read(v, gva, to, size, PT_R, &fault, &error) == 0;
}

static void print_code(struct vcpu *v)
{
    gva_t gva = vcpu_linear(v, VSEG_CS, vcpu_get(v, VREG_RIP));
    char line[CODE_BYTES * 3 + 1] = "";
    uint8_t byte;
    size_t count = 0;

    /* One by one, because the last instruction may stand at the end of what is mapped. */
    while (count < CODE_BYTES && read_guest(v, gva + count, &byte, 1)) {
        sniprintf(line + count * 3, 4, " %02x", byte);
        count++;
    }
    log_printf("  code at %016llx:%s\n", (unsigned long long)gva, count ? line : " not readable");
}

static void print_stack(struct vcpu *v)
{
    size_t size = vcpu_64bit(v) ? 8 : 4;
    gva_t gva = vcpu_linear(v, VSEG_SS, vcpu_gpr(v, RSP));
    char line[STACK_WORDS * 17 + 1] = "";
    size_t used = 0;

    for (unsigned i = 0; i < STACK_WORDS; i++) {
        uint64_t word = 0;
        if (!read_guest(v, gva + i * size, &word, size))
            break;
        used += (size_t)sniprintf(line + used, sizeof(line) - used, " %0*llx", (int)size * 2,
                                  (unsigned long long)word);
    }
    log_printf("  stack at %016llx:%s\n", (unsigned long long)gva, used ? line : " not readable");
}

void report_last_exits(const struct vcpu *v)
{
    uint64_t end = v->stats.all.exits, count = MIN(end, (uint64_t)VCPU_HISTORY);

    log_printf("%s: vCPU %lu: last exits, oldest first:\n", v->vm->name, (unsigned long)v->id);
    for (uint64_t i = end - count; i != end; i++) {
        const struct vcpu_trace *t = &v->trace[i % VCPU_HISTORY];
        char rip[17] = "-"; /* of exits that no instruction causes it is not read */

        if (t->head.length)
            sniprintf(rip, sizeof(rip), "%llx", (unsigned long long)t->rip);
        log_printf("  tsc %llu  %s (%lu)  rip %s\n", (unsigned long long)t->tsc,
                   report_exit_name(t->head.code), (unsigned long)t->head.code, rip);
    }
}

void report_vcpu(struct vcpu *v)
{
    log_printf("%s: vCPU %lu on CPU %lu:\n", v->vm->name, (unsigned long)v->id,
               (unsigned long)v->cpu->index);
    print_control(v);
    print_gprs(v);
    print_segments(v);
    print_code(v);
    print_stack(v);
    report_last_exits(v);
}
