/* SPDX-License-Identifier: MIT */
/* Consoles of VMs, the screen, Ctrl-A and the multiplexed stream (build host). */
/* sources: kernel/console.c kernel/console_screen.c kernel/console_prefix.c kernel/console_log.c
 *          kernel/console_mux.c kernel/page.c tests/unit/host_stubs.c */
/* flags: -Dsniprintf=snprintf -Dvsniprintf=vsnprintf */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/console.h"
#include "kernel/console_mux.h"
#include "kernel/hostcon.h"
#include "kernel/log_ring.h"
#include "kernel/monitor.h"
#include "kernel/option.h"
#include "kernel/page.h"
#include "kernel/time.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"
#include "tests/unit/host_stubs.h"

#define VMS 3
#define TEXT_MAX (1u << 20)

static struct vm vms[VMS];
static bool present[VMS];
static struct vdev devices[VMS];
static struct cpu cpu0;
static char shown[TEXT_MAX], port[TEXT_MAX], got[4096], keys[4096];
static size_t shown_length, port_length, got_length, keys_length, room, key_room;
static const char *typed;
static size_t typed_left;
static unsigned kicks, redraws, yields;
static unsigned touched; /* VMs whose data CPU 0 has handled, as a mask */
static uint64_t now;
static bool mux, polled, monitor_used;
static char log_bytes[4096];
bool log_panicking;

struct vm *vm_get(uint32_t id)
{
    return id < VMS && present[id] ? &vms[id] : NULL;
}

struct vm *vm_find(const char *name)
{
    for (uint32_t id = 0; id < VMS; id++) {
        if (present[id] && strcmp(vms[id].name, name) == 0)
            return &vms[id];
    }
    return NULL;
}

void hostcon_write(const char *text, size_t length)
{
    assert_true(shown_length + length < TEXT_MAX);
    memcpy(shown + shown_length, text, length);
    shown_length += length;
    shown[shown_length] = '\0';
    mux_write_log(text, length);
}

bool gdbstub_typed(uint8_t byte)
{
    (void)byte;
    return false;
}

int hostcon_read(void)
{
    if (!typed_left)
        return -1;
    typed_left--;
    return (uint8_t)*typed++;
}

bool hostcon_has_input(void)
{
    return typed_left > 0;
}

bool hostcon_polled(void)
{
    return polled;
}

bool monitor_polled(void)
{
    return monitor_used;
}

void sched_touched(const struct vm *vm)
{
    touched |= 1u << vm->id;
}

void vcpu_request(struct vcpu *vcpu, uint32_t request)
{
    (void)vcpu;
    assert_int_equal(request, VCPU_REQ_YIELD);
    yields++;
}

void monitor_key(uint8_t byte)
{
    keys[keys_length++ % sizeof(keys)] = (char)byte;
}

void monitor_redraw(void)
{
    redraws++;
}

void monitor_poll(void)
{
}

uint64_t time_tsc(void)
{
    return now;
}

uint64_t time_ns_to_ticks(uint64_t ns)
{
    return ns;
}

struct cpu *cpu_get(uint32_t index)
{
    (void)index;
    return &cpu0;
}

void cpu_kick(struct cpu *cpu)
{
    (void)cpu;
    kicks++;
}

bool option_has(const char *word)
{
    return mux && strcmp(word, "mux") == 0;
}

size_t log_read(uint64_t *pos, char *buffer, size_t size)
{
    size_t length = strlen(log_bytes);
    size_t left = *pos < length ? length - (size_t)*pos : 0;

    left = MIN(left, size);
    memcpy(buffer, log_bytes + *pos, left);
    *pos += left;
    return left;
}

uint64_t x86_test_in(uint16_t number, unsigned bits)
{
    assert_int_equal(bits, 8);
    return number == 0xe9 ? 0xe9 : 0xff;
}

void x86_test_out(uint16_t number, unsigned bits, uint64_t value)
{
    assert_int_equal(number, 0xe9);
    assert_int_equal(bits, 8);
    assert_true(port_length + 1 < TEXT_MAX);
    port[port_length++] = (char)value;
}

