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
    ROW_MORE = 8,     /* besides what each instruction's has: by `fill` */
};

struct vmx_row {
    uint64_t word; /* of the exit */
    uint32_t flags;
    void (*fill)(struct vcpu *v, struct vmexit *exit);
    const char *name;
};
extern const struct vmx_row vmx_rows[VMX_EXIT_REASONS]; /* by basic exit reason */

/* The long way (vmx/decode.c). */
void vmx_decode_rest(struct vcpu *vcpu, struct vmexit *exit, uint32_t reason);

static inline void vmx_decode_instruction(struct vcpu *v, struct vmexit *exit, uint64_t word)
{
    exit->word = word | vmcs_read_counted(VMCS_EXIT_INSN_LENGTH) << VMEXIT_LENGTH_SHIFT;
    v->rip = vmcs_read_counted(VMCS_GUEST_RIP);
    vmcs_copy_counted(VMCS_GUEST_RFLAGS, &v->rflags);
    vmcs_copy_counted(VMCS_GUEST_INTERRUPTIBILITY, &v->shadow);
    cpu_count_access(5);
    v->valid = VCPU_COPIES;
    v->dirty = 0;
}

static inline void vmx_decode(struct vcpu *v, struct vmexit *exit)
{
    uint64_t reason = vmcs_read_counted(VMCS_EXIT_REASON);

    if (likely(reason < VMX_EXIT_REASONS && vmx_rows[reason].flags == ROW_INSN))
        vmx_decode_instruction(v, exit, vmx_rows[reason].word);
    else
        vmx_decode_rest(v, exit, (uint32_t)reason);
}

#endif
