/* SPDX-License-Identifier: MIT */
/* Memory given at first touch: every page is zero, costs one exit once and none later. */
#include "guests/lib/guest.h"

#define PAGE 4096ull
#define LARGE_PAGE 0x200000ull
#define FIRST 0x400000ull /* well past this image */

static uint64_t exits(void)
{
    return (uint64_t)guest_hypercall(MULLION_HC_EXITS, 0, 0);
}

/* Adds up what it reads and then marks every page. Returns the exits that it took. */
static uint64_t walk(uint64_t end, uint64_t *sum)
{
    uint64_t before = exits();

    for (uint64_t at = FIRST; at < end; at += PAGE) {
        uint64_t *page = (uint64_t *)at;
        for (unsigned i = 0; i < PAGE / sizeof(*page); i++)
            *sum |= page[i];
        page[7] = at;
    }
    return exits() - before;
}

int guest_main(const struct mullion_flat_info *info)
{
    uint64_t step = guest_option(info, "step", PAGE), end = info->memory & ~(LARGE_PAGE - 1);
    uint64_t touches = (end - FIRST) / step, sum = 0, first, second;

    first = walk(end, &sum);
    guest_printf("%lu first touches: %lu exits\n", touches, first);
    guest_check_equal(sum, 0);
    guest_check(first >= touches && first <= touches + touches / 4 + 20);
    for (uint64_t at = FIRST; at < end; at += PAGE)
        guest_check_equal(((uint64_t *)at)[7], at);
    second = walk(end, &sum);
    guest_check(second <= touches / 4 + 20); /* interrupts of the host may come */
    return 0;
}
