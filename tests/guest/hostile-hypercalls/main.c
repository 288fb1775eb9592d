/* SPDX-License-Identifier: MIT */
/* Attack: hypercalls with numbers and arguments without meaning, and from CPL 3. */
#include "guests/lib/guest.h"

#define ROUNDS 20000u
#define KNOWN 16u /* numbers from MULLION_HC_BASE on that may have a meaning */

static uint64_t calls;

static void vmcall_as_user(void *arg)
{
    (void)arg;
    guest_hypercall(MULLION_HC_EXIT, 99, 0);
}

static long garbage(uint64_t number)
{
    uint64_t a = guest_random(), b = guest_random(), c = guest_random(), d = guest_random();
    long result;

    calls++;
    if (cpuid(0, 0).ebx == 0x68747541) /* "Auth" */
        __asm__ volatile("vmmcall"
                         : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
    else
        __asm__ volatile("vmcall"
                         : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
    return result;
}

int guest_main(const struct mullion_flat_info *info)
{
    (void)info;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t number = (uint32_t)guest_random();
        if (number - MULLION_HC_BASE < KNOWN)
            continue;
        guest_check_equal(garbage(number), MULLION_ERROR_UNKNOWN);
    }
    guest_check_equal(garbage(MULLION_HC_BASE - 1), MULLION_ERROR_UNKNOWN);
    guest_check_equal(garbage(MULLION_HC_BASE + KNOWN), MULLION_ERROR_UNKNOWN);
    guest_check_equal(garbage(MULLION_HC_COST), MULLION_ERROR_DENIED);
    guest_check_equal(garbage(MULLION_HC_FIGURE), MULLION_ERROR_DENIED);
    /* nor with arguments that have a meaning: the manifest does not say host_figures */
    guest_check_equal(cpuid(MULLION_CPUID_FEATURES, 0).ebx & MULLION_FEATURE_HOST_FIGURES, 0);
    guest_check_equal(guest_hypercall(MULLION_HC_COST, MULLION_COST_HOST_MSRS, 0),
                      MULLION_ERROR_DENIED);
    guest_check_equal(guest_hypercall(MULLION_HC_FIGURE, MULLION_FIGURE_FREE_PAGES, 0),
                      MULLION_ERROR_DENIED);
    for (unsigned i = 0; i < KNOWN; i++)
        guest_check_equal(guest_catch_user(vmcall_as_user, NULL, NULL), VECTOR_UD);
    guest_printf("%lu hypercalls\n", calls);
    guest_check_equal(garbage(MULLION_HC_NOP), 0);
    return 0;
}
