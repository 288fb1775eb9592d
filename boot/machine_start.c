/* SPDX-License-Identifier: MIT */
/* Registers of vCPU 0 at its first instruction, and the tables that they name. Pure. */
#include <string.h>

#include "boot/machine_build.h"

/* Access rights in struct boot_start: descriptor bits 40 and up (SDM 3A, Segment Descriptors,
 * 3.4.5), type 3:0, S 4, P 7, L 13, D/B 14, G 15. */
#define ACCESS_CODE_32 0xc09bu
#define ACCESS_CODE_64 0xa09bu
#define ACCESS_DATA 0xc093u
#define FLAT_LIMIT 0xffffu /* its low 16 bits; the upper 4 are put beside the access rights */
#define CODE_SELECTOR 0x10u /* as the Linux boot protocol asks: __BOOT_CS, __BOOT_DS */
#define DATA_SELECTOR 0x18u
#define GDT_ENTRIES 4u

/* SDM 3A, Control Registers, 2.5; SDM 4, IA32_EFER */
#define CR0_PE (1u << 0)
#define CR0_ET (1u << 4)
#define CR0_PG (1u << 31)
#define CR4_PAE (1u << 5)
#define EFER_LME (1u << 8)
#define EFER_LMA (1u << 10)

/* SDM 3A, 4-Level Paging, 4.5 */
#define PTE_P (1u << 0)
#define PTE_W (1u << 1)
#define PTE_PS (1u << 7)
#define PAGE_2M (2ull << 20)
#define TABLE_ENTRIES 512u
#define IDENTITY_DIRECTORIES 4u /* of 1 GiB each */

static uint64_t flat_descriptor(uint32_t access)
{
    return (uint64_t)(access | 0xf00) << 40 | FLAT_LIMIT;
}

static void set_segments(struct machine_build *build, uint32_t code_access)
{
    const uint64_t gdt[GDT_ENTRIES] = {0, 0, flat_descriptor(code_access),
                                       flat_descriptor(ACCESS_DATA)};
    struct boot_start *start = &build->vm->start;

    memcpy(machine_table(build, MACHINE_GDT_GPA, sizeof(gdt)), gdt, sizeof(gdt));
    start->gdt_base = MACHINE_GDT_GPA;
    start->gdt_limit = sizeof(gdt) - 1;
    start->code_selector = CODE_SELECTOR;
    start->code_access = code_access;
    start->data_selector = DATA_SELECTOR;
    start->data_access = ACCESS_DATA;
}

static void identity_map(struct machine_build *build)
{
    const uint64_t flags = PTE_P | PTE_W;
    uint64_t(*tables)[TABLE_ENTRIES] = machine_table(build, MACHINE_PML4_GPA,
                                                     (2 + IDENTITY_DIRECTORIES) * MACHINE_PAGE);

    tables[0][0] = (MACHINE_PML4_GPA + MACHINE_PAGE) | flags;
    for (unsigned d = 0; d < IDENTITY_DIRECTORIES; d++)
        tables[1][d] = (MACHINE_PML4_GPA + (2 + d) * MACHINE_PAGE) | flags;
    for (uint64_t i = 0; i < IDENTITY_DIRECTORIES * TABLE_ENTRIES; i++)
        tables[2 + i / TABLE_ENTRIES][i % TABLE_ENTRIES] = i * PAGE_2M | flags | PTE_PS;
}

void machine_enter_64(struct machine_build *build, uint64_t rsi)
{
    struct boot_start *start = &build->vm->start;

    set_segments(build, ACCESS_CODE_64);
    identity_map(build);
    start->cr4 = CR4_PAE;
    start->cr3 = MACHINE_PML4_GPA;
    start->efer = EFER_LME | EFER_LMA;
    start->cr0 = CR0_PG | CR0_ET | CR0_PE;
    start->rsi = rsi;
}

void machine_enter_32(struct machine_build *build, uint32_t eax, uint64_t ebx)
{
    struct boot_start *start = &build->vm->start;

    set_segments(build, ACCESS_CODE_32);
    start->cr0 = CR0_ET | CR0_PE;
    start->rax = eax;
    start->rbx = ebx;
}
