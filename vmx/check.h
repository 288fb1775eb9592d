/* SPDX-License-Identifier: MIT */
/*
 * Rules that a VMCS must keep for a VM entry to succeed (root mode, after a refusal only): one
 * function for each section of SDM 3C, "VM Entries", one RULE() for each rule. Fields that exist
 * only with a control are read behind a question for that control.
 */
#ifndef VMX_CHECK_H
#define VMX_CHECK_H

#include "kernel/x86.h"
#include "vmx/vmx.h"
#include "vmx/vmx_asm.h"

struct check {
    const struct vcpu *vcpu;
    const char *section;
    unsigned broken; /* rules so far */
};

void check_execution(struct check *c), check_exit(struct check *c), check_entry(struct check *c);
void check_host(struct check *c), check_host_segments(struct check *c);
void check_host_size(struct check *c), check_guest(struct check *c);
void check_guest_segments(struct check *c), check_guest_tables(struct check *c);
void check_guest_rip(struct check *c), check_guest_state(struct check *c);
void check_guest_pdptes(struct check *c);

/* Logs a rule that does not hold, with the values of the fields that it judges; 0 ends them. */
void check_rule(struct check *c, bool holds, const char *text, const uint16_t *fields);
#define RULE(c, holds, text, ...)                                                                  \
    check_rule((c), (holds), (text), (const uint16_t[]){ __VA_ARGS__, 0 })
#define IMPLIES(condition, holds) (!(condition) || (holds))
#define F(field) vmcs_read(VMCS_##field)

/* Questions that several rules ask. */
static inline uint64_t check_proc2(void)
{
    return F(PROC_CONTROLS) & PROC_SECONDARY ? F(PROC_CONTROLS2) : 0;
}

static inline bool check_unrestricted(void)
{
    return check_proc2() & PROC2_UNRESTRICTED_GUEST;
}

static inline bool check_guest_ia32e(void)
{
    return F(ENTRY_CONTROLS) & ENTRYC_GUEST_64;
}

/* An event of this type is injected. */
static inline bool check_injects(enum intr_type type)
{
    uint64_t info = F(ENTRY_INTR_INFO);

    return (info & INTR_VALID) && (info >> INTR_TYPE_SHIFT & INTR_TYPE_MASK) == type;
}

/* Judgements of values (vmx/check.c). */
bool check_canonical(uint64_t address);
bool check_physical(uint64_t address);      /* nothing above the physical-address width */
bool check_physical_page(uint64_t address); /* and a page's start */
bool check_msr_area(enum vmcs_field count, enum vmcs_field address);
bool check_efer(uint64_t efer); /* reserved bits only */
/* Against a pair of IA32_VMX_CRn_FIXED MSRs; controls against their capability MSR. */
bool check_fixed(uint64_t value, uint64_t fixed0, uint64_t fixed1);
bool check_controls(enum vmcs_field field, uint32_t msr, uint32_t true_msr);

#endif
