/* SPDX-License-Identifier: MIT */
/* A guest that uses the FIFO of docs/labs/device.md. */
#include "guests/lib/guest.h"

#define DATA 0xE4
#define STATUS 0xE5
#define DEPTH 16

int guest_main(const struct mullion_flat_info *info)
{
    (void)info;
    guest_check_equal(inb(STATUS), 0);
    for (unsigned i = 0; i <= DEPTH; i++)
        outb(DATA, (uint8_t)(i * 3));
    guest_check_equal(inb(STATUS), 7);
    for (unsigned i = 0; i < DEPTH; i++)
        guest_check_equal(inb(DATA), i * 3);
    guest_check_equal(inb(DATA), 0xFF);
    outb(STATUS, 4);
    guest_check_equal(inb(STATUS), 0);
    return 0;
}
