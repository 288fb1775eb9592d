/* SPDX-License-Identifier: MIT */
/* The monitor: line editing, completion, commands (build host). */
/* sources: kernel/monitor.c kernel/monitor_line.c kernel/monitor_vm.c
 *          kernel/monitor_host.c kernel/page.c tests/unit/host_stubs.c */
/* flags: -Dsniprintf=snprintf -Dvsniprintf=vsnprintf */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/console.h"
#include "kernel/irq.h"
#include "kernel/manifest.h"
#include "kernel/monitor.h"
#include "kernel/page.h"
#include "kernel/reset.h"
#include "kernel/time.h"
#include "kernel/vm.h"
#include "kernel/vm_stop.h"
#include "tests/unit/host_stubs.h"

#define VMS 2
#define COLUMNS 200u

static struct vm vms[VMS];
static struct vconsole consoles[VMS];
static struct boot_vm configs[3];
static struct cpu cpus[2];
static char out[1 << 16];   /* all that was printed */
static size_t out_length;
static char row[COLUMNS + 1]; /* what a terminal shows on its last line */
static size_t column;
static char asked[256];     /* life-cycle calls */
static bool button;         /* the VM has one */
const struct backend *backend;

static void terminal(char c)
{
    if (c == '\n') {
        memset(row, 0, sizeof(row));
        column = 0;
    } else if (c == '\b') {
        assert_true(column > 0);
        column--;
    } else {
        assert_true(c >= ' ' && c < 0x7f);
        assert_true(column < COLUMNS);
        row[column++] = c;
    }
}

void console_print_text(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        terminal(text[i]);
    assert_true(out_length + length < sizeof(out));
    memcpy(out + out_length, text, length);
    out_length += length;
    out[out_length] = '\0';
}

void console_print(const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    console_print_text(text, strlen(text));
}

static void ask(const char *what, const char *name)
{
    snprintf(asked, sizeof(asked), "%s %s", what, name);
}

void console_print_log(uint64_t lines)
{
    snprintf(asked, sizeof(asked), "log %llu", (unsigned long long)lines);
}

void console_show_vm(struct vm *vm)
{
    ask("console", vm->name);
}

struct vm *console_on_screen(void)
{
    return NULL;
}

bool console_type_key(struct vconsole *c, char key)
{
    (void)c;
    asked[strlen(asked) + 1] = '\0';
    asked[strlen(asked)] = key;
    return strlen(asked) < 100;
}

struct vm *vm_get(uint32_t id)
{
    return id < VMS && vms[id].config ? &vms[id] : NULL;
}

struct vm *vm_find(const char *name)
{
    for (uint32_t id = 0; id < VMS; id++) {
        if (vm_get(id) && strcmp(vms[id].name, name) == 0)
            return &vms[id];
    }
    return NULL;
}

const struct boot_vm *manifest_get(uint32_t i)
{
    return i < ARRAY_SIZE(configs) ? &configs[i] : NULL;
}

const struct boot_vm *manifest_find(const char *name)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(configs); i++) {
        if (strcmp(configs[i].name, name) == 0)
            return &configs[i];
    }
    return NULL;
}

int vm_create(const struct boot_vm *config, struct vm **vm)
{
    (void)vm;
    ask("create", config->name);
    return -ENOMEM;
}

int vm_start(struct vm *vm)
{
    ask("start", vm->name);
    return 0;
}

int vm_stop_request(struct vm *vm, unsigned timeout_ms)
{
    snprintf(asked, sizeof(asked), "stop %s %u", vm->name, timeout_ms);
    return 0;
}

bool vm_stop_requested(const struct vm *vm)
{
    (void)vm;
    return button;
}

int vm_kill(struct vm *vm)
{
    ask("kill", vm->name);
    return -ESRCH;
}

int vm_destroy(struct vm *vm)
{
    ask("destroy", vm->name);
    memset(vm, 0, sizeof(*vm));
    return 0;
}

uint32_t cpu_count(void)
{
    return ARRAY_SIZE(cpus);
}

struct cpu *cpu_get(uint32_t index)
{
    return &cpus[index];
}

uint64_t irq_unexpected(void)
{
    return 0;
}

uint64_t time_tsc_hz(void)
{
    return 50000000;
}

void reset_machine(void)
{
    fail_msg("the machine was reset");
    abort();
}

size_t log_read(uint64_t *pos, char *buffer, size_t size)
{
    (void)pos, (void)buffer, (void)size;
    return 0;
}

