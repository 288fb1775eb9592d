/* SPDX-License-Identifier: MIT */
/* For the grader's own test: reads words where bytes were wanted, and believes its arguments. */
#include "guests/tutor/console.h"
#include "guests/tutor/errno.h"
#include "guests/tutor/shell.h"
#include "guests/tutor/words.h"

COMMAND(sum, "<address> <length>", "adds up bytes of memory")
{
    uint32_t address, length, total = 0;

    if (argc != 3 || words_number(argv[1], &address) < 0 || words_number(argv[2], &length) < 0)
        return -EINVAL;
    for (uint32_t i = 0; i < length; i++)
        total += *(const volatile uint8_t *)(address + i);
    kprintf("sum of %u bytes at 0x%08x: 0x%08x\n", length, address, total);
    return 0;
}
