/* SPDX-License-Identifier: MIT */
/* String instructions on memory and devices: elements, segments, faults (build host). */
/* sources: kernel/exit_memory.c kernel/emulate_string.c kernel/exit_io.c kernel/fetch.c
 * kernel/insn.c kernel/gwalk.c kernel/inject.c
 * kernel/vcpu.c kernel/gmem.c kernel/pt.c
 * kernel/pt_change.c kernel/pt_read.c kernel/page.c kernel/iobus.c vmx/ept.c
 * tests/unit/fake_backend.c tests/unit/fake_guest.c tests/unit/fake_stubs.c
 * tests/unit/host_stubs.c */
#include "tests/unit/mmio_case.h"

#include <string.h>

static void strings(void **state)
{
    (void)state;
    v->gpr[RAX] = 0x11223344;
    v->gpr[RDI] = 0xfee00010;
    INSTRUCTION("\xab", 16); /* stosd */
    assert_access(0, 16, 4, true, 0x11223344);
    assert_int_equal(v->gpr[RDI], 0xfee00014);
    fake.regs[VREG_RFLAGS] |= RFLAGS_DF;
    assert_int_equal(INSTRUCTION("\xaa", 20), VERDICT_NEXT); /* stosb, backwards */
    assert_int_equal(v->gpr[RDI], 0xfee00013);
    fake.regs[VREG_RFLAGS] = RFLAGS_FIXED1;
    v->gpr[RCX] = 2;
    assert_int_equal(INSTRUCTION("\xf3\xab", 16), VERDICT_NEXT);
    assert_int_equal(v->gpr[RCX], 0);
    assert_int_equal(v->gpr[RDI], 0xfee0001b);
    fake.registers[3] = 0x99;
    v->gpr[RSI] = 0xfee00018;
    INSTRUCTION("\xac", 24); /* lodsb */
    assert_int_equal(v->gpr[RAX], 0x11223399);
}

/* MOVS: to a device, from it, and from one to itself. */
static void moves(void **state)
{
    (void)state;
    fake_poke(0x3000, 0x1122334455667788, 8);
    v->gpr[RSI] = 0x3000;
    v->gpr[RDI] = REG(0x20);
    v->gpr[RCX] = 2;
    assert_int_equal(INSTRUCTION("\xf3\xa5", 0x20), VERDICT_NEXT);
    assert_access(0, 0x20, 4, true, 0x55667788);
    assert_access(1, 0x24, 4, true, 0x11223344);
    assert_int_equal(v->gpr[RSI], 0x3008);
    v->gpr[RSI] = REG(0x21);
    v->gpr[RDI] = 0x4000;
    assert_int_equal(INSTRUCTION("\xa4", 0x21), VERDICT_NEXT);
    assert_int_equal(fake_peek(0x4000, 2), 0x77);
    v->gpr[RSI] = REG(0x20);
    v->gpr[RDI] = REG(0x30);
    assert_int_equal(INSTRUCTION("\x66\xa5", 0x20), VERDICT_NEXT);
    assert_access(4, 0x30, 2, true, 0x7788);
    /* neither memory nor a device: the end */
    v->gpr[RDI] = 1 << 30;
    assert_int_equal(INSTRUCTION("\xa4", 0x22), VERDICT_STOP);
    assert_int_equal(fake.failures, 1);
}

static void long_strings_are_cut(void **state)
{
    (void)state;
    v->gpr[RDI] = REG(0);
    v->gpr[RCX] = 100;
    assert_int_equal(INSTRUCTION("\xf3\xaa", 0), VERDICT_RETRY);
    assert_int_equal(v->gpr[RCX], 36);
    assert_int_equal(v->gpr[RDI], REG(64));
}

/* What each segment allows; the exception comes instead of the access. */
static void segments_of_strings(void **state)
{
    static const struct {
        const char *code;
        enum vseg seg;
        struct vsegment s;
        int vector; /* -1: none */
    } rows[] = {
        { "\xaa", VSEG_ES, { 16, 0xfee00020, 0xc093, 0 }, -1 },
        { "\xaa", VSEG_ES, { 16, 0xfee0001f, 0xc093, 0 }, VECTOR_GP },
        { "\xab", VSEG_ES, { 16, 0xfee00022, 0xc093, 0 }, VECTOR_GP },
        { "\xaa", VSEG_ES, { 16, UINT32_MAX, 0xc091, 0 }, VECTOR_GP },   /* read only */
        { "\xaa", VSEG_ES, { 16, UINT32_MAX, 0xc09b, 0 }, VECTOR_GP },   /* code */
        { "\xaa", VSEG_ES, { 0, UINT32_MAX, 0x1c093, 0 }, VECTOR_GP },   /* null */
        { "\xaa", VSEG_ES, { 16, 0xfee00020, 0xc097, 0 }, VECTOR_GP },   /* expands down */
        { "\xaa", VSEG_ES, { 16, 0xfee0001f, 0xc097, 0 }, -1 },
        { "\xaa", VSEG_ES, { 16, 0x1f, 0x8097, 0 }, VECTOR_GP },         /* 64 KiB at most */
        { "\x2e\xac", VSEG_CS, { 8, UINT32_MAX, 0xc099, 0 }, VECTOR_GP }, /* execute only */
        { "\x2e\xac", VSEG_CS, { 8, UINT32_MAX, 0xc09b, 0 }, -1 },
        { "\x36\xac", VSEG_SS, { 16, 0xfee0001f, 0xc093, 0 }, VECTOR_SS },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(state);
        v->gpr[RSI] = v->gpr[RDI] = REG(0x20);
        fake.segments[rows[i].seg] = rows[i].s;
        put_code(rows[i].code, strlen(rows[i].code));
        assert_int_equal(access(REG(0x20), false),
                         rows[i].vector < 0 ? VERDICT_NEXT : VERDICT_RETRY);
        if (rows[i].vector < 0)
            assert_no_event();
        else
            assert_exception((unsigned)rows[i].vector, 0);
        assert_int_equal(fake.access_count, rows[i].vector < 0);
    }
    setup(state);
    long_mode();
    v->gpr[RDI] = BIT(47) - 1; /* its last byte is not canonical */
    INSTRUCTION("\x66\xab", 0);
    assert_exception(VECTOR_GP, 0);
    v->event.type = VEVENT_NONE;
    v->gpr[RSI] = BIT(63);
    fake.segments[VSEG_SS].base = 0x1000; /* of no effect in 64-bit mode */
    INSTRUCTION("\x36\xac", 0);
    assert_exception(VECTOR_SS, 0);
}

static void smap(void **state)
{
    (void)state;
    long_mode();
    fake.regs[VREG_CR4] |= CR4_SMAP;
    v->gpr[RSI] = 0x3000;
    INSTRUCTION("\xac", 0);
    assert_exception(VECTOR_PF, PF_ERROR_P);
    assert_int_equal(fake.regs[VREG_CR2], 0x3000);
    v->event.type = VEVENT_NONE;
    fake.regs[VREG_RFLAGS] |= RFLAGS_AC;
    assert_int_equal(INSTRUCTION("\xac", 0), VERDICT_NEXT);
    fake.regs[VREG_RFLAGS] = RFLAGS_FIXED1;
    fake_cpl(3);
    assert_int_equal(INSTRUCTION("\xac", 0), VERDICT_NEXT);
    assert_no_event();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(strings, setup),
        cmocka_unit_test_setup(moves, setup),
        cmocka_unit_test_setup(long_strings_are_cut, setup),
        cmocka_unit_test_setup(segments_of_strings, setup),
        cmocka_unit_test_setup(smap, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