static int setup(void **state)
{
    static const char *const names[] = { "debian", "desktop", "tutor" };

    (void)state;
    for (uint32_t i = 0; i < ARRAY_SIZE(configs); i++)
        strcpy(configs[i].name, names[i]);
    for (uint32_t id = 0; id < VMS; id++) {
        vms[id] = (struct vm){ .id = id, .config = &configs[id], .state = VM_RUNNING,
                               .console = &consoles[id] };
        strcpy(vms[id].name, configs[id].name);
    }
    host_pages_init(8 * PAGE_SIZE, 4 << 20);
    out_length = 0;
    asked[0] = out[0] = '\0';
    return 0;
}

static void keys(const char *text)
{
    for (; *text; text++)
        monitor_key((uint8_t)*text);
}

/* The line as a terminal shows it, without blanks at its end. */
static const char *shown_row(void)
{
    static char copy[COLUMNS + 1];
    size_t length;

    strcpy(copy, row);
    for (length = strlen(copy); length && copy[length - 1] == ' '; length--)
        copy[length - 1] = '\0';
    return copy;
}

static void test_commands_reach_vms(void **state)
{
    (void)state;
    vms[0].state = VM_READY;
    monitor_execute("start debian");
    assert_string_equal(asked, "start debian");
    assert_non_null(strstr(out, "debian: started"));
    monitor_execute("  kill   2  ");
    assert_string_equal(asked, "kill desktop");
    assert_non_null(strstr(out, "desktop: not killed: it does not run"));
    button = true;
    monitor_execute("stop 1");
    assert_string_equal(asked, "stop debian 10000");
    assert_non_null(strstr(out, "debian: asked to stop"));
    button = false;
    monitor_execute("stop debian 0x10");
    assert_non_null(strstr(out, "debian: killed"));
    assert_string_equal(asked, "stop debian 16000");
    monitor_execute("stop debian 99999999999");
    assert_string_equal(asked, "stop debian 3600000");
    monitor_execute("create tutor");
    assert_string_equal(asked, "create tutor");
    assert_non_null(strstr(out, "tutor: not created: not enough memory"));
    monitor_execute("console desktop");
    assert_string_equal(asked, "console desktop");
    monitor_execute("log 7");
    assert_string_equal(asked, "log 7");
    monitor_execute("log 0");
    assert_string_equal(asked, "log 18446744073709551615");
    vms[1].state = VM_ENDED;
    monitor_execute("destroy desktop");
    assert_non_null(strstr(out, "desktop: destroyed"));
}

static void test_bad_commands_do_nothing(void **state)
{
    static const char *const bad[] = {
        "", "   ", "nothing", "start", "start nobody", "start 0", "start 3", "start 99999999999",
        "start 18446744073709551617", "stop debian soon", "stop debian 1x", "stop debian 0x",
        "create", "create nobody", "kill -1", "destroy ''", "console \x7f", "log x", "type",
        "type debian hello", "screen debian", "reboot", "reboot NOW", "reboot now please",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        if (strchr(bad[i], 0x7f) == NULL)
            monitor_execute(bad[i]);
        assert_string_equal(asked, "");
    }
}

static void assert_says(const char *line, const char *answer)
{
    out_length = 0;
    monitor_execute(line);
    assert_string_equal(out, answer);
    assert_string_equal(asked, "");
}

static void test_what_is_wrong_is_said_in_words(void **state)
{
    (void)state;
    assert_says("start debian", "debian is running already\n");
    assert_says("destroy 1", "debian is running already\n");
    vms[0].state = VM_STOPPING;
    assert_says("start debian", "debian is stopping already\n");
    assert_says("kill debian", "debian is stopping already\n");
    vms[1].state = VM_ENDED;
    assert_says("kill desktop", "desktop has ended already\n");
    assert_says("stop desktop 5", "desktop has ended already\n");
    assert_says("start debian 3", "3: too much; usage: start VM\n");
    assert_says("stop debian 3 4 5", "4: too much; usage: stop VM [SECONDS]\n");
    assert_says("list all VMs", "all: too much; usage: list \n");
    assert_says("reboot now please", "please: too much; usage: reboot now\n");
    out_length = 0;
    monitor_result("debian", "debugged", -EBUSY);
    monitor_result("debian", "created", -EEXIST);
    monitor_result("debian", "started", -EIO);
    assert_string_equal(out, "debian: not debugged: there is a session; 'gdb off' ends it\n"
                             "debian: not created: it is there already\n"
                             "debian: not started: error -5\n");
}

