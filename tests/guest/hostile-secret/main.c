/* SPDX-License-Identifier: MIT */
/* A secret in all memory that is left to this guest; with read=1 the search for another's. */
#include "guests/lib/guest.h"

#define SECRET 0x5ec2e75ec2e75ec2ull
#define LOW_START 0x10000ull
#define LOW_END 0x80000ull
#define PAGE 4096ull

extern char bss_end[];

/* The first word in [from, end) that is not `value`, or `end`. */
static uint64_t find_other(uint64_t from, uint64_t end, uint64_t value)
{
    uint64_t at = from, count = (end - from) / 8;
    bool all;

    __asm__ volatile("repe scasq" : "+D"(at), "+c"(count), "=@ccz"(all) : "a"(value) : "memory");
    return all ? end : at - 8;
}

static void fill(uint64_t from, uint64_t end)
{
    uint64_t count = (end - from) / 8;

    __asm__ volatile("rep stosq" : "+D"(from), "+c"(count) : "a"(SECRET) : "memory");
}

int guest_main(const struct mullion_flat_info *info)
{
    uint64_t image = ((uint64_t)(uintptr_t)bss_end + PAGE - 1) & ~(PAGE - 1);
    bool read = guest_option(info, "read", 0);

    if (!read) {
        fill(LOW_START, LOW_END);
        fill(image, info->memory);
    }
    guest_check_equal(find_other(LOW_START, LOW_END, read ? 0 : SECRET), LOW_END);
    guest_check_equal(find_other(image, info->memory, read ? 0 : SECRET), info->memory);
    guest_printf("%llu MiB: %s\n", info->memory >> 20, read ? "only zeros" : "secret written");
    return 0;
}
