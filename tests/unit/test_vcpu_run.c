/* SPDX-License-Identifier: MIT */
/* The loop around a guest: events, requests, INIT and SIPI (build host). */
/* sources: kernel/exit.c kernel/exits.c kernel/inject.c
 * kernel/vcpu.c kernel/gmem.c kernel/pt.c
 * kernel/pt_change.c kernel/pt_read.c kernel/page.c kernel/iobus.c vmx/ept.c
 * tests/unit/fake_backend.c tests/unit/fake_guest.c tests/unit/fake_stubs.c
 * tests/unit/host_stubs.c */
#include "tests/unit/exit_case.h"

/* The loop: what the guest does, and what it finds at its entries. */
static unsigned step;

static void cpuid_then_hlt(struct vmexit *exit)
{
    exit->kind = step++ < 3 ? EXIT_CPUID : EXIT_HLT;
    exit->code = exit->kind == EXIT_CPUID ? 1 : 2;
    exit->length = 2;
    fake.tsc += 100;
}

/* Then a PAUSE, with which it leaves. */
static void hlt_once(struct vmexit *exit)
{
    exit->kind = fake.entries == 1 ? EXIT_HLT : EXIT_PAUSE;
    exit->length = 1;
}

static void runs_until_it_halts(void **state)
{
    (void)state;
    step = 0;
    fake.guest = cpuid_then_hlt;
    vcpu_run(v);
    assert_int_equal(v->state, VCPU_HALTED);
    assert_int_equal(v->mode, VCPU_OUT);
    assert_int_equal(fake.entries, 4);
    assert_int_equal(v->stats.all.exits, 4);
    assert_int_equal(v->stats.by_code[1].exits, 3);
    assert_int_equal(v->stats.by_code[2].exits, 1);
    fake_write_back();
    assert_int_equal(fake.regs[VREG_RIP], 8);
    /* an interrupt that can be taken ends the halt */
    step = 3;
    vcpu_set(v, VREG_RFLAGS, RFLAGS_FIXED1 | RFLAGS_IF);
    fake.vector = 0x31;
    v->requests = VCPU_REQ_IRQ;
    vcpu_run(v);
    assert_int_equal(fake.injected.vector, 0x31);
    assert_int_equal(fake.injected.type, VEVENT_INTERRUPT);
    assert_int_equal(v->state, VCPU_HALTED);
}

static void interrupts_wait_for_the_window(void **state)
{
    (void)state;
    step = 3;
    fake.guest = cpuid_then_hlt;
    fake.vector = 0x31;
    v->requests = VCPU_REQ_IRQ; /* RFLAGS.IF is 0 */
    vcpu_run(v);
    assert_int_equal(fake.windows, VWINDOW_IRQ);
    assert_int_equal(fake.injections, 0);
    assert_int_equal(fake.vector, 0x31);
    assert_int_equal(v->state, VCPU_HALTED); /* HLT without IF: only an NMI ends it */
    v->requests = VCPU_REQ_NMI;
    step = 3;
    vcpu_run(v);
    assert_int_equal(fake.injected.type, VEVENT_NMI);
    assert_false(v->nmi_pending);
}

/* A HLT that is single-stepped: the #DB behind it wakes the guest, whatever IF is. */
static void a_trap_ends_the_halt(void **state)
{
    (void)state;
    fake.guest = hlt_once;
    fake.regs[VREG_RFLAGS] = RFLAGS_FIXED1 | RFLAGS_TF;
    vcpu_run(v);
    assert_int_equal(fake.injections, 1);
    assert_int_equal(fake.injected.vector, VECTOR_DB);
    assert_int_equal(fake.entries, 2);
}