static bool device_input(struct vdev *dev, uint8_t byte)
{
    assert_true(lock_held(&dev->vm->lock));
    if (!room)
        return false;
    room--;
    got[got_length++ % sizeof(got)] = (char)byte;
    return true;
}

static bool device_key(struct vdev *dev, char key)
{
    assert_true(lock_held(&dev->vm->lock));
    if (!key_room)
        return false;
    key_room--;
    got[got_length++ % sizeof(got)] = key;
    return true;
}

static void pass(void)
{
    now += 10000000;
    console_input();
    console_poll();
    assert_int_equal(host_locks_held(), 0);
}

static void settle(struct vm *vm)
{
    console_show_vm(vm);
    for (unsigned i = 0; i < 20; i++)
        pass();
}

static void type_bytes(const char *text, size_t length)
{
    typed = text;
    typed_left = length;
    while (typed_left)
        pass();
    pass();
}

static void type(const char *text)
{
    type_bytes(text, strlen(text));
}

static void say(unsigned id, const char *text)
{
    for (; *text; text++)
        vdev_console_put(&devices[id], (uint8_t)*text);
}

static void forget_output(void)
{
    shown_length = port_length = 0;
    shown[0] = '\0';
}

static void add_vm(uint32_t id, const char *name)
{
    vms[id] = (struct vm){ .id = id, .state = VM_RUNNING };
    strcpy(vms[id].name, name);
    lock_init(&vms[id].lock, LOCK_RANK_VM, "vm");
    devices[id] = (struct vdev){ .vm = &vms[id] };
    assert_int_equal(console_create(&vms[id]), 0);
    present[id] = true;
    vdev_console_attach(&devices[id], device_input);
}

static int setup(void **state)
{
    (void)state;
    host_pages_init(8 * PAGE_SIZE, 4 << 20);
    memset(present, 0, sizeof(present));
    got_length = keys_length = kicks = yields = 0;
    polled = monitor_used = false;
    room = key_room = sizeof(got);
    mux = true;
    console_show_log();
    add_vm(0, "debian");
    add_vm(2, "tutor");
    forget_output();
    assert_true(mux_probe());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (uint32_t id = 0; id < VMS; id++) {
        if (present[id])
            console_destroy(&vms[id]);
        present[id] = false;
    }
    return 0;
}

static void test_output_is_kept_and_shown_on_switching(void **state)
{
    (void)state;
    say(0, "hello\r\n");
    pass();
    assert_string_equal(shown, "");
    type("\x01" "1");
    assert_string_equal(shown, "\n--- VM 1: debian (Ctrl-A ? for help) ---\nhello\r\n");
    say(0, "more");
    pass();
    assert_non_null(strstr(shown, "hello\r\nmore"));
    forget_output();
    type("\x01" "m");
    say(0, " unseen");
    type("\x01" "1");
    assert_non_null(strstr(shown, "---\nhello\r\nmore unseen"));
}

/* `old` was put out before the console came on screen, `live` after; ~ stands for NUL. */
static void assert_replay(const char *old, const char *live, const char *expected)
{
    console_show_log();
    say(0, old);
    forget_output();
    console_show_vm(&vms[0]);
    say(0, live);
    pass();
    for (char *nul; (nul = memchr(shown, '\0', shown_length));)
        *nul = '~';
    assert_string_equal(shown + shown_length - strlen(expected), expected);
}

/* A terminal would answer, and the answer be typed to whoever reads by then. */
static void test_old_output_asks_the_terminal_nothing(void **state)
{
    (void)state;
    assert_replay("# \x1b[6n$", "", "# ~~~~$");
    assert_replay("\x1b[c\x1b[>0;1c\x1b[?6nA", "", "~~~~~~~~~~~~~~A");
    assert_replay("a\x1bZb\x05" "c", "", "a~~b~c");
    assert_replay("\x1b\x1b[\x05" "5nA", "", "\x1b~~~~~A");
    assert_replay("\x1b[1;31mnc Z [6n\x1b[K\x1b(Z", "", "\x1b[1;31mnc Z [6n\x1b[K\x1b(Z");
    assert_replay("old\x1b[6n", "\x1b[6n\x1b[c\x1bZ\x05", "old~~~~\x1b[6n\x1b[c\x1bZ\x05");
    assert_replay("\x1b[", "6n", "\x1b[6n"); /* asked now */
}

