/* SPDX-License-Identifier: MIT */
/*
 * RDPMC in a guest (root mode). There are no performance counters: CPUID offers none, and reading
 * one raises #GP(0), as SDM 2B, "RDPMC", says of a counter that does not exist. By itself in a
 * file, as the template of an exit handler (docs/labs/exit.md).
 */
#include "kernel/exit.h"
#include "kernel/vcpu.h"
#include "kernel/x86.h"

static enum verdict on_rdpmc(struct vcpu *v, struct vmexit *exit)
{
    (void)exit;
    vcpu_inject_error(v, VECTOR_GP, 0);
    return VERDICT_RETRY;
}
EXIT_HANDLER(EXIT_RDPMC, on_rdpmc);
