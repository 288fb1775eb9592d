/* SPDX-License-Identifier: MIT */
/* Port I/O of guests: sizes, absent ports, strings with all their registers (build host). */
/* sources: kernel/exit_io.c kernel/exit_memory.c kernel/emulate_string.c kernel/fetch.c
 * kernel/insn.c kernel/gwalk.c kernel/inject.c
 * kernel/vcpu.c kernel/gmem.c kernel/pt.c
 * kernel/pt_change.c kernel/pt_read.c kernel/page.c kernel/iobus.c vmx/ept.c
 * tests/unit/fake_backend.c tests/unit/fake_guest.c tests/unit/fake_stubs.c
 * tests/unit/host_stubs.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/fake_backend.h"

#define CODE 0x1000ull
#define DATA 0x3000ull
#define BATCH 64u

static struct vcpu *const v = &fake.vcpus[0];

static int setup(void **state)
{
    (void)state;
    fake_create(PAGE_2M, BOOT_BACKING_EAGER);
    fake.regs[VREG_RIP] = CODE;
    return 0;
}

static enum verdict io(uint16_t port, unsigned size, bool in, bool string)
{
    struct vmexit exit = { .kind = EXIT_IO, .length = 1,
                           .io = { port, (uint8_t)size, in, string } };

    return fake_handle(&exit);
}

static enum verdict in(uint16_t port, unsigned size)
{
    return io(port, size, true, false);
}

static enum verdict out(uint16_t port, unsigned size)
{
    return io(port, size, false, false);
}

static void single(void **state)
{
    (void)state;
    fake.registers[0] = 0x8877665544332211;
    v->gpr[RAX] = 0xaaaaaaaabbbbbbbb;
    assert_int_equal(in(FAKE_PORT + 1, 1), VERDICT_NEXT);
    assert_int_equal(v->gpr[RAX], 0xaaaaaaaabbbbbb22);
    in(FAKE_PORT + 2, 2);
    assert_int_equal(v->gpr[RAX], 0xaaaaaaaabbbb4433);
    in(FAKE_PORT + 4, 4);
    assert_int_equal(v->gpr[RAX], 0x88776655); /* 32-bit results clear the upper half */
    v->gpr[RAX] = 0xfedcba9876543210;
    assert_int_equal(out(FAKE_PORT + 4, 2), VERDICT_NEXT);
    assert_int_equal(fake.accesses[3].value, 0x3210);
    assert_int_equal(fake.accesses[3].offset, 4);
    assert_int_equal(fake.registers[0], 0x8877321044332211);
}

static void absent_ports(void **state)
{
    (void)state;
    v->gpr[RAX] = 0;
    assert_int_equal(in(0x80, 1), VERDICT_NEXT);
    assert_int_equal(v->gpr[RAX], 0xff);
    in(0xfffe, 2);
    assert_int_equal(v->gpr[RAX], 0xffff);
    assert_int_equal(out(0x80, 4), VERDICT_NEXT);
    /* half of it is a device's: nobody's as a whole */
    in(FAKE_PORT + 6, 4);
    assert_int_equal(v->gpr[RAX], 0xffffffff);
    in(0xffff, 4);
    assert_int_equal(fake.access_count, 0);
    assert_no_event();
    assert_int_equal(fake.vm.unknown_ports, 5);
}

static void string_out(void **state)
{
    (void)state;
    fake_poke(CODE, 0x6e, 1); /* outsb */
    fake_poke(DATA, 0x99887766, 4);
    v->gpr[RSI] = DATA;
    assert_int_equal(io(FAKE_PORT, 1, false, true), VERDICT_NEXT);
    assert_int_equal(fake.accesses[0].value, 0x66);
    assert_int_equal(v->gpr[RSI], DATA + 1);
    /* rep outsb; RCX counts down to 0 and the instruction is done */
    fake_poke(CODE, 0x6ef3, 2);
    v->gpr[RCX] = 3;
    assert_int_equal(io(FAKE_PORT, 1, false, true), VERDICT_NEXT);
    assert_int_equal(fake.access_count, 4);
    assert_int_equal(fake.accesses[3].value, 0x99);
    assert_int_equal(v->gpr[RCX], 0);
    assert_int_equal(v->gpr[RSI], DATA + 4);
    assert_int_equal(io(FAKE_PORT, 1, false, true), VERDICT_NEXT); /* RCX = 0: nothing */
    assert_int_equal(fake.access_count, 4);
}

