/* SPDX-License-Identifier: MIT */
/*
 * Entries of VT-x nested page tables (root mode and build host). Source: SDM 3C, "EPT Translation
 * Mechanism" for the formats, "EPT Misconfigurations" for what must not be written: every entry
 * here is readable, reserved bits are 0, and the memory type is UC, WC or WB.
 */
#include "vmx/ept.h"

#include "kernel/x86_regs.h"
#include "vmx/vmcs.h"

#define EPT_READ BIT(0)
#define EPT_WRITE BIT(1)
#define EPT_EXECUTE BIT(2)
#define EPT_TYPE_SHIFT 3u
#define EPT_TYPE_MASK (7ull << EPT_TYPE_SHIFT)
#define EPT_IGNORE_PAT BIT(6)
#define EPT_LARGE BIT(7)
#define EPT_ADDRESS 0x000ffffffffff000ull

static const uint64_t memory_types[] = {
    [PT_WB] = MEM_TYPE_WB,
    [PT_UC] = MEM_TYPE_UC,
    [PT_WC] = MEM_TYPE_WC,
};

static bool large_code = true; /* may large pages be executed? */

static uint64_t ept_leaf(hpa_t hpa, unsigned level, unsigned rights, enum pt_type type)
{
    uint64_t entry = hpa | EPT_READ | EPT_IGNORE_PAT | (memory_types[type] << EPT_TYPE_SHIFT);

    if (level > 1)
        entry |= EPT_LARGE;
    if (rights & PT_W)
        entry |= EPT_WRITE;
    if ((rights & PT_X) && (level == 1 || large_code))
        entry |= EPT_EXECUTE;
    return entry;
}

static unsigned ept_rights(uint64_t entry)
{
    unsigned rights = entry & EPT_READ ? PT_R : 0;

    if (entry & EPT_WRITE)
        rights |= PT_W;
    if (entry & EPT_EXECUTE)
        rights |= PT_X;
    return rights;
}

static enum pt_type ept_type(uint64_t entry, unsigned level)
{
    (void)level;
    switch ((entry & EPT_TYPE_MASK) >> EPT_TYPE_SHIFT) {
    case MEM_TYPE_WB:
        return PT_WB;
    case MEM_TYPE_WC:
        return PT_WC;
    default:
        return PT_UC;
    }
}

#define EPT_FORMAT(title, largest)                                                                 \
    {                                                                                              \
        .name = (title), .levels = 4, .largest_level = (largest), .canonical = false,              \
        .present_mask = EPT_READ | EPT_WRITE | EPT_EXECUTE, .large_bit = EPT_LARGE,                \
        .address_mask = EPT_ADDRESS, .table_bits = EPT_READ | EPT_WRITE | EPT_EXECUTE,             \
        .leaf = ept_leaf, .rights = ept_rights, .type = ept_type,                                  \
    }

const struct pt_format ept_format = EPT_FORMAT("EPT", 3);
const struct pt_format ept_format_2m = EPT_FORMAT("EPT without 1G", 2);
const struct pt_format ept_format_4k = EPT_FORMAT("EPT without 2M and 1G", 1);

static const struct pt_format *chosen = &ept_format_4k;

void ept_set_capabilities(uint64_t ept_vpid_cap, bool large_code_safe)
{
    large_code = large_code_safe;
    if (!(ept_vpid_cap & EPT_CAP_2M))
        chosen = &ept_format_4k; /* 1 GiB leaves alone are of no use to the walker */
    else
        chosen = large_code && (ept_vpid_cap & EPT_CAP_1G) ? &ept_format : &ept_format_2m;
}

const struct pt_format *ept_nested_format(void)
{
    return chosen;
}

uint64_t ept_pointer(const struct pt *pt)
{
    return pt->root | EPTP_WALK_4 | EPTP_WB;
}
