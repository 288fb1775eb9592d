/* SPDX-License-Identifier: MIT */
/* The GDB stub for guests: stops, steps, ends, and garbage on the line (build host). */
/* sources: kernel/gdbstub.c kernel/gdbstub_command.c kernel/gdbstub_line.c
 * kernel/gdbstub_regs.c kernel/gdbstub_vm.c kernel/gdbstub_memory.c
 * kernel/vcpu.c kernel/gwalk.c kernel/gmem.c kernel/pt.c
 * kernel/pt_change.c kernel/pt_read.c kernel/page.c kernel/iobus.c kernel/inject.c vmx/ept.c
 * tests/unit/gdb_case.c tests/unit/fake_backend.c tests/unit/fake_guest.c
 * tests/unit/fake_stubs.c tests/unit/host_stubs.c */
/* flags: -Dvsniprintf=vsnprintf */
#include "tests/unit/gdb_case.h"

#define FUZZ_PACKETS 20000u

static struct vcpu *const v = &fake.vcpus[0];

static bool exception(uint8_t vector, uint64_t debug_status)
{
    return gdbstub_exception(v, &(struct vmexit){ .vector = vector, .debug_status = debug_status });
}

static void stop_at_breakpoint(void **state)
{
    (void)state;
    assert_true(watched);
    assert_reply("Z0,1000,1", "OK");
    assert_null(ask("vCont;c"));
    assert_int_equal(v->requests & VCPU_REQ_PAUSE, 0);
    assert_true(vcpu_runnable(v));
    fake.regs[VREG_RIP] = CODE + 1; /* an INT3 of the guest's own */
    v->rip = CODE + 1;
    assert_false(exception(VECTOR_BP, 0));
    assert_false(exception(VECTOR_DB, DR6_BS));
    assert_false(exception(VECTOR_AC, 0));
    v->rip = CODE;
    assert_true(exception(VECTOR_BP, 0));
    assert_false(vcpu_runnable(v));
    assert_false(vcpu_serve_requests(v));
    assert_true(gdbstub_waits());
    type("", 0);
    assert_told("", "T05thread:1;swbreak:;");
    assert_int_equal(fake.vcpus[1].requests & VCPU_REQ_PAUSE, VCPU_REQ_PAUSE);
    assert_false(gdbstub_waits());
}

static void step(uint8_t opcode)
{
    fake_poke(CODE, opcode, 1);
    assert_null(ask("vCont;s:1;c"));
    assert_true(vcpu_get(v, VREG_RFLAGS) & RFLAGS_TF);
    assert_int_equal(v->requests & VCPU_REQ_PAUSE, 0);
}

static void end_of_step(void)
{
    assert_true(exception(VECTOR_DB, DR6_BS));
    type("", 0);
    assert_told("", "T05thread:1;");
    assert_int_equal(vcpu_get(v, VREG_RFLAGS) & RFLAGS_TF, 0);
    assert_int_equal(v->stepped, 0);
}

static void single_steps(void **state)
{
    (void)state;
    v->state = VCPU_HALTED;
    step(0x90);
    assert_int_equal(v->state, VCPU_RUNNABLE);
    assert_int_equal(wakes, 1);
    fake.vector = 0x40; /* interrupts wait meanwhile */
    fake.regs[VREG_RFLAGS] |= RFLAGS_IF;
    v->rflags |= RFLAGS_IF;
    vcpu_serve_requests(v);
    assert_int_equal(v->event.type, VEVENT_NONE);
    end_of_step();
    assert_true(v->requests & VCPU_REQ_IRQ);
    step(0x9c); /* PUSHF: TF must not be in what it has pushed */
    fake_poke(STACK - 8, 0x302, 8);
    fake.regs[VREG_RSP] = STACK - 8;
    end_of_step();
    assert_int_equal(fake_peek(STACK - 8, 8), 0x202);
    step(0x90); /* ended by an instruction that was emulated */
    assert_true(gdbstub_stepped(v));
    type("", 0);
    assert_told("", "T05thread:1;");
    assert_false(gdbstub_stepped(v));
}

