/* SPDX-License-Identifier: MIT */
/*
 * Attack: one CPU uses PAE paging, whose four PDPTEs are checked where they are loaded; the other
 * one changes them meanwhile: absent, with reserved bits, other tables. See pae.S.
 */
#include "guests/lib/guest.h"

#define VECTORS 32u
#define CODE32 24u
#define GATE32 0x8e00u
#define LARGE_PAGE 0x87u
#define MEMORY 0x800000u
#define PDPTE_RESERVED 0x1e6ull
#define STACK_SIZE 8192u

extern uint64_t guest_pd[2048];
extern void pae_on_gp(void), pae_on_pf(void);
void pae_run(void);
volatile uint32_t pae_rounds, pae_kept, pae_done, pae_faults[2];
volatile uint64_t pae_pdpt[4] __attribute__((aligned(32)));
struct __attribute__((packed)) {
    uint16_t limit;
    uint32_t base;
} pae_idt_pointer;

static uint64_t idt[VECTORS], tables[2][512] __attribute__((aligned(4096)));
static uint8_t stack[STACK_SIZE] __attribute__((aligned(16)));
static uint32_t rounds;

static void set_gate(unsigned vector, void (*handler)(void))
{
    uint64_t address = (uint64_t)(uintptr_t)handler;

    idt[vector] = (address & 0xffff) | CODE32 << 16 | (uint64_t)GATE32 << 32 |
                  (address >> 16 & 0xffff) << 48;
}

static void prepare(void)
{
    set_gate(VECTOR_GP, pae_on_gp);
    set_gate(VECTOR_PF, pae_on_pf);
    pae_idt_pointer.limit = sizeof(idt) - 1;
    pae_idt_pointer.base = (uint32_t)(uintptr_t)idt;
    tables[0][0] = tables[0][511] = MEMORY | LARGE_PAGE;
    for (unsigned i = 0; i < ARRAY_SIZE(pae_pdpt); i++)
        pae_pdpt[i] = (uint64_t)(uintptr_t)(guest_pd + 512 * i) | PTE_P;
    pae_pdpt[1] = pae_pdpt[2] = (uint64_t)(uintptr_t)tables[0] | PTE_P;
}

/* On the second CPU, in 64-bit mode. The first PDPTE maps what the other one is made of. */
static void change(void)
{
    const uint64_t good = (uint64_t)(uintptr_t)tables[0] | PTE_P;
    const uint64_t values[] = {
        good, good, good, 0, (uint64_t)(uintptr_t)tables[1] | PTE_P, good | 1ull << 51,
        good | PTE_NX, ~0ull,
    };
    const uint64_t devices = pae_pdpt[3];
    uint64_t changes = 0;

    while (pae_rounds == rounds)
        barrier();
    for (; pae_rounds; changes++) {
        uint64_t random = guest_random() >> 8, i = 1 + random % 3;
        uint64_t value = values[random / 4 % ARRAY_SIZE(values)];

        if (random / 32 % 16 == 0)
            value = good | (random >> 16 & PDPTE_RESERVED);
        pae_pdpt[i] = i == 3 && value == good ? devices : value;
        /* where the reserved bits are checked, all must be well for a while */
        for (uint64_t wait = random >> 32 & 127; wait; wait--)
            barrier();
        if (random / 512 % 2)
            pae_pdpt[i] = i == 3 ? devices : good;
    }
    guest_printf("%u rounds, %u done, %u #GP, %u #PF, %lu changes\n", rounds, pae_done,
                 pae_faults[0], pae_faults[1], changes);
    guest_check(pae_done > rounds / 16 && pae_faults[1] > rounds / 16 && changes > rounds / 16);
    guest_check(guest_is_amd() || (pae_kept && pae_faults[0] > rounds / 16));
    guest_exit(0);
}

int guest_main(const struct mullion_flat_info *info)
{
    rounds = (uint32_t)guest_option(info, "rounds", 8000);
    pae_rounds = rounds;
    guest_x2apic_on();
    prepare();
    guest_start_cpu(1, change, stack + STACK_SIZE);
    pae_run();
    return 1;
}
