/* SPDX-License-Identifier: MIT */
/* Registers of vCPU 0 at its first instruction (root mode). */
#include "kernel/machine_priv.h"
#include "kernel/page.h"
#include "kernel/x86_regs.h"

#include <errno.h>

/* Access rights (SDM 3C, Guest Register State, 25.4.1): type 3:0, S 4, P 7, L 13, D/B 14, G 15 */
#define ACCESS_CODE_32 0xc09bu
#define ACCESS_CODE_64 0xa09bu
#define ACCESS_DATA 0xc093u
#define FLAT_LIMIT 0xffffffffu
#define CODE_SELECTOR 0x10u /* as the Linux boot protocol asks: __BOOT_CS, __BOOT_DS */
#define DATA_SELECTOR 0x18u

/* The same as descriptors (SDM 3A, Segment Descriptors, 3.4.5). */
#define DESCRIPTOR_CODE_32 0x00cf9b000000ffffull
#define DESCRIPTOR_CODE_64 0x00af9b000000ffffull
#define DESCRIPTOR_DATA 0x00cf93000000ffffull
#define GDT_ENTRIES 4u

#define IDENTITY_DIRECTORIES 4u /* of 1 GiB each */
#define TABLE_ENTRIES 512u

static void set_segments(struct vcpu *vcpu, uint32_t code_access)
{
    static const enum vseg data[] = { VSEG_ES, VSEG_SS, VSEG_DS, VSEG_FS, VSEG_GS };
    struct vsegment segment = { CODE_SELECTOR, FLAT_LIMIT, code_access, 0 };

    backend->set_segment(vcpu, VSEG_CS, &segment);
    segment.selector = DATA_SELECTOR;
    segment.access = ACCESS_DATA;
    for (unsigned i = 0; i < ARRAY_SIZE(data); i++)
        backend->set_segment(vcpu, data[i], &segment);
}

static void set_gdt(struct vcpu *vcpu, gpa_t base)
{
    struct vsegment gdtr = { .base = base, .limit = GDT_ENTRIES * sizeof(uint64_t) - 1 };

    backend->set_segment(vcpu, VSEG_GDTR, &gdtr);
}

static int write_gdt(struct vm *vm, uint64_t code)
{
    uint64_t gdt[GDT_ENTRIES] = { 0, 0, code, DESCRIPTOR_DATA };

    return machine_write(vm, MACHINE_GDT_GPA, gdt, sizeof(gdt));
}

static int write_tables(struct vm *vm)
{
    const uint64_t flags = PTE_P | PTE_W;
    uint64_t top = (MACHINE_PML4_GPA + PAGE_SIZE) | flags;
    gpa_t directories = MACHINE_PML4_GPA + 2 * PAGE_SIZE;
    uint64_t *page = page_zalloc();
    int error = page ? machine_write(vm, MACHINE_PML4_GPA, &top, sizeof(top)) : -ENOMEM;

    for (unsigned d = 0; !error && d < IDENTITY_DIRECTORIES; d++) {
        uint64_t pointer = (directories + d * PAGE_SIZE) | flags;

        for (unsigned i = 0; i < TABLE_ENTRIES; i++)
            page[i] = ((uint64_t)d * TABLE_ENTRIES + i) * PAGE_2M | flags | PTE_PS;
        error = machine_write(vm, MACHINE_PML4_GPA + PAGE_SIZE + d * sizeof(pointer), &pointer,
                              sizeof(pointer));
        if (!error)
            error = machine_write(vm, directories + d * PAGE_SIZE, page, PAGE_SIZE);
    }
    page_zfree(page);
    return error;
}

int machine_enter_64(struct vcpu *vcpu, uint64_t rsi, gpa_t entry)
{
    int error = write_gdt(vcpu->vm, DESCRIPTOR_CODE_64);

    if (!error)
        error = write_tables(vcpu->vm);
    if (error)
        return error;
    vcpu_set(vcpu, VREG_CR4, CR4_PAE);
    vcpu_set(vcpu, VREG_CR3, MACHINE_PML4_GPA);
    vcpu_set(vcpu, VREG_EFER, EFER_LME | EFER_LMA);
    vcpu_set(vcpu, VREG_CR0, CR0_PG | CR0_ET | CR0_PE);
    set_segments(vcpu, ACCESS_CODE_64);
    set_gdt(vcpu, MACHINE_GDT_GPA);
    vcpu->gpr[RSI] = rsi;
    vcpu_set(vcpu, VREG_RFLAGS, RFLAGS_FIXED1);
    vcpu_set(vcpu, VREG_RIP, entry);
    return 0;
}

int machine_enter_32(struct vcpu *vcpu, uint32_t eax, uint32_t ebx, gpa_t entry)
{
    int error = write_gdt(vcpu->vm, DESCRIPTOR_CODE_32);

    if (error)
        return error;
    vcpu_set(vcpu, VREG_CR0, CR0_ET | CR0_PE);
    set_segments(vcpu, ACCESS_CODE_32);
    set_gdt(vcpu, MACHINE_GDT_GPA);
    vcpu->gpr[RAX] = eax;
    vcpu->gpr[RBX] = ebx;
    vcpu_set(vcpu, VREG_RFLAGS, RFLAGS_FIXED1);
    vcpu_set(vcpu, VREG_RIP, entry);
    return 0;
}