static void string_in(void **state)
{
    (void)state;
    fake.registers[0] = 0x44332211;
    fake_poke(CODE, 0x6df3, 2); /* rep insd */
    fake.regs[VREG_RFLAGS] |= RFLAGS_DF;
    v->gpr[RDI] = DATA + 4;
    v->gpr[RCX] = 2;
    assert_int_equal(io(FAKE_PORT, 4, true, true), VERDICT_NEXT);
    assert_int_equal(fake_peek(DATA, 8), 0x4433221144332211);
    assert_int_equal(v->gpr[RDI], DATA - 4);
}

/* A guest can't keep us in root mode by a large count. */
static void strings_are_cut(void **state)
{
    (void)state;
    fake_poke(CODE, 0x6ef3, 2);
    v->gpr[RSI] = DATA;
    v->gpr[RCX] = BATCH + 10;
    assert_int_equal(io(0x80, 1, false, true), VERDICT_RETRY);
    assert_int_equal(v->gpr[RCX], 10);
    assert_int_equal(v->gpr[RSI], DATA + BATCH);
    assert_int_equal(io(0x80, 1, false, true), VERDICT_NEXT);
}

static void segments_and_widths(void **state)
{
    (void)state;
    fake.segments[VSEG_DS].base = 0x4000;
    fake.segments[VSEG_FS].base = 0x5000;
    fake_poke(0x4010, 0xdd, 1);
    fake_poke(0x5010, 0xff, 1);
    fake_poke(CODE, 0x6e, 1);
    v->gpr[RSI] = 0x10;
    io(FAKE_PORT, 1, false, true);
    assert_int_equal(fake.accesses[0].value, 0xdd);
    fake_poke(CODE, 0x6e64, 2); /* fs outsb */
    v->gpr[RSI] = 0x10;
    io(FAKE_PORT, 1, false, true);
    assert_int_equal(fake.accesses[1].value, 0xff);
    /* in 16-bit code SI wraps and the rest of RSI stays */
    fake_real();
    fake_poke(0xffff, 0x77, 1);
    fake_poke(CODE, 0x6e, 1);
    v->gpr[RSI] = 0x1234ffff;
    io(FAKE_PORT, 1, false, true);
    assert_int_equal(fake.accesses[2].value, 0x77);
    assert_int_equal(v->gpr[RSI], 0x12340000);
}

/* The guest gets the page fault at the element that fails, with the others done. */
static void page_fault_in_a_string(void **state)
{
    (void)state;
    fake_long();
    fake.regs[VREG_CR3] = 0x10000;
    fake_poke(0x10000, 0x11007, 8);
    fake_poke(0x11000, 0x12007, 8);
    fake_poke(0x12000, 0x13007, 8);
    fake_poke(0x13000 + 8, 0x1007, 8);
    fake_poke(0x13000 + 3 * 8, 0x3007, 8);
    fake_poke(CODE, 0x6ef3, 2);
    fake_cpl(3);
    v->gpr[RSI] = 0x3ffe;
    v->gpr[RCX] = 5;
    assert_int_equal(io(FAKE_PORT, 1, false, true), VERDICT_RETRY);
    assert_exception(VECTOR_PF, PF_ERROR_U);
    assert_int_equal(fake.regs[VREG_CR2], 0x4000);
    assert_int_equal(v->gpr[RCX], 3);
    assert_int_equal(v->gpr[RSI], 0x4000);
    assert_int_equal(fake.access_count, 2);
    v->event.type = VEVENT_NONE;
    fake_poke(CODE, 0x6c, 1); /* insb */
    v->gpr[RDI] = 0x4000;
    assert_int_equal(io(FAKE_PORT, 1, true, true), VERDICT_RETRY);
    assert_exception(VECTOR_PF, PF_ERROR_U | PF_ERROR_W);
    assert_int_equal(v->gpr[RDI], 0x4000);
}

