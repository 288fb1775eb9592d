/* SPDX-License-Identifier: MIT */
/*
 * What newlib's strings and integer formatting want of the system (root mode). There is no heap:
 * formatting into a buffer never asks for one, and would be told so.
 */
#include <errno.h>
#include <stddef.h>

void *sbrk(ptrdiff_t increment); /* newlib's name for it */

void *sbrk(ptrdiff_t increment)
{
    (void)increment;
    errno = ENOMEM;
    return (void *)-1; /* sbrk's error value */
}
