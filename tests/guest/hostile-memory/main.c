/* SPDX-License-Identifier: MIT */
/* Attack: all of RAM up to its last byte, then what lies at=MiB, or the first byte past RAM. */
#include "guests/lib/guest.h"

#define MIB (1ull << 20)
#define STEP 4096u

extern char bss_end[];

/* Own memory can be written up to its end. */
static void check_own(uint64_t from, uint64_t end)
{
    for (uint64_t a = from; a < end; a += STEP)
        *(volatile uint64_t *)a = a;
    for (uint64_t a = from; a < end; a += STEP)
        guest_check_equal(*(volatile uint64_t *)a, a);
    *(volatile uint8_t *)(end - 1) = 1;
    guest_check_equal(*(volatile uint8_t *)(end - 1), 1);
}

int guest_main(const struct mullion_flat_info *info)
{
    uint64_t target = guest_option(info, "at", info->memory / MIB) * MIB;

    check_own(((uint64_t)(uintptr_t)bss_end | (STEP - 1)) + 1, info->memory);
    guest_printf("%lu checks of own memory, now at 0x%lx\n", guest_checks, target);
    if (guest_option(info, "write", 0))
        *(volatile uint8_t *)target = 1;
    else
        guest_check(*(volatile uint8_t *)target);
    guest_printf("it was there\n");
    return 0;
}
