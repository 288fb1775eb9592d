/* SPDX-License-Identifier: MIT */
/* Events of headless runs, post-mortems, the power button's time-out, the date (build host). */
/* sources: kernel/report.c kernel/report_vcpu.c kernel/vm_stop.c kernel/rtc.c kernel/vdev.c
 *          kernel/page.c tests/unit/host_stubs.c */
/* flags: -Dsniprintf=snprintf -Dvsniprintf=vsnprintf -Wl,--wrap=log_printf */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/console.h"
#include "kernel/console_mux.h"
#include "kernel/gmem.h"
#include "kernel/manifest.h"
#include "kernel/option.h"
#include "kernel/page.h"
#include "kernel/panic.h"
#include "kernel/report.h"
#include "kernel/rtc.h"
#include "kernel/time.h"
#include "kernel/vdev.h"
#include "kernel/vm_stop.h"
#include "kernel/x86.h"
#include "tests/unit/host_stubs.h"

#define HZ 100000000ull

static struct vm vms[2];
static struct vcpu vcpus[2];
static struct cpu cpu;
static struct boot_vm configs[2];
static struct vconsole console;
static char events[8192], logged[16384];
char panic_message[PANIC_MESSAGE_MAX];
static uint64_t now;
static bool headless, presses;
static unsigned pressed, killed, readable;
static uint8_t cmos[128];
static uint8_t cmos_index;
void __wrap_log_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

static const char *exit_name(unsigned code)
{
    return code == 7 ? "odd \"name\"" : code == 10 ? "CPUID" : NULL;
}

static uint64_t get(struct vcpu *v, enum vreg reg)
{
    (void)v;
    return reg == VREG_RIP ? 0x1234 : reg;
}

static void get_segment(struct vcpu *v, enum vseg seg, struct vsegment *out)
{
    (void)v;
    *out = (struct vsegment){ .selector = (uint16_t)seg, .base = 0x10000, .limit = 0xffff };
}

static const struct backend fake = { .exit_codes = 70, .exit_name = exit_name, .get = get,
                                     .get_segment = get_segment };
const struct backend *backend = &fake;

void __wrap_log_printf(const char *format, ...)
{
    size_t used = strlen(logged);
    va_list args;

    va_start(args, format);
    vsnprintf(logged + used, sizeof(logged) - used, format, args);
    va_end(args);
}

void mux_write(uint8_t channel, const char *text, size_t length)
{
    assert_int_equal(channel, MUX_EVENTS);
    strncat(events, text, length);
}

bool option_has(const char *word)
{
    return headless && strcmp(word, "headless") == 0;
}

struct vm *vm_get(uint32_t id)
{
    return id < 2 && vms[id].config ? &vms[id] : NULL;
}

struct vm *vm_find(const char *name)
{
    for (uint32_t id = 0; id < 2; id++) {
        if (vm_get(id) && strcmp(vms[id].name, name) == 0)
            return &vms[id];
    }
    return NULL;
}

const struct boot_vm *manifest_get(uint32_t i)
{
    return i < 2 && configs[i].name[0] ? &configs[i] : NULL;
}

int vm_kill(struct vm *vm)
{
    if (vm->state != VM_RUNNING)
        return -ESRCH;
    vm->state = VM_STOPPING;
    killed++;
    return 0;
}

uint64_t vcpu_gpr(struct vcpu *v, unsigned number)
{
    return v->gpr[number];
}

bool vcpu_64bit(struct vcpu *v)
{
    (void)v;
    return false;
}

int gwalk_read(struct vcpu *v, gva_t gva, void *to, size_t size, unsigned access, gva_t *fault,
               uint32_t *error)
{
    (void)v, (void)access, (void)error;
    *fault = gva;
    if (readable < size)
        return -EFAULT;
    readable -= (unsigned)size;
    memset(to, (uint8_t)gva, size);
    return 0;
}

uint64_t time_tsc(void)
{
    return now;
}

uint64_t time_ns_to_ticks(uint64_t ns)
{
    return ns > UINT64_MAX / 2 ? UINT64_MAX : ns / (1000000000 / HZ);
}

uint64_t time_ticks_to_ns(uint64_t ticks)
{
    return ticks * (1000000000 / HZ);
}

uint64_t x86_test_in(uint16_t port, unsigned bits)
{
    (void)bits;
    return port == 0x71 ? cmos[cmos_index] : 0xff;
}

void x86_test_out(uint16_t port, unsigned bits, uint64_t value)
{
    (void)bits;
    if (port == 0x70)
        cmos_index = value & 0x7f;
}

static bool press(struct vdev *dev)
{
    (void)dev;
    pressed++;
    return presses;
}