/* Memory of a string may be a device's; where nothing is, that VM ends. */
static void strings_and_devices(void **state)
{
    (void)state;
    fake.registers[0] = 0x44332211;
    fake_poke(CODE, 0x6df3, 2); /* rep insd */
    v->gpr[RDI] = FAKE_MMIO + 16;
    v->gpr[RCX] = 2;
    assert_int_equal(io(FAKE_PORT, 4, true, true), VERDICT_NEXT);
    assert_int_equal(fake.registers[2], 0x4433221144332211);
    fake_poke(CODE, 0x6e, 1); /* outsb */
    v->gpr[RSI] = FAKE_MMIO + 17;
    assert_int_equal(io(FAKE_PORT + 4, 1, false, true), VERDICT_NEXT);
    assert_int_equal(fake.registers[0], 0x2244332211);
    assert_no_event();
    fake_poke(CODE, 0x6d, 1);
    v->gpr[RDI] = 1 << 30;
    assert_int_equal(io(FAKE_PORT, 4, true, true), VERDICT_STOP);
    v->gpr[RDI] = FAKE_MMIO + PAGE_SIZE - 2;
    assert_int_equal(io(FAKE_PORT, 4, true, true), VERDICT_STOP);
    assert_int_equal(fake.failures, 2);
}

/* A limit stops the string at the element that crosses it. */
static void string_over_the_limit(void **state)
{
    (void)state;
    fake_real();
    fake_poke(CODE, 0x6df3, 2); /* rep insw */
    v->gpr[RDI] = 0xfffd;
    v->gpr[RCX] = 2;
    assert_int_equal(io(FAKE_PORT, 2, true, true), VERDICT_RETRY);
    assert_exception(VECTOR_GP, -1); /* real mode pushes no error code */
    assert_int_equal(v->gpr[RDI], 0xffff);
    assert_int_equal(v->gpr[RCX], 1);
    assert_int_equal(fake.access_count, 1);
}

static void code_that_is_no_string(void **state)
{
    struct vmexit exit = { .kind = EXIT_IO, .length = 1, .io = { FAKE_PORT, 1, false, true } };

    (void)state;
    fake_poke(CODE, 0x90, 1);
    assert_int_equal(io(FAKE_PORT, 1, false, true), VERDICT_RETRY);
    assert_int_equal(fake.failures, 0);
    assert_int_equal(fake_insist(&exit), VERDICT_STOP);
    assert_int_equal(fake.failures, 1);
}

/* What was allowed is a port of one byte; and the step is that of the instruction that is there. */
static void a_sibling_has_changed_it(void **state)
{
    struct vmexit exit = { .kind = EXIT_IO, .length = 2, .io = { FAKE_PORT, 1, true, true } };

    (void)state;
    fake_poke(CODE, 0x6d, 1); /* insd */
    assert_int_equal(fake_handle(&exit), VERDICT_RETRY);
    assert_int_equal(fake.access_count, 0);
    fake_poke(CODE, 0x6c, 1); /* insb, without the REP that it had */
    assert_int_equal(fake_handle(&exit), VERDICT_NEXT);
    assert_int_equal(exit.length, 1);
    assert_int_equal(fake.access_count, 1);
    assert_int_equal(fake.failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(single, setup),
        cmocka_unit_test_setup(absent_ports, setup),
        cmocka_unit_test_setup(string_out, setup),
        cmocka_unit_test_setup(string_in, setup),
        cmocka_unit_test_setup(strings_are_cut, setup),
        cmocka_unit_test_setup(segments_and_widths, setup),
        cmocka_unit_test_setup(page_fault_in_a_string, setup),
        cmocka_unit_test_setup(strings_and_devices, setup),
        cmocka_unit_test_setup(string_over_the_limit, setup),
        cmocka_unit_test_setup(code_that_is_no_string, setup),
        cmocka_unit_test_setup(a_sibling_has_changed_it, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
