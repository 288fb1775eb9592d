/* SPDX-License-Identifier: MIT */
/* Page tables of flat guests: single pages out of the identity map's large ones (guest). */
#include "guests/lib/guest.h"

#define LARGE_PAGE 0x200000ull
#define PTE_LARGE 0x80u
#define PTE_ADDRESS 0x000ffffffffff000ull
#define SPLIT_TABLES 8
extern uint64_t guest_pd[2048];

static uint64_t *split(uint64_t address)
{
    static uint64_t tables[SPLIT_TABLES][512] __attribute__((aligned(4096)));
    static unsigned used;
    uint64_t *large = &guest_pd[address / LARGE_PAGE];

    if (*large & PTE_LARGE) {
        uint64_t *table = tables[used++];

        guest_check(used <= SPLIT_TABLES);
        for (unsigned i = 0; i < 512; i++)
            table[i] = (address & ~(LARGE_PAGE - 1)) + i * 4096ull + PTE_RAM;
        *large = (uint64_t)(uintptr_t)table | PTE_RAM;
    }
    return (uint64_t *)(uintptr_t)(*large & PTE_ADDRESS);
}

void guest_map_to(uint64_t address, uint64_t physical, uint64_t flags)
{
    split(address)[address >> 12 & 511] = (physical & PTE_ADDRESS) | flags;
    invlpg(address);
}

void guest_map_page(uint64_t address, bool present)
{
    guest_map_to(address, address, present ? PTE_RAM : 0);
}
