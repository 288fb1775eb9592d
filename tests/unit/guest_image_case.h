/* SPDX-License-Identifier: MIT */
/* What the tests of guest images share: an image, a VM, and the verdict (build host). */
#ifndef TESTS_UNIT_GUEST_IMAGE_CASE_H
#define TESTS_UNIT_GUEST_IMAGE_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/guest_image.h"

#define MIB (1ull << 20)
#define HPA 0x12340000ull

static struct boot_vm vm;
static struct guest_report report;
static uint8_t image[0x10000];

static inline void put(size_t offset, uint64_t value, unsigned bytes)
{
    memcpy(image + offset, &value, bytes);
}

/* Digests a heap copy of exactly that size, so that the sanitizer sees a read past the end. */
static inline int digest(size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    int result;

    assert_non_null(copy);
    memcpy(copy, image, size);
    result = guest_image_digest(&vm, &(struct guest_file){copy, size, HPA}, &report);
    free(copy);
    return result;
}

static inline void refused(size_t size, const char *says)
{
    if (digest(size) == 0)
        fail_msg("accepted, but \"%s\" expected", says);
    if (strstr(report.error, says) == NULL)
        fail_msg("\"%s\", but \"%s\" expected", report.error, says);
}

static inline void accepted(size_t size)
{
    if (digest(size) != 0)
        fail_msg("%s", report.error);
}

static inline void vm_reset(uint32_t kind, uint64_t memory)
{
    memset(&vm, 0, sizeof(vm));
    memset(image, 0, sizeof(image));
    vm.kind = kind;
    vm.memory = memory;
}

#endif