static void guests_own_steps(void **state)
{
    (void)state;
    fake.regs[VREG_RFLAGS] |= RFLAGS_TF;
    step(0x9c);
    fake_poke(STACK, 0x302, 8);
    assert_true(exception(VECTOR_DB, DR6_BS));
    type("", 0);
    assert_true(vcpu_get(v, VREG_RFLAGS) & RFLAGS_TF);
    assert_int_equal(fake_peek(STACK, 8), 0x302);
}

static void interrupt(void **state)
{
    (void)state;
    assert_reply("?", "T05thread:1;");
    assert_null(ask("vCont;c"));
    type("\003", 1);
    assert_told("", "T02thread:1;");
    type("\003", 1); /* it stands already */
    assert_string_equal(sent, "");
    assert_null(ask("vCont;c:2")); /* only that one goes on */
    assert_true(v->requests & VCPU_REQ_PAUSE);
}

static void ends(void **state)
{
    assert_null(ask("k"));
    assert_int_equal(killed, 1);
    assert_null(gdb.vm);
    setup(state);
    fake.vm.launches++;
    type("", 0);
    assert_told("", "W00");
    assert_null(gdb.vm);
    assert_false(gdbstub_waits());
    assert_false(exception(VECTOR_DB, DR6_BS));
    setup(state);
    for (int i = 0; i < 2; i++) {
        gdb_case_monitor(2, (char *[]){ (char[]){ "gdb" }, (char[]){ "off" }, NULL });
        assert_null(gdb.vm);
    }
    fake.vm.state = VM_ENDED;
    begin_session();
    assert_null(gdb.vm);
}

/* Commands that are nearly right: the fields of real ones, cut, mixed and changed. */
static size_t make_garbage(char *packet, size_t size)
{
    static const char *const words[] = {
        "m1000,4", "M1000,4:", "aabbccdd", "g", "G", "p1", "P1=", "Z0,1000,1", "z0,1000,1", "vCont",
        ";s:1", ";c", ";C05:", "qSupported", "qXfer:features:read:target.xml:", "0,ffb", "Hg", "Hc",
        "-1", "T1", "?", "qfThreadInfo", "ffffffffffffffff", ",", ":", "vCont;c", "\003", "$", "#",
        "}", "0", "xx",
    };
    size_t length = 0;

    for (uint64_t n = host_random() % 4 + 1; n; n--) {
        const char *word = words[host_random() % ARRAY_SIZE(words)];
        length += (size_t)snprintf(packet + length, size - length, "%s", word);
    }
    for (uint64_t n = host_random() % 3; n && length; n--)
        packet[host_random() % length] = (char)host_random();
    return host_random() % 8 ? length : host_random() % (length + 1);
}

static void garbage(void **state)
{
    char packet[512];

    (void)state;
    host_random_seed(0x6764626d756c6cull);
    fake.vm.vcpu_count = 1;
    for (unsigned i = 0; i < FUZZ_PACKETS; i++) {
        packet[0] = '$';
        size_t length = 1 + make_garbage(packet + 1, sizeof(packet) - 8);
        unsigned sum = sum_of(packet + 1, length - 1);
        length += (size_t)snprintf(packet + length, 4, "#%02x", sum);
        type(packet, length);
        assert_int_equal(host_locks_held(), 0);
        assert_true(gdb.thread < fake.vm.vcpu_count);
        if (v->stepped && host_random() % 2)
            exception(VECTOR_DB, DR6_BS);
        vcpu_serve_requests(v);
        if (!gdb.vm) { /* a D or a k was among it */
            assert_true(fake.vm.state == VM_STOPPING || vcpu_runnable(v));
            fake.vm.state = VM_RUNNING;
            v->requests = 0;
            begin_session();
        }
    }
    gdb_detach();
    assert_int_equal(vcpu_get(v, VREG_RFLAGS) & RFLAGS_TF, 0);
    assert_true(vcpu_runnable(v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(stop_at_breakpoint, setup),
        cmocka_unit_test_setup(single_steps, setup),
        cmocka_unit_test_setup(guests_own_steps, setup),
        cmocka_unit_test_setup(interrupt, setup),
        cmocka_unit_test_setup(ends, setup),
        cmocka_unit_test_setup(garbage, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
