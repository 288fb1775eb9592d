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

/* Touches a word of every page. Returns the exits that it took; quick, since the host's own
 * interrupts are exits too. */
static uint64_t touch(uint64_t end)
{
    uint64_t before = exits();

    for (uint64_t at = FIRST; at < end; at += PAGE)
        (void)*(volatile uint64_t *)at;
    return exits() - before;
}

/* Every word is zero; then each page gets its address. */
static void check_zero_and_mark(uint64_t end)
{
    uint64_t sum = 0;

    for (uint64_t at = FIRST; at < end; at += PAGE) {
        uint64_t *page = (uint64_t *)at;
        for (unsigned i = 0; i < PAGE / sizeof(*page); i++)
            sum |= page[i];
        page[7] = at;
    }
    guest_check_equal(sum, 0);
    for (uint64_t at = FIRST; at < end; at += PAGE)
        guest_check_equal(((uint64_t *)at)[7], at);
}

int guest_main(const struct mullion_flat_info *info)
{
    uint64_t step = guest_option(info, "step", PAGE), end = info->memory & ~(LARGE_PAGE - 1);
    uint64_t touches = (end - FIRST) / step, slack = 20 + touches / 50, first, second;

    first = touch(end);
    check_zero_and_mark(end);
    second = touch(end);
    guest_printf("%lu first touches: %lu exits, again: %lu\n", touches, first, second);
    guest_check(first >= touches && first <= touches + slack);
    guest_check(second <= slack);
    return 0;
}
