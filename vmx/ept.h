/* SPDX-License-Identifier: MIT */
/*
 * Nested page tables of VT-x (SDM 3C, "The Extended Page Table Mechanism (EPT)"): four levels,
 * memory types by EPT alone (the guest's PAT is ignored), accessed and dirty flags not used.
 */
#ifndef VMX_EPT_H
#define VMX_EPT_H

#include "kernel/pt.h"

/* IA32_VMX_EPT_VPID_CAP (SDM 3D, "VPID and EPT Capabilities", A.10) */
#define EPT_CAP_WALK_4 BIT(6)
#define EPT_CAP_UC BIT(8)
#define EPT_CAP_WB BIT(14)
#define EPT_CAP_2M BIT(16)
#define EPT_CAP_1G BIT(17)
#define EPT_CAP_INVEPT BIT(20)
#define EPT_CAP_ACCESSED_DIRTY BIT(21)
#define EPT_CAP_INVEPT_SINGLE BIT(25)
#define EPT_CAP_INVEPT_ALL BIT(26)
#define VPID_CAP_INVVPID BIT(32)
#define VPID_CAP_INVVPID_SINGLE BIT(41)
#define VPID_CAP_INVVPID_ALL BIT(42)

extern const struct pt_format ept_format;    /* leaves up to 1 GiB */
extern const struct pt_format ept_format_2m; /* up to 2 MiB */
extern const struct pt_format ept_format_4k;

/* Chooses the format by IA32_VMX_EPT_VPID_CAP. Without large_code (kernel/mitigate.h) leaves have
 * 2 MiB at most, and what has more than 4 KiB is never executable, whatever rights it is mapped
 * with. Once, on the boot CPU, before any VM is made. */
void ept_set_capabilities(uint64_t ept_vpid_cap, bool large_code);

/* The chosen one; 4 KiB leaves only before any was. */
const struct pt_format *ept_nested_format(void);

/* The EPTP of a VM's tables (SDM 3C, "Extended-Page-Table Pointer (EPTP)"). */
uint64_t ept_pointer(const struct pt *pt);

#endif