/* Whether what is shown again, or kept at all, begins before, in or behind a query. */
static void test_a_query_that_the_backlog_cuts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        unsigned size = i < 5 ? 2000 : CONSOLE_OUTPUT_SIZE; /* seen before, or not */
        char text[CONSOLE_OUTPUT_SIZE + 8];

        settle(&vms[0]);
        (i < 5 ? pass : console_show_log)();
        snprintf(text, sizeof(text), "\x1b[6n%0*u", (int)(size - i % 5), 0);
        say(0, text);
        pass();
        forget_output();
        settle(&vms[0]);
        assert_true(shown_length >= size);
        assert_null(memchr(shown, '\x1b', shown_length));
    }
}

static void test_the_oldest_output_is_lost(void **state)
{
    char text[64];

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(text, sizeof(text), "line %u with some more text\n", i);
        say(0, text);
    }
    settle(&vms[0]);
    assert_null(strstr(shown, "line 1 "));
    assert_non_null(strstr(shown, "line 1500 with"));
    assert_non_null(strstr(shown, "line 1999 with"));
    assert_true(shown_length > CONSOLE_OUTPUT_SIZE - 200);
    assert_true(shown_length < CONSOLE_OUTPUT_SIZE + 200);
}

/* Nobody keeps house meanwhile: the guest's own CPU shows what the ring can't hold. */
static void test_a_chatty_guest_loses_nothing(void **state)
{
    static char text[8];
    char *at;

    (void)state;
    console_show_vm(&vms[0]);
    pass();
    forget_output();
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(text, sizeof(text), "%05u.", i);
        say(0, text);
    }
    for (unsigned i = 0; i < 20; i++)
        pass();
    assert_int_equal(shown_length, 600000);
    at = shown;
    for (unsigned i = 0; i < 100000; i++, at += 6) {
        snprintf(text, sizeof(text), "%05u.", i);
        assert_memory_equal(at, text, 6);
    }
}

static void test_showing_is_not_more_often_than_needed(void **state)
{
    (void)state;
    console_show_vm(&vms[0]);
    pass();
    forget_output();
    console_input();
    assert_true(console_deadline() > now);
    say(0, "a");
    now += 10000000;
    touched = 0;
    console_poll();
    assert_string_equal(shown, "a");
    assert_int_equal(touched, 1);
    say(0, "b");
    console_poll();
    assert_string_equal(shown, "a");
    assert_true(console_deadline() <= now + 2000000);
    now += 2000000;
    console_poll();
    assert_string_equal(shown, "ab");
}

/* A poll is an exit of whoever runs on CPU 0. */
static void test_polling_only_where_no_interrupt_comes(void **state)
{
    static struct vcpu running;

    (void)state;
    console_show_vm(&vms[0]);
    pass();
    assert_true(console_deadline() == VTIMER_OFF);
    polled = true;
    assert_true(console_deadline() == now + 10000000);
    polled = false;
    room = 0;
    type_bytes("a", 1);
    assert_true(console_deadline() == VTIMER_OFF); /* the device will ask for it */
    vms[0].state = VM_READY;
    room = 2;
    lock_acquire(&vms[0].lock);
    vdev_console_ready(&devices[0]);
    lock_release(&vms[0].lock);
    type_bytes("b", 1);
    assert_true(console_deadline() == now + 10000000);
    vms[0].state = VM_RUNNING;
    pass();
    assert_true(console_deadline() == VTIMER_OFF);
    console_show_monitor();
    assert_true(console_deadline() == VTIMER_OFF);
    monitor_used = true;
    assert_true(console_deadline() == now + 10000000);
    typed_left = 1;
    assert_int_equal(console_deadline(), 0);
    typed_left = 0;
    console_show_vm(&vms[0]);
    pass();
    this_cpu()->current = &running;
    say(0, "c");
    this_cpu()->current = NULL;
    assert_int_equal(yields, 1);
}

