/* SPDX-License-Identifier: MIT */
/*
 * What tests of a backend's decoder share, whoever the vendor (build host). The vendor's header
 * (tests/unit/vmx_case.h) defines the two functions that are declared here.
 */
#ifndef TESTS_UNIT_DECODE_CASE_H
#define TESTS_UNIT_DECODE_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/backend.h"
#include "kernel/exit.h"
#include "kernel/vcpu.h"

static struct vmexit last;

/* cmocka's: a vCPU after INIT at CASE_RIP. */
static int setup(void **state);
/* Lets the guest leave by this hardware exit code, with this word about it; fills `last`. */
static const struct vmexit *exit_with(uint64_t code, uint64_t info);

#define CASE_RIP 0x1234
#define CASE_LENGTH 3 /* of the instruction there */

struct decode_row {
    uint64_t code;
    const char *name; /* what reports say */
    enum exit_kind kind;
    uint8_t length;   /* CASE_LENGTH; 0: not caused by an instruction */
};

/* Each exit becomes its kind, under its own name. The backend is the one that is linked. */
static inline void assert_kinds(const struct decode_row *rows, size_t count)
{
    const struct backend *b = __start_set_backend[0];

    for (size_t i = 0; i < count; i++) {
        setup(NULL);
        exit_with(rows[i].code, 0);
        if (last.kind != rows[i].kind || last.length != rows[i].length)
            fail_msg("%s: kind %u, length %u", rows[i].name, last.kind, last.length);
        assert_true(last.code < b->exit_codes);
        assert_string_equal(b->exit_name(last.code), rows[i].name);
    }
}

static inline void assert_io(uint16_t port, uint8_t size, bool in, bool string)
{
    assert_int_equal(last.kind, EXIT_IO);
    assert_int_equal(last.io.port, port);
    assert_int_equal(last.io.size, size);
    assert_int_equal(last.io.in, in);
    assert_int_equal(last.io.string, string);
}

static inline void assert_mov_cr(unsigned number, bool write, unsigned gpr)
{
    assert_int_equal(last.kind, EXIT_CR);
    assert_int_equal(last.cr.number, number);
    assert_int_equal(last.cr.write, write);
    assert_int_equal(last.cr.gpr, gpr);
    assert_false(last.cr.clts || last.cr.lmsw);
}

/* `access` is one of "r", "w", "x". */
static inline void assert_memory(gpa_t gpa, char access, bool page_walk)
{
    assert_int_equal(last.kind, EXIT_MEMORY);
    assert_int_equal(last.memory.gpa, gpa);
    assert_int_equal(last.memory.write, access == 'w');
    assert_int_equal(last.memory.fetch, access == 'x');
    assert_int_equal(last.memory.page_walk, page_walk);
}

static inline void assert_event(const struct vcpu *v, enum vevent_type type, uint8_t vector,
                                bool has_error_code)
{
    assert_int_equal(v->event.type, type);
    assert_int_equal(v->event.vector, vector);
    assert_int_equal(v->event.has_error_code, has_error_code);
}

#endif
