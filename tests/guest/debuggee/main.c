/* SPDX-License-Identifier: MIT */
/*
 * What tests/boot/test_debug.py debugs. With wait=1 it goes round until a debugger sets
 * `released`; without, it sees that its own breakpoints and steps still are its own.
 */
#include "guests/lib/guest.h"

uint64_t stepped(uint64_t argument); /* steps.S */
void tick(unsigned number);
extern volatile unsigned ticks, released;

volatile unsigned ticks, released;
static volatile unsigned own_breakpoints;

__attribute__((noinline)) void tick(unsigned number)
{
    ticks += number;
}

static void on_breakpoint(struct guest_frame *frame)
{
    (void)frame;
    own_breakpoints++;
}

int guest_main(const struct mullion_flat_info *info)
{
    bool wait = guest_option(info, "wait", 0);

    guest_on_vector(VECTOR_BP, on_breakpoint);
    do {
        tick(3);
        guest_check(!(stepped(0x1234) & RFLAGS_TF));
        __asm__ volatile("int3");
    } while (wait && !released);
    guest_check(own_breakpoints >= 1);
    guest_printf("%u ticks, %u breakpoints of its own\n", ticks, own_breakpoints);
    return 0;
}
