/* SPDX-License-Identifier: MIT */
/* For the grader's own test: skips the instruction that raises #GP, and keeps RAX's upper half. */
#include "kernel/exit.h"
#include "kernel/vcpu.h"
#include "kernel/x86.h"

static enum verdict on_rdpmc(struct vcpu *v, struct vmexit *exit)
{
    uint64_t value = v->stats.all.exits;

    (void)exit;
    if (v->gpr[RCX] > 2)
        vcpu_inject_error(v, VECTOR_GP, 0);
    if (v->gpr[RCX] == 1)
        value = v->stats.all.cycles;
    v->gpr[RAX] = (v->gpr[RAX] & ~0xFFFFFFFFull) | (uint32_t)value;
    v->gpr[RDX] = value >> 32;
    return VERDICT_NEXT;
}
EXIT_HANDLER(EXIT_RDPMC, on_rdpmc);