/* An event whose delivery was interrupted comes first, the interrupt later. */
static void interrupted_event_first(void **state)
{
    (void)state;
    step = 3;
    fake.guest = cpuid_then_hlt;
    fake.regs[VREG_RFLAGS] |= RFLAGS_IF;
    fake.vector = 0x31;
    v->event = (struct vevent){ .type = VEVENT_SOFT_INTERRUPT, .vector = 0x80, .length = 2 };
    v->requests = VCPU_REQ_IRQ;
    vcpu_run(v);
    assert_true(fake.injections >= 1);
    assert_int_equal(v->event.type, VEVENT_NONE);
    assert_int_equal(fake.windows & VWINDOW_IRQ, fake.vector >= 0 ? VWINDOW_IRQ : 0);
}

static const struct backend *plain;

/* The next request comes just behind the event that is put into the hardware's hands. */
static void inject_and_interrupt(struct vcpu *vcpu)
{
    assert_int_equal(fake.injections, fake.entries);
    plain->inject(vcpu);
    if (fake.injections == 1) {
        fake.vector = 0xf1;
        vcpu_request(vcpu, VCPU_REQ_IRQ);
    }
}

static void no_event_replaces_another(void **state)
{
    struct backend sly = *backend;

    (void)state;
    plain = backend;
    sly.inject = inject_and_interrupt;
    backend = &sly;
    step = 2;
    fake.guest = cpuid_then_hlt;
    fake.regs[VREG_RFLAGS] |= RFLAGS_IF;
    fake.vector = 0x31;
    v->requests = VCPU_REQ_IRQ;
    vcpu_run(v);
    backend = plain;
    assert_int_equal(fake.injections, 2);
    assert_int_equal(fake.injected.vector, 0xf1);
}

static void stop_and_yield(void **state)
{
    (void)state;
    fake.guest = cpuid_then_hlt;
    v->requests = VCPU_REQ_STOP;
    vcpu_run(v);
    assert_int_equal(fake.entries, 0);
    assert_int_equal(v->state, VCPU_STOPPED);
    setup(state);
    fake.guest = cpuid_then_hlt;
    v->requests = VCPU_REQ_YIELD;
    vcpu_run(v);
    assert_int_equal(fake.entries, 0);
    assert_int_equal(v->state, VCPU_RUNNABLE);
}

/* SDM 3A, "MP Initialization Protocol" */
static void init_and_sipi(void **state)
{
    (void)state;
    v->requests = VCPU_REQ_INIT;
    vcpu_serve_requests(v);
    assert_int_equal(fake.resets, 1); /* of the boot CPU: the machine starts over */
    setup(state);
    v->id = 1;
    v->event.type = VEVENT_NMI;
    v->nmi_pending = true;
    v->requests = VCPU_REQ_INIT;
    assert_false(vcpu_serve_requests(v));
    assert_int_equal(v->state, VCPU_WAIT_SIPI);
    assert_int_equal(v->event.type, VEVENT_NONE);
    assert_false(v->nmi_pending);
    assert_false(vcpu_runnable(v));
    v->sipi_vector = 0x9a;
    v->requests = VCPU_REQ_SIPI;
    assert_true(vcpu_runnable(v));
    assert_true(vcpu_serve_requests(v));
    assert_int_equal(fake.segments[VSEG_CS].selector, 0x9a00);
    assert_int_equal(fake.segments[VSEG_CS].base, 0x9a000);
    assert_int_equal(v->rip, 0);
    v->sipi_vector = 0x10;
    v->requests = VCPU_REQ_SIPI; /* a second one is ignored */
    vcpu_serve_requests(v);
    assert_int_equal(fake.segments[VSEG_CS].selector, 0x9a00);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(runs_until_it_halts, setup),
        cmocka_unit_test_setup(a_trap_ends_the_halt, setup),
        cmocka_unit_test_setup(interrupts_wait_for_the_window, setup),
        cmocka_unit_test_setup(interrupted_event_first, setup),
        cmocka_unit_test_setup(no_event_replaces_another, setup),
        cmocka_unit_test_setup(stop_and_yield, setup),
        cmocka_unit_test_setup(init_and_sipi, setup),
    };

    return cmocka_run_group_tests(tests, once, NULL);
}
