/* SPDX-License-Identifier: MIT */
/* Attack: a triple fault: an exception with an IDT that has no gates. */
#include "guests/lib/guest.h"

int guest_main(const struct mullion_flat_info *info)
{
    static const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } nothing;

    (void)info;
    guest_printf("about to raise #UD without an IDT\n");
    __asm__ volatile("lidt %0; ud2" : : "m"(nothing));
    guest_printf("survived\n");
    return 0;
}
