/* SPDX-License-Identifier: MIT */
/* Rules for the guest's activity, blocking, pending debug exceptions and link pointer (root mode);
 * see vmx/check.h. */
#include "vmx/check.h"

#define BLOCKING_EITHER (BLOCKING_STI | BLOCKING_MOV_SS)
#define BLOCKING_RESERVED 0xffffffe0ull
#define PENDING_DEBUG_RESERVED (~0x1ffffull | BIT(15) | BIT(13) | 0xff0ull)

static bool activity_supported(uint64_t activity)
{
    uint64_t mask = x86_rdmsr(MSR_IA32_VMX_MISC) >> VMX_MISC_ACTIVITY_SHIFT;

    if (activity == ACTIVITY_ACTIVE)
        return true;
    return activity <= ACTIVITY_WAIT_SIPI && (mask >> (activity - 1) & 1);
}

static bool injects_exception(unsigned vector)
{
    return check_injects(INTR_TYPE_EXCEPTION) && (F(ENTRY_INTR_INFO) & INTR_VECTOR_MASK) == vector;
}

static bool activity_takes_event(uint64_t activity)
{
    bool hard = check_injects(INTR_TYPE_NMI) || injects_exception(VECTOR_MC);

    switch (activity) {
    case ACTIVITY_ACTIVE:
        return true;
    case ACTIVITY_HLT:
        return hard || check_injects(INTR_TYPE_EXTERNAL) || injects_exception(VECTOR_DB);
    case ACTIVITY_SHUTDOWN:
        return hard;
    default:
        return false;
    }
}

static void check_activity(struct check *c, uint64_t activity, uint64_t blocking)
{
    uint64_t stack_dpl = F(GUEST_SS_ACCESS) >> SEGMENT_ACCESS_DPL_SHIFT & 3;

    RULE(c, activity_supported(activity), "the activity state is one that IA32_VMX_MISC lists",
         VMCS_GUEST_ACTIVITY);
    RULE(c, IMPLIES(activity == ACTIVITY_HLT, stack_dpl == 0),
         "the activity state is not HLT outside CPL 0", VMCS_GUEST_ACTIVITY, VMCS_GUEST_SS_ACCESS);
    RULE(c, IMPLIES(blocking & BLOCKING_EITHER, activity == ACTIVITY_ACTIVE),
         "the activity state is active while STI or MOV SS blocks", VMCS_GUEST_ACTIVITY);
    RULE(c, IMPLIES(F(ENTRY_INTR_INFO) & INTR_VALID, activity_takes_event(activity)),
         "the injected event is one that the activity state takes",
         VMCS_GUEST_ACTIVITY, VMCS_ENTRY_INTR_INFO);
}

/* Some processors also want no blocking by STI of an NMI, and none wants it by MOV SS. */
static void check_blocking(struct check *c, uint64_t blocking)
{
    bool nmi = check_injects(INTR_TYPE_NMI), either = blocking & BLOCKING_EITHER;

    RULE(c, !(blocking & BLOCKING_RESERVED), "reserved bits of the interruptibility state are 0",
         VMCS_GUEST_INTERRUPTIBILITY);
    RULE(c, (blocking & BLOCKING_EITHER) != BLOCKING_EITHER, "STI and MOV SS do not block together",
         VMCS_GUEST_INTERRUPTIBILITY);
    RULE(c, IMPLIES(blocking & BLOCKING_STI, F(GUEST_RFLAGS) & RFLAGS_IF),
         "STI blocks only with RFLAGS.IF", VMCS_GUEST_INTERRUPTIBILITY, VMCS_GUEST_RFLAGS);
    RULE(c, IMPLIES(check_injects(INTR_TYPE_EXTERNAL), !either),
         "nothing blocks the external interrupt that is injected", VMCS_GUEST_INTERRUPTIBILITY);
    RULE(c, IMPLIES(nmi, !either), "neither MOV SS nor STI blocks the NMI that is injected",
         VMCS_GUEST_INTERRUPTIBILITY);
    RULE(c, !(blocking & BLOCKING_SMI), "blocking by SMI is 0 outside SMM",
         VMCS_GUEST_INTERRUPTIBILITY);
    RULE(c, IMPLIES(nmi && (F(PIN_CONTROLS) & PIN_VIRTUAL_NMI), !(blocking & BLOCKING_NMI)),
         "with virtual NMIs, no NMI blocks the one that is injected",
         VMCS_GUEST_INTERRUPTIBILITY, VMCS_PIN_CONTROLS);
}

void check_guest_state(struct check *c)
{
    uint64_t activity = F(GUEST_ACTIVITY), blocking = F(GUEST_INTERRUPTIBILITY);
    uint64_t pending = F(GUEST_PENDING_DEBUG), link = F(LINK_POINTER);
    bool stands = (blocking & BLOCKING_EITHER) || activity == ACTIVITY_HLT;
    bool steps = (F(GUEST_RFLAGS) & RFLAGS_TF) && !(F(GUEST_DEBUGCTL) & DEBUGCTL_BTF);

    check_activity(c, activity, blocking);
    check_blocking(c, blocking);
    RULE(c, !(pending & PENDING_DEBUG_RESERVED),
         "reserved bits of the pending debug exceptions are 0", VMCS_GUEST_PENDING_DEBUG);
    RULE(c, IMPLIES(stands, (bool)(pending & PENDING_DEBUG_BS) == steps),
         "while blocked or halted, BS is pending exactly when TF single-steps",
         VMCS_GUEST_PENDING_DEBUG, VMCS_GUEST_RFLAGS, VMCS_GUEST_DEBUGCTL,
         VMCS_GUEST_INTERRUPTIBILITY);
    RULE(c, link == ~0ull || check_physical_page(link),
         "the link pointer is all ones, or a page within the physical-address width",
         VMCS_LINK_POINTER);
}
