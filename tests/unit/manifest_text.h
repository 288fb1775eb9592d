/* SPDX-License-Identifier: MIT */
/* What the tests of the manifest share: pieces of text, and parsing (build host). */
#ifndef TESTS_UNIT_MANIFEST_TEXT_H
#define TESTS_UNIT_MANIFEST_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/manifest.h"

#define MIB (1ull << 20)

/* A VM without a key that a case adds, and with all that it leaves alone. */
#define HEAD "version: 1\nvms:\n"
#define FLAT "  - name: a\n    kind: flat\n    cpus: 1\n    memory: 8M\n    kernel: a.bin\n"
#define FLAT_B "  - name: b\n    kind: flat\n    cpus: 1\n    memory: 8M\n    kernel: a.bin\n"
#define LINUX "  - name: a\n    kind: linux\n    cpus: 1\n    memory: 64M\n    kernel: vmlinuz\n"

#define CPUS(cpus)                                                                                 \
    HEAD "  - name: a\n    kind: flat\n    cpus: " cpus "\n    memory: 8M\n    kernel: a\n"

static struct manifest manifest;
static struct manifest_error error;

/* A heap copy, so that the sanitizer sees a read past the end. */
static inline int parse_bytes(const char *text, size_t size)
{
    char *copy = malloc(size + 1);
    int result;

    assert_non_null(copy);
    memcpy(copy + 1, text, size);
    result = manifest_parse(copy + 1, size, &manifest, &error);
    free(copy);
    return result;
}

static inline int parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static inline void accept(const char *text)
{
    if (parse(text) != 0)
        fail_msg("%u:%u: %s", error.at.line, error.at.column, error.text);
}

#endif
