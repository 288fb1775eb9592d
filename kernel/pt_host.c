/* SPDX-License-Identifier: MIT */
/*
 * Entries of the host's page tables (SDM 3A, 4-Level Paging and 5-Level Paging; APM 2, Long-Mode
 * Page Translation). Root mode.
 */
#include "kernel/pt_host.h"
#include "kernel/x86_regs.h"

/* Accessed and dirty are set from the start: no CPU has to write them, and nobody reads them. */
static uint64_t host_leaf(hpa_t hpa, unsigned level, unsigned rights, enum pt_type type)
{
    uint64_t entry = hpa | PTE_P | PTE_A | PTE_D;

    if (level > 1)
        entry |= PTE_PS;
    if (rights & PT_W)
        entry |= PTE_W;
    if (rights & PT_USER)
        entry |= PTE_U;
    if (!(rights & PT_X))
        entry |= PTE_NX;
    if (type == PT_UC)
        entry |= PTE_PCD | PTE_PWT; /* PAT entry 3 */
    else if (type == PT_WC)
        entry |= PTE_PWT; /* PAT entry 1: HOSTMAP_PAT */
    return entry;
}

static unsigned host_rights(uint64_t entry)
{
    unsigned rights = PT_R;

    if (entry & PTE_W)
        rights |= PT_W;
    if (entry & PTE_U)
        rights |= PT_USER;
    if (!(entry & PTE_NX))
        rights |= PT_X;
    return rights;
}

static enum pt_type host_type(uint64_t entry, unsigned level)
{
    (void)level;
    if (entry & PTE_PCD)
        return PT_UC;
    return entry & PTE_PWT ? PT_WC : PT_WB;
}

#define HOST_FORMAT(title, largest)                                                                \
    {                                                                                              \
        .name = (title), .levels = 4, .largest_level = (largest), .canonical = true,               \
        .present_mask = PTE_P, .large_bit = PTE_PS, .address_mask = PTE_ADDRESS,                   \
        .table_bits = PTE_P | PTE_W | PTE_U | PTE_A, .leaf = host_leaf, .rights = host_rights,     \
        .type = host_type,                                                                         \
    }

const struct pt_format pt_host_format = HOST_FORMAT("x86-64", 3);
const struct pt_format pt_host_format_2m = HOST_FORMAT("x86-64 without 1G", 2);
