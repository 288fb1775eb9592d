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

#include "boot/machine_build.h"

#define MIB (1ull << 20)
#define HPA 0x12340000ull

static struct boot_vm vm;
static struct guest_parts parts;
static struct guest_report report;
static uint32_t image_segments; /* those that come first */
static _Alignas(16) uint8_t tables[MACHINE_TABLES_SIZE];
static uint8_t image[0x10000];

static inline void put(size_t offset, uint64_t value, unsigned bytes)
{
    memcpy(image + offset, &value, bytes);
}

/* Digests a heap copy of exactly that size, so that the sanitizer sees a read past the end. */
static inline int digest(size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    struct machine_build build = {.vm = &vm, .parts = &parts, .report = &report, .bytes = tables};
    int result;

    assert_non_null(copy);
    memcpy(copy, image, size);
    memset(tables, 0, sizeof(tables));
    parts.kernel = (struct guest_file){copy, size, HPA};
    result = guest_image_digest(&vm, &parts, &report);
    image_segments = vm.segment_count;
    if (result == 0)
        result = machine_build(&build);
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
    memset(&parts, 0, sizeof(parts));
    memset(image, 0, sizeof(image));
    vm.kind = kind;
    vm.vcpu_count = 1;
    vm.memory = memory;
}

#endif