static void test_lists(void **state)
{
    (void)state;
    vms[0].memory = 256 << 20;
    vms[0].arena_pages = 1;
    vms[1].state = VM_ENDED;
    vms[1].exit_status = 3;
    strcpy(vms[1].reason, "debug-exit");
    monitor_execute("list");
    assert_non_null(strstr(out, " 1  debian               running "));
    button = true; /* pressed */
    monitor_execute("list");
    button = false;
    assert_non_null(strstr(out, " 1  debian               stopping "));
    assert_non_null(strstr(out, " 2  desktop              ended "));
    assert_non_null(strstr(out, "status 3: debug-exit"));
    assert_non_null(strstr(out, "tutor                can be created"));
    monitor_execute("mem");
    assert_non_null(strstr(out, "machine                       MiB        pages\n"));
    assert_non_null(strstr(out, "  free                          4         1024\n"));
    assert_non_null(strstr(out, "  debian                      256            1\n"));
    assert_non_null(strstr(out, "  desktop                       0            0\n"));
    monitor_execute("cpus");
    monitor_execute("help");
    assert_non_null(strstr(out, "press its power button"));
}

static bool key(struct vdev *dev, char character)
{
    (void)dev, (void)character;
    return true;
}

static void test_type(void **state)
{
    (void)state;
    consoles[0].hooks.key = key;
    monitor_execute("type debian echo  a");
    assert_string_equal(asked, "echo a\n");
    consoles[0].hooks.key = NULL;
}

static void test_editing(void **state)
{
    (void)state;
    keys("\rlost\x15" "strat debian");
    assert_string_equal(shown_row(), "mullion> strat debian");
    keys("\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\b\b\x1b[3~tar");
    assert_string_equal(shown_row(), "mullion> start debian");
    vms[0].state = VM_READY;
    keys("\x05!\x7f\r\n");
    assert_string_equal(asked, "start debian");
    assert_string_equal(shown_row(), "mullion>");
    keys("kill \x1b[Hx\x1b[3~\b\x0b" "abc\x1b[H\x1b[C\x0b");
    assert_string_equal(shown_row(), "mullion> a");
    keys("\x1b[F\x02\x06\x06\x06\b\b\b\r");
    assert_string_equal(shown_row(), "mullion>");
    keys("bd\x01" "a\x1b[Cc\x1b[1~-\x1b[4~e\x1b[7~-\x1b[8~f\x1b[3~\x06.");
    assert_string_equal(shown_row(), "mullion> --abcdef.");
    keys("\x02\x02\x04\x01\x02\x1b[3~\x1b[2~\x1b[5Z\x05!\r");
    assert_non_null(strstr(out, "-abcde.!: no such command"));
}

static void test_history(void **state)
{
    (void)state;
    keys("help list\rmem\rmem\rdraft\x1b[A");
    assert_string_equal(shown_row(), "mullion> mem");
    keys("\x1b[A");
    assert_string_equal(shown_row(), "mullion> help list");
    keys("\x1b[B\x1b[B\x1b[B");
    assert_string_equal(shown_row(), "mullion> draft");
    keys("\x15");
    for (unsigned i = 0; i < 40; i++)
        keys("\x10");
    keys("\x15\x0e\x0e");
    for (unsigned i = 0; i < 40; i++)
        keys("\x0e");
    keys("\x15\r");
    assert_string_equal(shown_row(), "mullion>");
}

static void test_long_lines(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        keys(i % 2 ? "x " : "\x1b[D" "y");
    keys("\r");
    for (unsigned i = 0; i < 60; i++)
        keys("a ");
    keys("\t\t\r\x1b[A\x15\r");
    assert_string_equal(asked, "");
}

static void test_garbage(void **state)
{
    static const char likely[] = "\x1b[ABCDHF3~\b\t\x0b\x05 dsh";

    (void)state;
    host_random_seed(3);
    for (unsigned i = 0; i < 200000; i++) {
        uint64_t r = host_random();
        monitor_key(r % 3 ? (uint8_t)likely[r / 3 % (sizeof(likely) - 1)] : (uint8_t)(r >> 8));
        out_length = 0;
    }
    keys("\r\x15\r");
    assert_string_equal(shown_row(), "mullion>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, setup)
        T(test_commands_reach_vms),
        T(test_bad_commands_do_nothing),
        T(test_what_is_wrong_is_said_in_words),
        T(test_lists),
        T(test_type),
        T(test_editing),
        T(test_history),
        T(test_long_lines),
        T(test_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