static int setup(void **state)
{
    static const char *const names[] = { "one", "two" };

    (void)state;
    host_pages_init(8 * PAGE_SIZE, 4 << 20);
    memset(vcpus, 0, sizeof(vcpus));
    memset(&console, 0, sizeof(console));
    for (uint32_t id = 0; id < 2; id++) {
        strcpy(configs[id].name, names[id]);
        configs[id].autostart = 1;
        vms[id] = (struct vm){ .id = id, .config = &configs[id], .state = VM_RUNNING, .launches = 1,
                               .console = &console, .vcpu_count = 1, .vcpus = { &vcpus[id] } };
        strcpy(vms[id].name, names[id]);
        vcpus[id].vm = &vms[id];
        vcpus[id].cpu = &cpu;
    }
    events[0] = logged[0] = '\0';
    now = 1000;
    headless = presses = true;
    pressed = killed = 0;
    console.hooks.press = press;
    return 0;
}

static void end_vm(uint32_t id, enum vm_end end, int32_t status)
{
    vms[id].end = end;
    vms[id].exit_status = status;
    vms[id].start_tsc = 100;
    vms[id].end_tsc = 600;
    report_vm_end(&vms[id]);
    vms[id].state = VM_ENDED;
    vms[id].vcpu_count = 0;
    report_if_all_ended();
}

static void test_events(void **state)
{
    uint64_t cycles;

    (void)state;
    strcpy(vms[0].reason, "it said \"\\\x01\xff\"");
    vcpus[0].stats.by_code[10].exits = 5;
    vcpus[0].stats.by_code[10].cycles = 500;
    vcpus[0].stats.by_code[7].exits = 2;
    report_vm_defined(&vms[0]);
    assert_string_equal(events, "{\"event\":\"vm\",\"id\":0,\"name\":\"one\"}\n");
    events[0] = '\0';
    end_vm(0, VM_END_EXIT, -3);
    assert_string_equal(events,
                        "{\"event\":\"end\",\"vm\":\"one\",\"state\":\"ended\",\"end\":\"exit\","
                        "\"exit_status\":-3,\"reason\":\"it said \\\"\\\\\\u0001\\u00ff\\\"\","
                        "\"exits_by_reason\":{\"odd \\\"name\\\"\":2,\"CPUID\":5},\"exits\":7,"
                        "\"launches\":1,\"create_ticks\":0,\"ticks\":500}\n");
    /* the vCPUs are gone, their counters stay */
    assert_int_equal(report_exits(&vms[0], 10, &cycles), 5);
    assert_int_equal(cycles, 500);
    report_vm_gone(&vms[0]);
}

static void test_totals_cost_no_memory_in_the_end(void **state)
{
    uint64_t before = page_get_stats().free_pages;

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        vms[0].vcpu_count = 1;
        end_vm(0, VM_END_RESET, 130);
    }
    report_vm_gone(&vms[0]);
    assert_int_equal(page_get_stats().free_pages, before);
}

static void test_done_waits_for_the_start_and_for_all(void **state)
{
    (void)state;
    end_vm(0, VM_END_EXIT, 0);
    end_vm(1, VM_END_EXIT, 0);
    assert_null(strstr(events, "done"));
    report_start();
    assert_non_null(strstr(events, "{\"event\":\"done\",\"status\":0}\n"));
    setup(NULL);
    end_vm(0, VM_END_EXIT, 0);
    assert_null(strstr(events, "done"));
    end_vm(1, VM_END_KILLED, 132);
    assert_non_null(strstr(events, "{\"event\":\"done\",\"status\":1}\n"));
}

static void test_done_without_headless_is_a_line_in_the_log(void **state)
{
    (void)state;
    headless = false;
    vms[1].config = NULL;
    configs[1].name[0] = '\0';
    end_vm(0, VM_END_EXIT, 0);
    assert_null(strstr(events, "done"));
    assert_non_null(strstr(logged, "no VM runs any more"));
}

static void test_a_vm_that_could_not_start_is_a_failure(void **state)
{
    (void)state;
    vms[1].config = NULL;
    end_vm(0, VM_END_EXIT, 0);
    assert_non_null(strstr(events, "{\"event\":\"done\",\"status\":1}\n"));
    setup(NULL);
    vms[0].launches = vms[1].launches = 0;
    vms[0].state = vms[1].state = VM_READY;
    report_start();
    assert_non_null(strstr(events, "{\"event\":\"done\",\"status\":1}\n"));
    setup(NULL);
    configs[1].autostart = 0;
    vms[1].launches = 0;
    end_vm(0, VM_END_EXIT, 0);
    assert_non_null(strstr(events, "{\"event\":\"done\",\"status\":0}\n"));
}

static void test_post_mortem(void **state)
{
    (void)state;
    vcpus[0].gpr[RAX] = 0xabc;
    vcpus[0].gpr[RSP] = 0x50;
    for (uint32_t i = 0; i < 20; i++)
        vcpus[0].trace[vcpus[0].stats.all.exits++ % VCPU_HISTORY] = (struct vcpu_trace){
            .head = { .code = i % 2 ? 10 : 200, .length = i != 6 ? 2 : 0 }, .rip = i, .tsc = i };
    readable = 3 + 8;
    report_vcpu(&vcpus[0]);
    assert_non_null(strstr(logged, "rip 1234"));
    assert_non_null(strstr(logged, "rax 0000000000000abc"));
    assert_non_null(strstr(logged, "code at 0000000000011234: 34 35 36 37 38 39 3a 3b 3c 3d 3e\n"));
    assert_non_null(strstr(logged, "stack at 0000000000010050: not readable"));
    assert_null(strstr(logged, "rip 3\n"));
    assert_non_null(strstr(logged, "tsc 4  undefined (200)  rip 4\n"));
    assert_non_null(strstr(logged, "tsc 6  undefined (200)  rip -\n")); /* no instruction's exit */
    assert_non_null(strstr(logged, "tsc 19  CPUID (10)  rip 13\n"));
    readable = 1000;
    report_vcpu(&vcpus[0]);
    assert_non_null(strstr(logged, "stack at 0000000000010050: 50505050 54545454"));
}