/* Takes the stream apart as scripts/mux.py does. */
static size_t channel_text(uint8_t channel, char *to)
{
    uint8_t current = MUX_LOG;
    size_t length = 0;

    for (size_t i = 0; i < port_length; i++) {
        if (port[i] == MUX_ESCAPE && port[++i] != MUX_ESCAPE)
            current = (uint8_t)port[i];
        else if (current == channel)
            to[length++] = port[i];
    }
    to[length] = '\0';
    return length;
}

static void test_mux(void **state)
{
    char text[256];

    (void)state;
    mux_write(MUX_LOG, "", 0);
    forget_output();
    say(0, "one ");
    hostcon_write("log\n", 4); /* as log_printf does */
    say(2, "two\x1e");
    say(0, "one");
    mux_write(MUX_EVENTS, "{}\n", 3);
    mux_write(MUX_LOG, "", 0);
    channel_text('0', text);
    assert_string_equal(text, "one one");
    channel_text('2', text);
    assert_string_equal(text, "two\x1e");
    channel_text('R', text);
    assert_string_equal(text, "{}\n");
    channel_text('l', text);
    assert_string_equal(text, "log\n");
}

static void test_the_screen_is_no_part_of_the_log(void **state)
{
    char text[256];

    (void)state;
    mux_write(MUX_LOG, "", 0);
    forget_output();
    console_show_vm(&vms[0]);
    say(0, "text");
    pass();
    assert_non_null(strstr(shown, "text"));
    assert_int_equal(channel_text('l', text), 0);
    channel_text('0', text);
    assert_string_equal(text, "text");
    mux_write(MUX_LOG, "", 0);
}

static void test_typing_reaches_the_vm_on_screen(void **state)
{
    (void)state;
    touched = 0;
    type("lost\x01" "3ls\r\x01\x01" "a");
    assert_int_equal(got_length, 5);
    assert_memory_equal(got, "ls\r\x01" "a", 5);
    assert_int_equal(keys_length, 0);
    assert_int_equal(touched, 1u << 2);
    type("\x01" "mstats\r");
    assert_int_equal(keys_length, 6);
    assert_memory_equal(keys, "stats\r", 6);
}

static void test_a_full_device_gets_the_rest_later(void **state)
{
    (void)state;
    room = 2;
    type("\x01" "1abcdef");
    assert_int_equal(got_length, 2);
    room = 3;
    pass();
    assert_int_equal(got_length, 2); /* not asked before it says that it is ready */
    lock_acquire(&vms[0].lock);
    vdev_console_ready(&devices[0]);
    lock_release(&vms[0].lock);
    assert_int_equal(got_length, 5);
    room = 10;
    lock_acquire(&vms[0].lock);
    vdev_console_ready(&devices[0]);
    lock_release(&vms[0].lock);
    assert_memory_equal(got, "abcdef", 6);
}

static void test_too_much_input_is_refused(void **state)
{
    (void)state;
    room = 0;
    for (unsigned i = 0; i < CONSOLE_INPUT_SIZE; i++)
        assert_true(console_type(vms[0].console, (uint8_t)i));
    assert_false(console_type(vms[0].console, 'x'));
    for (unsigned i = 0; i < CONSOLE_KEYS_SIZE; i++)
        assert_true(console_type_key(vms[0].console, 'k'));
    assert_false(console_type_key(vms[0].console, 'x'));
    pass();
}

static void test_keyboard(void **state)
{
    (void)state;
    vdev_keyboard_attach(&devices[0], device_key);
    key_room = 1;
    console_type_key(vms[0].console, 'a');
    console_type_key(vms[0].console, 'b');
    pass();
    assert_int_equal(got_length, 1);
    key_room = 1;
    pass();
    assert_memory_equal(got, "ab", 2);
    /* without a serial line the keyboard is the terminal */
    vdev_console_attach(&devices[0], NULL);
    key_room = 9;
    type("\x01" "1c");
    assert_memory_equal(got, "abc", 3);
}

static void test_input_waits_while_the_vm_does_not_run(void **state)
{
    (void)state;
    vms[0].state = VM_READY;
    type("\x01" "1x");
    assert_int_equal(got_length, 0);
    vms[0].state = VM_RUNNING;
    pass();
    assert_int_equal(got_length, 1);
}

