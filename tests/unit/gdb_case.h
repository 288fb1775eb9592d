/* SPDX-License-Identifier: MIT */
/* A session of the GDB stub over a pipe, with a VM that stands still (build host). */
#ifndef TESTS_UNIT_GDB_CASE_H
#define TESTS_UNIT_GDB_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/gdbstub.h"
#include "tests/unit/fake_backend.h"
#include "tests/unit/host_stubs.h"

#define CODE 0x1000u /* RIP and RSP at the start */
#define STACK 0x2000u

extern char sent[16384]; /* since the last type() */
extern unsigned wakes, killed;
extern bool watched;     /* #BP is intercepted */

/* A fresh VM with a session. */
int setup(void **state);
void begin_session(void);
/* The monitor's command. */
void gdb_case_monitor(int count, char **words);
/* Bytes on the line, and what the stub does about them. */
void type(const char *bytes, size_t length);
uint8_t sum_of(const char *data, size_t length);
/* The data of the reply to a packet; NULL: there was no reply. */
const char *ask(const char *data);
#define assert_reply(data, expected) assert_string_equal(ask(data), expected)
/* What was sent is this, in a frame, behind `before`. */
void assert_told(const char *before, const char *data);

#endif
