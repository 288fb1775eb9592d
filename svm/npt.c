/* SPDX-License-Identifier: MIT */
/*
 * Entries of AMD-V nested page tables (root mode and build host): those of long mode, walked as
 * accesses of user mode. Source: APM 2, "Nested Paging". Memory types are those of the host's PAT.
 */
#include "svm/npt.h"

#include "kernel/pt_host.h"
#include "kernel/x86_regs.h"

static uint64_t npt_leaf(hpa_t hpa, unsigned level, unsigned rights, enum pt_type type)
{
    return pt_host_format.leaf(hpa, level, rights | PT_USER, type);
}

static unsigned npt_rights(uint64_t entry)
{
    return pt_host_format.rights(entry) & ~(unsigned)PT_USER;
}

static enum pt_type npt_type(uint64_t entry, unsigned level)
{
    return pt_host_format.type(entry, level);
}

#define NPT_FORMAT(title, largest)                                                                 \
    {                                                                                              \
        .name = (title), .levels = 4, .largest_level = (largest), .canonical = false,              \
        .present_mask = PTE_P, .large_bit = PTE_PS, .address_mask = PTE_ADDRESS,                   \
        .table_bits = PTE_P | PTE_W | PTE_U | PTE_A, .leaf = npt_leaf, .rights = npt_rights,       \
        .type = npt_type,                                                                          \
    }

const struct pt_format npt_format = NPT_FORMAT("NPT", 3);
const struct pt_format npt_format_2m = NPT_FORMAT("NPT without 1G", 2);
