/* SPDX-License-Identifier: MIT */
/* GDT and TSS of each CPU (root mode). SDM 3A, Segment Descriptors, 3.4.5; TSS in 64-bit Mode. */
#include "kernel/desc.h"

#include "kernel/hostmap.h"
#include "kernel/log.h"
#include "kernel/x86.h"

/* Access bytes with the accessed (code, data) bit set: the CPU then never writes to the table. */
#define GDT_CODE64        0x00af9b000000ffffull
#define GDT_DATA          0x00cf93000000ffffull
#define GDT_TSS_AVAILABLE 0x89ull

struct __attribute__((packed)) tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map;
};

struct desc_tables {
    _Alignas(16) uint64_t gdt[5];
    _Alignas(16) struct tss tss;
};

static struct desc_tables desc_tables[CPU_MAX];
_Alignas(16) static char desc_early_stack[8192];

static uint64_t desc_ist(const struct cpu *cpu, unsigned ist, bool stacks)
{
    if (!stacks)
        return (uint64_t)(uintptr_t)(desc_early_stack + sizeof desc_early_stack);
    void *top = hostmap_ist_stack(cpu->index, ist);
    if (!top)
        panic("no memory for interrupt stacks of CPU %u", cpu->index);
    return (uint64_t)(uintptr_t)top;
}

static void desc_fill(struct desc_tables *t)
{
    uint64_t tss = (uint64_t)(uintptr_t)&t->tss;
    uint64_t limit = sizeof t->tss - 1;

    t->gdt[0] = 0;
    t->gdt[SEL_CODE / 8] = GDT_CODE64;
    t->gdt[SEL_DATA / 8] = GDT_DATA;
    t->gdt[SEL_TSS / 8] =
        limit | (tss & 0xffffff) << 16 | GDT_TSS_AVAILABLE << 40 | (tss >> 24 & 0xff) << 56;
    t->gdt[SEL_TSS / 8 + 1] = tss >> 32;
    t->tss.io_map = sizeof t->tss;
}

void desc_load(struct cpu *cpu, bool stacks)
{
    struct desc_tables *t = &desc_tables[cpu->index];
    struct x86_table_reg reg = {.limit = sizeof t->gdt - 1, .base = desc_gdt_base(cpu)};

    desc_fill(t);
    for (unsigned ist = 1; ist <= IST_USED; ist++)
        t->tss.ist[ist - 1] = desc_ist(cpu, ist, stacks);
    x86_lgdt(&reg);
    x86_load_segments(SEL_CODE, SEL_DATA);
    /* Loading the null selector has cleared the base of GS. */
    x86_wrmsr(MSR_IA32_GS_BASE, (uint64_t)(uintptr_t)cpu);
    x86_ltr(SEL_TSS);
    x86_lldt(0);
}

uint64_t desc_gdt_base(const struct cpu *cpu)
{
    return (uint64_t)(uintptr_t)desc_tables[cpu->index].gdt;
}

uint64_t desc_tss_base(const struct cpu *cpu)
{
    return (uint64_t)(uintptr_t)&desc_tables[cpu->index].tss;
}