static void test_panic_event(void **state)
{
    (void)state;
    strcpy(panic_message, "PANIC on CPU 1: kernel/x.c:3: oh");
    SET_FOREACH(hook, panic_hook)
        (*hook)->print();
    assert_string_equal(events, "\n{\"event\":\"panic\",\"message\":"
                                "\"PANIC on CPU 1: kernel/x.c:3: oh\"}\n");
}

static void test_stop_by_the_button(void **state)
{
    (void)state;
    assert_int_equal(vm_stop_request(&vms[0], 1000), 0);
    assert_int_equal(pressed, 1);
    assert_int_equal(vm_stop_deadline(), now + HZ);
    vms[0].state = VM_STOPPING; /* it obeys */
    vm_stop_check();
    assert_true(vm_stop_requested(&vms[0]));
    assert_false(vm_stop_requested(&vms[1]));
    vms[0].state = VM_ENDED;
    vm_stop_check();
    assert_int_equal(vm_stop_deadline(), VTIMER_OFF);
    assert_int_equal(killed, 0);
}

static void test_stop_by_force(void **state)
{
    (void)state;
    assert_int_equal(vm_stop_request(&vms[0], 1000), 0);
    now += HZ - 1;
    vm_stop_check();
    assert_int_equal(killed, 0);
    now++;
    vm_stop_check();
    vm_stop_check();
    assert_int_equal(killed, 1);
    assert_int_equal(vm_stop_deadline(), VTIMER_OFF);
    vms[0].state = VM_RUNNING; /* another run, not asked to stop */
    vms[0].start_tsc = now;
    vm_stop_check();
    assert_false(vm_stop_requested(&vms[0]));
    assert_int_equal(killed, 1);
}

static void test_stop_without_a_button(void **state)
{
    (void)state;
    presses = false;
    assert_int_equal(vm_stop_request(&vms[0], 1000), 0);
    assert_int_equal(killed, 1);
    console.hooks.press = NULL;
    assert_int_equal(vm_stop_request(&vms[1], 1000), 0);
    assert_int_equal(killed, 2);
    assert_int_equal(vm_stop_request(&vms[1], 1000), -ESRCH);
}

static void set_cmos(uint8_t mode, const uint8_t *fields)
{
    static const uint8_t regs[] = { 9, 8, 7, 4, 2, 0 };

    memset(cmos, 0, sizeof(cmos));
    cmos[0x0b] = mode;
    for (unsigned i = 0; i < sizeof(regs); i++)
        cmos[regs[i]] = fields[i];
}

static void test_date(void **state)
{
    static const uint8_t bcd[] = { 0x24, 0x02, 0x29, 0x23, 0x59, 0x58 };
    static const uint8_t binary_pm[] = { 99, 12, 31, 0x80 | 12, 0, 0 };
    static const uint8_t nonsense[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    struct vdev dev = { .vm = &vms[0] };

    (void)state;
    set_cmos(0x02, bcd);
    rtc_init();
    assert_int_equal(rtc_wallclock(), 1709251198); /* 2024-02-29 23:59:58 */
    now += 2 * HZ;
    assert_int_equal(vdev_wallclock(&dev), 1709251200);
    set_cmos(0x04, binary_pm);
    rtc_init();
    assert_int_equal(rtc_wallclock(), 4102401600); /* 2099-12-31 12:00:00 */
    set_cmos(0x06, nonsense);
    cmos[0x0a] = 0x80; /* for ever changing */
    rtc_init();
    cmos[0x0a] = 0;
    rtc_init();
}

static void test_device_time(void **state)
{
    struct vdev dev = { .vm = &vms[0] };

    (void)state;
    vms[0].tsc_offset = 0 - 600ull;
    assert_int_equal(vdev_now_ns(&dev), 4000);
    assert_int_equal(vdev_tsc_at(&dev, 4000), now);
    assert_int_equal(vdev_tsc_at(&dev, UINT64_MAX), VTIMER_OFF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, setup)
        T(test_events),
        T(test_totals_cost_no_memory_in_the_end),
        T(test_done_waits_for_the_start_and_for_all),
        T(test_done_without_headless_is_a_line_in_the_log),
        T(test_a_vm_that_could_not_start_is_a_failure),
        T(test_post_mortem),
        T(test_panic_event),
        T(test_stop_by_the_button),
        T(test_stop_by_force),
        T(test_stop_without_a_button),
        T(test_date),
        T(test_device_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
