/* SPDX-License-Identifier: MIT */
/*
 * Rules that a VMCS must keep for a VM entry to succeed, as tables (root mode, after a refusal
 * only). A rule reads the fields that it judges; fields that exist only with a control are read
 * behind a `when` that asks for the control.
 */
#ifndef VMX_CHECK_H
#define VMX_CHECK_H

#include "kernel/x86.h"
#include "vmx/vmx.h"
#include "vmx/vmx_asm.h"

#define CHECK_FIELDS 6u

/* What must hold, in exactly one of the three ways. */
struct check_rule {
    const char *text;
    bool (*when)(void); /* NULL: always */
    bool (*value)(uint64_t value);       /* for each of `fields` on its own */
    bool (*segment)(enum vseg segment);  /* for each segment in `segments`, a mask of BIT(vseg) */
    bool (*whole)(void);
    uint32_t segments;
    uint16_t fields[CHECK_FIELDS]; /* judged or, with `whole`, shown when it is broken; 0: none */
};

struct check_group {
    const char *section; /* of SDM 3C, "VM Entries" */
    const struct check_rule *rules;
    size_t count;
};

extern const struct check_group check_execution, check_exit, check_entry;
extern const struct check_group check_host, check_host_segments, check_host_size;
extern const struct check_group check_guest, check_guest_segments, check_guest_tables;
extern const struct check_group check_guest_rip, check_guest_state, check_guest_pdptes;

#define CHECK_GROUP(name, section_, rules_)                                                        \
    const struct check_group name = { (section_), (rules_), ARRAY_SIZE(rules_) }

/* Questions that several rules ask. */
static inline bool check_bits(enum vmcs_field field, uint64_t bits)
{
    return (vmcs_read(field) & bits) == bits;
}

static inline bool check_proc2(uint64_t bits)
{
    return check_bits(VMCS_PROC_CONTROLS, PROC_SECONDARY) && check_bits(VMCS_PROC_CONTROLS2, bits);
}

static inline bool check_unrestricted(void)
{
    return check_proc2(PROC2_UNRESTRICTED_GUEST);
}

static inline bool check_guest_ia32e(void)
{
    return check_bits(VMCS_ENTRY_CONTROLS, ENTRYC_GUEST_64);
}

static inline bool check_virtual_8086(void)
{
    return check_bits(VMCS_GUEST_RFLAGS, RFLAGS_VM);
}

static inline bool check_not_virtual_8086(void)
{
    return !check_virtual_8086();
}

/* An event is injected; and of this type. */
static inline bool check_injects(void)
{
    return check_bits(VMCS_ENTRY_INTR_INFO, INTR_VALID);
}

static inline bool check_injects_type(enum intr_type type)
{
    uint64_t info = vmcs_read(VMCS_ENTRY_INTR_INFO);

    return (info & INTR_VALID) && (info >> INTR_TYPE_SHIFT & INTR_TYPE_MASK) == type;
}

/* Judgements of values, for `value` (vmx/check.c). */
bool check_canonical(uint64_t address);
bool check_physical(uint64_t address);      /* nothing above the physical-address width */
bool check_physical_page(uint64_t address); /* and a page's start */
bool check_pat(uint64_t pat);
bool check_efer(uint64_t efer); /* reserved bits only */
/* Against a pair of IA32_VMX_CRn_FIXED MSRs. */
bool check_fixed(uint64_t value, uint64_t fixed0, uint64_t fixed1);

#endif
