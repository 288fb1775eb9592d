/* SPDX-License-Identifier: MIT */
/* A peaceful guest beside hostile ones: timer ticks, a pattern in its memory, progress in words. */
#include "guests/lib/guest.h"

#define TICKS 300u
#define TICKS_A_LINE 10u
#define WORDS 512u

extern char bss_end[];

static uint64_t *word(const struct mullion_flat_info *info, uint64_t index)
{
    uint64_t from = ((uint64_t)(uintptr_t)bss_end + 4095) & ~4095ull;
    uint64_t step = (info->memory - from) / WORDS & ~7ull;

    return (uint64_t *)(uintptr_t)(from + index * step);
}

int guest_main(const struct mullion_flat_info *info)
{
    uint64_t ticks = guest_option(info, "ticks", TICKS), before = 0, now;

    guest_x2apic_on();
    for (uint64_t i = 0; i < WORDS; i++)
        *word(info, i) = i * i;
    for (uint64_t tick = 1; tick <= ticks; tick++) {
        guest_sleep(info->tsc_hz / 100);
        now = rdtsc();
        guest_check(now > before);
        before = now;
        for (uint64_t i = 0; i < WORDS; i++)
            guest_check_equal(*word(info, i), i * i);
        if (tick % TICKS_A_LINE == 0)
            guest_printf("tick %lu, memory as it was\n", tick);
    }
    return 0;
}