static void test_a_vm_ends_on_screen(void **state)
{
    (void)state;
    console_show_vm(&vms[0]);
    strcpy(vms[0].reason, "power-off");
    say(0, "bye");
    console_type(vms[0].console, 'x');
    vms[0].state = VM_ENDED;
    redraws = 0;
    console_vm_ended(&vms[0]);
    assert_non_null(strstr(shown, "bye\n--- debian has ended: power-off (status 0) ---"));
    assert_int_equal(redraws, 1);
    assert_null(console_on_screen());
    assert_null(vms[0].console->hooks.input);
    assert_false(console_has_input(vms[0].console));
}

static void test_a_console_goes_away_on_screen(void **state)
{
    (void)state;
    console_show_vm(&vms[2]);
    present[2] = false;
    console_destroy(&vms[2]);
    assert_null(console_on_screen());
    pass();
}

static void test_no_memory_is_lost(void **state)
{
    uint64_t before = page_get_stats().free_pages;

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        add_vm(1, "third");
        present[1] = false;
        console_destroy(&vms[1]);
    }
    assert_int_equal(page_get_stats().free_pages, before);
}

static void test_prefix_keys(void **state)
{
    (void)state;
    type("\x01n");
    assert_ptr_equal(console_on_screen(), &vms[0]);
    type("\x01n");
    assert_ptr_equal(console_on_screen(), &vms[2]);
    type("\x01n");
    assert_ptr_equal(console_on_screen(), &vms[0]);
    type("\x01" "2");
    assert_non_null(strstr(shown, "there is no VM 2"));
    type("\x01?");
    assert_non_null(strstr(shown, "a console by name"));
    type("\x01'tutoX\bXX\x7f\x7fr\r");
    assert_ptr_equal(console_on_screen(), &vms[2]);
    type("\x01'nobody\r");
    assert_non_null(strstr(shown, "there is no VM 'nobody'"));
    type("\x01'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x03");
    type("\x01" "0");
    assert_null(console_on_screen());
}

static void test_log_view(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 60; i++)
        snprintf(log_bytes + strlen(log_bytes), 32, "[line %u]\n", i);
    type("\x01l");
    assert_null(strstr(shown, "[line 39]"));
    assert_non_null(strstr(shown, "---\n[line 40]\n[line 41]\n"));
    assert_non_null(strstr(shown, "[line 59]\n"));
    forget_output();
    console_print_log(2);
    assert_string_equal(shown, "[line 58]\n[line 59]\n");
    console_print_log(UINT64_MAX);
    assert_non_null(strstr(shown, "[line 0]\n"));
    log_bytes[0] = '\0';
}

static void test_garbage_keys(void **state)
{
    char noise[200];

    (void)state;
    host_random_seed(7);
    for (unsigned round = 0; round < 500; round++) {
        for (size_t i = 0; i < sizeof(noise); i++)
            noise[i] = host_random() % 4 ? (char)host_random() : CONSOLE_PREFIX;
        room = host_random() % 100;
        type_bytes(noise, sizeof(noise));
        say(host_random() % 2 ? 0 : 2, "some text\r\n");
        if (host_random() % 2) {
            lock_acquire(&vms[0].lock);
            vdev_console_ready(&devices[0]);
            lock_release(&vms[0].lock);
        }
        forget_output();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_mux), T(test_keyboard), T(test_prefix_keys), T(test_log_view),
        T(test_output_is_kept_and_shown_on_switching),
        T(test_old_output_asks_the_terminal_nothing),
        T(test_a_query_that_the_backlog_cuts),
        T(test_the_oldest_output_is_lost),
        T(test_a_chatty_guest_loses_nothing),
        T(test_showing_is_not_more_often_than_needed),
        T(test_polling_only_where_no_interrupt_comes),
        T(test_the_screen_is_no_part_of_the_log),
        T(test_typing_reaches_the_vm_on_screen),
        T(test_a_full_device_gets_the_rest_later),
        T(test_too_much_input_is_refused),
        T(test_input_waits_while_the_vm_does_not_run),
        T(test_a_vm_ends_on_screen),
        T(test_a_console_goes_away_on_screen),
        T(test_no_memory_is_lost),
        T(test_garbage_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
