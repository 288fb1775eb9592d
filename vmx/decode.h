/* SPDX-License-Identifier: MIT */
/* From VMCS exit fields to struct vmexit (root mode): the short way, for plain instructions. */
#ifndef VMX_DECODE_H
#define VMX_DECODE_H

#include "vmx/vmx.h"
#include "vmx/vmx_asm.h"

enum vmx_row_flags {
    ROW_INSN = 1,     /* caused by an instruction: RIP, length, RFLAGS, shadow are wanted */
    ROW_DELIVERY = 2, /* may have interrupted the delivery of an event, to be delivered again */
    ROW_DISABLED = 4, /* the control that causes it is off */
};

struct vmx_row {
    uint64_t word; /* of the exit */
    uint32_t flags;
    void (*fill)(struct vcpu *v, struct vmexit *exit); /* besides; NULL: no more */
    const char *name;
};
extern const struct vmx_row vmx_rows[VMX_EXIT_REASONS]; /* by basic exit reason */
/* The words of those that instructions cause and that need no more; filled at the first of each. */
extern uint64_t vmx_plain[VMX_EXIT_REASONS];

/* The long way (vmx/decode.c): no instruction has caused it, or the reason has modifier bits. */
void vmx_decode_rest(struct vcpu *vcpu, struct vmexit *exit, uint32_t reason);

static inline void vmx_decode_instruction(struct vcpu *v, struct vmexit *exit, uint64_t word)
{
    exit->word = word | vmcs_read_counted(VMCS_EXIT_INSN_LENGTH) << VMEXIT_LENGTH_SHIFT;
    vmx_read_copies(v);
    cpu_count_access(5); /* with the reason */
}

static inline void vmx_decode_filled(struct vcpu *v, struct vmexit *exit, const struct vmx_row *row)
{
    vmx_decode_instruction(v, exit, row->word);
    if (row->fill)
        row->fill(v, exit);
    else
        vmx_plain[row - vmx_rows] = row->word;
}

static inline __attribute__((always_inline)) void
vmx_decode(struct vcpu *v, struct vmexit *exit)
{
    uint64_t reason = vmcs_read_counted(VMCS_EXIT_REASON);

    if (likely(reason < VMX_EXIT_REASONS && vmx_plain[reason]))
        vmx_decode_instruction(v, exit, vmx_plain[reason]);
    else if (reason < VMX_EXIT_REASONS && vmx_rows[reason].flags == ROW_INSN)
        vmx_decode_filled(v, exit, &vmx_rows[reason]);
    else
        vmx_decode_rest(v, exit, (uint32_t)reason);
}

#endif
