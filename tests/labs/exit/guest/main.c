/* SPDX-License-Identifier: MIT */
/* A guest that reads the counters of docs/labs/exit.md. */
#include "guests/lib/guest.h"

#define RDPMC 0x330F /* its two bytes: a fault is at the instruction, and not behind it */

enum counter { EXITS, CYCLES, OWN, COUNTERS };

static uint64_t rdpmc(uint32_t counter)
{
    uint32_t low, high;

    __asm__ volatile("rdpmc" : "=a"(low), "=d"(high) : "c"(counter));
    return (uint64_t)high << 32 | low;
}

static void read_counter(void *arg)
{
    rdpmc(*(const uint32_t *)arg);
}

int guest_main(const struct mullion_flat_info *info)
{
    uint32_t bad = COUNTERS, good = EXITS;
    uint64_t exits, cycles, own;
    struct guest_fault fault;

    (void)info;
    exits = rdpmc(EXITS);
    cycles = rdpmc(CYCLES);
    own = rdpmc(OWN);
    for (unsigned i = 0; i < 10; i++)
        cpuid(0, 0);
    guest_check_equal(rdpmc(OWN), own + 1);
    guest_check(rdpmc(CYCLES) > cycles);
    guest_check(rdpmc(EXITS) >= exits + 15);
    guest_check_equal(guest_catch(read_counter, &bad, &fault), VECTOR_GP);
    guest_check_equal(*(const uint16_t *)fault.rip, RDPMC);
    guest_check_equal(guest_catch(read_counter, &good, NULL), GUEST_NO_FAULT);
    guest_check_equal(guest_catch_user(read_counter, &good, NULL), VECTOR_GP);
    return 0;
}
