/* SPDX-License-Identifier: MIT */
/* The smallest test guest: it runs, sees what it was promised, and ends with a verdict. */
#include "guests/lib/guest.h"

int guest_main(const struct mullion_flat_info *info)
{
    struct guest_cpuid r = cpuid(MULLION_CPUID_BASE, 0);

    guest_printf("hello from a flat guest with %llu KiB\n", info->memory >> 10);
    guest_check(info->version == MULLION_ABI_VERSION);
    guest_check(r.eax >= MULLION_CPUID_FEATURES);
    guest_check(guest_hypercall(MULLION_HC_NOP, 0, 0) == 0);
    return 0;
}
