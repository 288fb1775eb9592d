/* SPDX-License-Identifier: MIT */
/* Hypercalls: numbers, errors, refusal in user mode, the counters, and the end of the VM. */
#include "guests/lib/guest.h"

#define ENOSYS 38
#define EINVAL 22
#define KVM_HC_SEND_IPI 10
#define NOPS 100

static void call(void *arg)
{
    (void)arg;
    guest_hypercall(MULLION_HC_NOP, 0, 0);
}

static void check_counters(void)
{
    long before = guest_hypercall(MULLION_HC_EXITS, 0, 0), after;
    long cost = guest_hypercall(MULLION_HC_COST, MULLION_COST_CONTROL_ACCESSES, 0);
    long msrs = guest_hypercall(MULLION_HC_COST, MULLION_COST_HOST_MSRS, 0);

    for (unsigned i = 0; i < NOPS; i++)
        guest_check_equal(guest_hypercall(MULLION_HC_NOP, 0, 0), 0);
    after = guest_hypercall(MULLION_HC_EXITS, 0, 0);
    guest_check(after - before >= NOPS + 3 && after - before < 2 * NOPS);
    cost = guest_hypercall(MULLION_HC_COST, MULLION_COST_CONTROL_ACCESSES, 0) - cost;
    guest_printf("%ld control accesses in %d hypercalls\n", cost, NOPS);
    if (guest_is_amd()) /* a VMCB is memory, whose accesses nobody counts */
        guest_check_equal(cost, 0);
    else
        guest_check(cost > NOPS);
    /* it counts (a vCPU's first entry takes some), and an exit takes none, but others may run */
    guest_check(msrs > 0);
    msrs = guest_hypercall(MULLION_HC_COST, MULLION_COST_HOST_MSRS, 0) - msrs;
    guest_check(msrs < NOPS);
}

int guest_main(const struct mullion_flat_info *info)
{
    (void)info;
    guest_check(cpuid(MULLION_CPUID_FEATURES, 0).ebx & MULLION_FEATURE_HOST_FIGURES);
    check_counters();
    for (uint32_t number = 0; number <= KVM_HC_SEND_IPI + 10; number++)
        guest_check_equal(guest_hypercall(number, 0, 0), MULLION_ERROR_UNKNOWN);
    guest_check_equal(guest_hypercall(MULLION_HC_BASE - 1, 0, 0), MULLION_ERROR_UNKNOWN);
    guest_check_equal(guest_hypercall(MULLION_HC_BASE + 0xffff, 0, 0), MULLION_ERROR_UNKNOWN);
    guest_check_equal(guest_hypercall(0xffffffff, 0, 0), MULLION_ERROR_UNKNOWN);
    guest_check_equal(guest_hypercall(MULLION_HC_COST, 99, 0), -EINVAL);
    guest_check_equal(guest_hypercall(MULLION_HC_FIGURE, ~0ull, 0), -EINVAL);
    guest_check(guest_hypercall(MULLION_HC_FIGURE, MULLION_FIGURE_START_TICKS, 0) > 0);
    guest_check(guest_hypercall(MULLION_HC_FIGURE, MULLION_FIGURE_FREE_PAGES, 0) > 0);
    guest_check_equal(guest_catch_user(call, NULL, NULL), VECTOR_UD);
    guest_hypercall(MULLION_HC_MARK, 42, 0);
    for (const char *c = "put by hypercall\n"; *c; c++)
        guest_hypercall(MULLION_HC_PUTC, (uint64_t)*c, 0);
    guest_hypercall(MULLION_HC_EXIT, 7, 0);
    return 1;
}
