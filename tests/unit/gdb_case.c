/* SPDX-License-Identifier: MIT */
/* See tests/unit/gdb_case.h (build host). */
#include "tests/unit/gdb_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/console.h"
#include "kernel/monitor.h"


static struct backend with_debugger;
char sent[16384];
unsigned wakes, killed;
bool watched;
static char typed[8192];
static size_t typed_at, typed_length, sent_length;

/* What the stub needs of the rest. */

static int pipe_read(void)
{
    return typed_at < typed_length ? (uint8_t)typed[typed_at++] : -1;
}

static bool pipe_waits(void)
{
    return typed_at < typed_length;
}

static void pipe_write(const char *text, size_t length)
{
    assert_true(length <= GDB_PACKET_MAX + 4);
    assert_true(sent_length + length < sizeof(sent));
    memcpy(sent + sent_length, text, length);
    sent_length += length;
    sent[sent_length] = '\0';
}

static const struct gdb_port pipe_port = { .name = "pipe", .read = pipe_read, .waits = pipe_waits,
                                           .write = pipe_write };
SET_ADD(gdb_port, pipe_port);

void console_print_text(const char *text, size_t length)
{
    (void)text;
    (void)length;
}

void console_print(const char *format, ...)
{
    (void)format;
}

struct vm *monitor_vm(const char *word)
{
    assert_true(!word || strcmp(word, "off") != 0); /* is no VM, with a session or without */
    return word && strcmp(word, "test") == 0 ? &fake.vm : NULL;
}

void monitor_result(const char *name, const char *what, int err)
{
    (void)name;
    (void)what;
    assert_int_not_equal(err, 0);
}

struct vm *vm_get(uint32_t id)
{
    return id == fake.vm.id ? &fake.vm : NULL;
}

int vm_kill(struct vm *vm)
{
    vm->state = VM_STOPPING;
    killed++;
    return 0;
}

struct cpu *cpu_get(uint32_t index)
{
    assert_int_equal(index, 0);
    return this_cpu();
}

static void intercept(struct vcpu *vcpu, uint8_t vector, bool on)
{
    assert_int_equal(vector, VECTOR_BP);
    watched = vcpu == &fake.vcpus[0] ? on : watched;
}

static void wake(struct vcpu *vcpu)
{
    (void)vcpu;
    wakes++;
}

void gdb_case_monitor(int count, char **words)
{
    SET_FOREACH(p, monitor_command)
        if (strcmp((*p)->name, "gdb") == 0)
            (*p)->run(count, words);
}

void begin_session(void)
{
    gdb_case_monitor(
        3, (char *[]){ (char[]){ "gdb" }, (char[]){ "test" }, (char[]){ "pipe" }, NULL });
}

int setup(void **state)
{
    (void)state;
    fake_create(PAGE_2M, BOOT_BACKING_EAGER);
    with_debugger = *backend;
    with_debugger.intercept_exception = intercept;
    with_debugger.wake = wake;
    backend = &with_debugger;
    fake.vm.state = VM_RUNNING;
    fake_long();
    fake.regs[VREG_CR0] &= ~CR0_PG; /* addresses are physical: tables have a test of their own */
    fake.regs[VREG_RIP] = CODE;
    fake.regs[VREG_RSP] = STACK;
    typed_at = typed_length = sent_length = 0;
    wakes = killed = 0;
    memset(&gdb, 0, sizeof(gdb));
    begin_session();
    assert_ptr_equal(gdb.vm, &fake.vm);
    return 0;
}

void type(const char *bytes, size_t length)
{
    memcpy(typed, bytes, length);
    typed_at = 0;
    typed_length = length;
    sent_length = 0;
    sent[0] = '\0';
    gdbstub_poll();
}

uint8_t sum_of(const char *data, size_t length)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + (uint8_t)data[i]);
    return sum;
}

/* The data of the reply to a packet; NULL: there was no reply. */
const char *ask(const char *data)
{
    static char packet[4096], data_of_reply[4096];
    char *start, *end;
    int length = snprintf(packet, sizeof(packet), "$%s#%02x", data, sum_of(data, strlen(data)));

    type(packet, (size_t)length);
    assert_int_equal(sent[0], '+');
    if (!sent[1])
        return NULL;
    start = sent + 1;
    end = strchr(start, '#');
    assert_int_equal(*start, '$');
    assert_non_null(end);
    assert_int_equal(strtoul(end + 1, NULL, 16), sum_of(start + 1, (size_t)(end - start - 1)));
    assert_int_equal(end[3], '\0');
    snprintf(data_of_reply, sizeof(data_of_reply), "%.*s", (int)(end - start - 1), start + 1);
    return data_of_reply;
}

/* What was sent is this, in a frame, behind `before`. */
void assert_told(const char *before, const char *data)
{
    char expected[200];

    snprintf(expected, sizeof(expected), "%s$%s#%02x", before, data, sum_of(data, strlen(data)));
    assert_string_equal(sent, expected);
}
