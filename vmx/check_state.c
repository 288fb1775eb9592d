/* SPDX-License-Identifier: MIT */
/* Rules for the guest's activity, blocking, pending debug exceptions and link pointer (root mode);
 * see vmx/check.h. */
#include "vmx/check.h"

#define BLOCKING_EITHER (BLOCKING_STI | BLOCKING_MOV_SS)
#define BLOCKING_RESERVED 0xffffffe0ull
#define PENDING_DEBUG_RESERVED (~0x1ffffull | BIT(15) | BIT(13) | 0xff0ull)

static bool activity_is(enum activity activity)
{
    return vmcs_read(VMCS_GUEST_ACTIVITY) == activity;
}

static bool blocked(void)
{
    return vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_EITHER;
}

static bool activity_supported(uint64_t activity)
{
    uint64_t mask = x86_rdmsr(MSR_IA32_VMX_MISC) >> VMX_MISC_ACTIVITY_SHIFT;

    if (activity == ACTIVITY_ACTIVE)
        return true;
    return activity <= ACTIVITY_WAIT_SIPI && (mask >> (activity - 1) & 1);
}

static bool halt_privilege(void)
{
    uint64_t access = vmcs_read(VMCS_GUEST_SS_ACCESS);

    return !activity_is(ACTIVITY_HLT) || (access >> SEGMENT_ACCESS_DPL_SHIFT & 3) == 0;
}

static bool active(uint64_t activity)
{
    return activity == ACTIVITY_ACTIVE;
}

static bool injects_exception(unsigned vector)
{
    return check_injects_type(INTR_TYPE_EXCEPTION) &&
           (vmcs_read(VMCS_ENTRY_INTR_INFO) & INTR_VECTOR_MASK) == vector;
}

static bool activity_takes_event(void)
{
    bool hard = check_injects_type(INTR_TYPE_NMI) || injects_exception(VECTOR_MC);

    switch (vmcs_read(VMCS_GUEST_ACTIVITY)) {
    case ACTIVITY_ACTIVE:
        return true;
    case ACTIVITY_HLT:
        return hard || check_injects_type(INTR_TYPE_EXTERNAL) || injects_exception(VECTOR_DB);
    case ACTIVITY_SHUTDOWN:
        return hard;
    default:
        return false;
    }
}

static bool blocking_reserved(uint64_t state)
{
    return !(state & BLOCKING_RESERVED);
}

static bool blocking_one(uint64_t state)
{
    return (state & BLOCKING_EITHER) != BLOCKING_EITHER;
}

static bool blocking_smi(uint64_t state)
{
    return !(state & BLOCKING_SMI);
}

static bool sti_with_if(void)
{
    return !check_bits(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI) ||
           check_bits(VMCS_GUEST_RFLAGS, RFLAGS_IF);
}

static bool injects_interrupt(void)
{
    return check_injects_type(INTR_TYPE_EXTERNAL);
}

static bool injects_nmi(void)
{
    return check_injects_type(INTR_TYPE_NMI);
}

/* Some processors also want no blocking by STI, and none wants it by MOV SS. */
static bool not_blocked(uint64_t state)
{
    return !(state & BLOCKING_EITHER);
}

static bool nmi_not_blocked(void)
{
    return !check_bits(VMCS_PIN_CONTROLS, PIN_VIRTUAL_NMI) ||
           !check_bits(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
}

static bool pending_reserved(uint64_t pending)
{
    return !(pending & PENDING_DEBUG_RESERVED);
}

static bool blocked_or_halted(void)
{
    return blocked() || activity_is(ACTIVITY_HLT);
}

static bool single_step(void)
{
    bool steps = check_bits(VMCS_GUEST_RFLAGS, RFLAGS_TF) &&
                 !check_bits(VMCS_GUEST_DEBUGCTL, DEBUGCTL_BTF);

    return check_bits(VMCS_GUEST_PENDING_DEBUG, PENDING_DEBUG_BS) == steps;
}

static bool link_pointer(uint64_t pointer)
{
    return pointer == ~0ull || check_physical_page(pointer);
}

static const struct check_rule rules[] = {
    { .text = "the activity state is one that IA32_VMX_MISC lists",
      .value = activity_supported, .fields = { VMCS_GUEST_ACTIVITY } },
    { .text = "the activity state is not HLT outside CPL 0",
      .whole = halt_privilege, .fields = { VMCS_GUEST_ACTIVITY, VMCS_GUEST_SS_ACCESS } },
    { .text = "the activity state is active while STI or MOV SS blocks",
      .when = blocked, .value = active, .fields = { VMCS_GUEST_ACTIVITY } },
    { .text = "the injected event is one that the activity state takes", .when = check_injects,
      .whole = activity_takes_event, .fields = { VMCS_GUEST_ACTIVITY, VMCS_ENTRY_INTR_INFO } },
    { .text = "reserved bits of the interruptibility state are 0",
      .value = blocking_reserved, .fields = { VMCS_GUEST_INTERRUPTIBILITY } },
    { .text = "STI and MOV SS do not block together",
      .value = blocking_one, .fields = { VMCS_GUEST_INTERRUPTIBILITY } },
    { .text = "STI blocks only with RFLAGS.IF",
      .whole = sti_with_if, .fields = { VMCS_GUEST_INTERRUPTIBILITY, VMCS_GUEST_RFLAGS } },
    { .text = "nothing blocks the external interrupt that is injected", .when = injects_interrupt,
      .value = not_blocked, .fields = { VMCS_GUEST_INTERRUPTIBILITY } },
    { .text = "neither MOV SS nor STI blocks the NMI that is injected", .when = injects_nmi,
      .value = not_blocked, .fields = { VMCS_GUEST_INTERRUPTIBILITY } },
    { .text = "blocking by SMI is 0 outside SMM",
      .value = blocking_smi, .fields = { VMCS_GUEST_INTERRUPTIBILITY } },
    { .text = "with virtual NMIs, no NMI blocks the one that is injected", .when = injects_nmi,
      .whole = nmi_not_blocked, .fields = { VMCS_GUEST_INTERRUPTIBILITY, VMCS_PIN_CONTROLS } },
    { .text = "reserved bits of the pending debug exceptions are 0",
      .value = pending_reserved, .fields = { VMCS_GUEST_PENDING_DEBUG } },
    { .text = "while blocked or halted, BS is pending exactly when TF single-steps",
      .when = blocked_or_halted, .whole = single_step,
      .fields = { VMCS_GUEST_PENDING_DEBUG, VMCS_GUEST_RFLAGS, VMCS_GUEST_DEBUGCTL,
                  VMCS_GUEST_INTERRUPTIBILITY } },
    { .text = "the link pointer is all ones, or a page within the physical-address width",
      .value = link_pointer, .fields = { VMCS_LINK_POINTER } },
};
CHECK_GROUP(check_guest_state, "Checks on Guest Non-Register State", rules);
