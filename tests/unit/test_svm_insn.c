/* SPDX-License-Identifier: MIT */
/* The instruction behind an exit, where the processor does not describe it (build host). */
/* sources: svm/check.c svm/check_rules.c svm/ctls.c svm/decode.c svm/event.c svm/insn.c
 * svm/intercept.c svm/npt.c svm/probe.c svm/regs.c svm/run.c svm/setup.c kernel/pt_host.c
 * kernel/page.c kernel/vcpu_reset.c kernel/fetch.c kernel/insn.c tests/unit/fake_svm.c
 * tests/unit/host_stubs.c */
/* flags: -Wl,--wrap=log_printf */
#include "tests/unit/svm_case.h"

static void real_mode(void)
{
}

static void (*const modes[])(void) = { real_mode, code_32, code_64 };

static int setup_old(void **state)
{
    setup(state);
    svm_caps.next_rip = svm_caps.decode_assists = false;
    return 0;
}

/* Bytes at RIP, behind an exit. */
#define LENGTH(code, ...) (CODE(__VA_ARGS__), exit_with(VMEXIT_##code, 0)->length)

static void lengths(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        setup_old(state);
        modes[i]();
        assert_int_equal(LENGTH(CPUID, 0x0f, 0xa2), 2);
        assert_int_equal(LENGTH(HLT, 0x0f, 0xa2), 0);
        assert_int_equal(LENGTH(HLT, 0xf4), 1);
        assert_int_equal(LENGTH(VMMCALL, 0x0f, 0x01, 0xd9), 3);
        assert_int_equal(LENGTH(VMMCALL, 0x0f, 0x01, 0xd8), 0);
        assert_int_equal(LENGTH(CPUID, 0x66, 0xf2, 0x2e, 0x67, 0x0f, 0xa2), 6);
        assert_int_equal(LENGTH(CPUID, 0x26, 0x36, 0x3e, 0x64, 0x65, 0xf3, 0xf0, 0x0f, 0xa2), 9);
        /* 15 bytes are the most there can be */
        assert_int_equal(LENGTH(CPUID, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                0x66, 0x66, 0x66, 0x0f, 0xa2), 15);
        assert_int_equal(LENGTH(CPUID, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                0x66, 0x66, 0x66, 0x66, 0x0f, 0xa2), 0);
        /* REX; elsewhere DEC */
        assert_int_equal(LENGTH(CPUID, 0x48, 0x0f, 0xa2), modes[i] == code_64 ? 3 : 0);
    }
}

/* RIP of 64-bit code is the address; 32-bit code wraps at 4 GiB. */
static void addresses(void **state)
{
    (void)state;
    code_64();
    save()->cs.base = 0x1000000;
    save()->rip = 0xffffffff81000000;
    assert_int_equal(LENGTH(HLT, 0xf4), 1);
    assert_int_equal(fake_svm.code_gva, 0xffffffff81000000);
    code_32();
    save()->cs.base = 0xffff0000;
    save()->rip = 0x20010;
    assert_int_equal(LENGTH(HLT, 0xf4), 1);
    assert_int_equal(fake_svm.code_gva, 0x10000);
    /* compatibility mode is 32-bit code in long mode */
    save()->efer |= EFER_LMA;
    assert_int_equal(LENGTH(HLT, 0xf4), 1);
}

/* Even within an instruction. */
static void instruction_wraps(void **state)
{
    (void)state;
    code_32();
    save()->cs.base = 0xffff0000;
    save()->rip = 0xffff;
    CODE(0x0f, 0xa2);
    assert_int_equal(fake_svm.code_gva, 0xfffff000); /* the second page is at 0 */
    exit_with(VMEXIT_CPUID, 0);
    assert_int_equal(last.kind, EXIT_CPUID);
    assert_int_equal(last.length, 2);
}

static void rights(void **state)
{
    (void)state;
    code_64();
    LENGTH(HLT, 0xf4);
    assert_int_equal(fake_svm.access, PT_X);
    save()->cpl = 3;
    LENGTH(HLT, 0xf4);
    assert_int_equal(fake_svm.access, PT_X | PT_USER);
}

/* What lies behind the page need not be there. What is not there any more, is a page fault. */
static void end_of_a_page(void **state)
{
    for (unsigned pages = 0; pages < 3; pages++) {
        setup_old(state);
        code_64();
        fake_svm.code_pages = pages;
        save()->rip = 2 * PAGE_SIZE - 1;
        assert_int_equal(LENGTH(HLT, 0xf4), pages ? 1 : 0);
        assert_event(v, pages ? VEVENT_NONE : VEVENT_EXCEPTION, pages ? 0 : VECTOR_PF, !pages);
        assert_int_equal(last.kind, pages ? EXIT_HLT : EXIT_NONE);
        v->event.type = VEVENT_NONE;
        assert_int_equal(LENGTH(CPUID, 0x0f, 0xa2), pages > 1 ? 2 : 0);
        assert_int_equal(v->event.type, pages > 1 ? VEVENT_NONE : VEVENT_EXCEPTION);
        v->event.type = VEVENT_NONE;
        if (pages == 1)
            assert_int_equal(save()->cr2, 2 * PAGE_SIZE);
        save()->rip = 2 * PAGE_SIZE - 2;
        assert_int_equal(LENGTH(CR_WRITE(0), 0x0f, 0x06), pages ? 2 : 0);
        v->event.type = VEVENT_NONE;
        assert_int_equal(LENGTH(CR_WRITE(0), 0x0f, 0x22, 0xc0), pages > 1 ? 3 : 0);
        v->event.type = VEVENT_NONE;
    }
}

/* AMD64 APM 3, "MOV CRn" */
static void mov(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        setup_old(state);
        modes[i]();
        for (uint8_t gpr = 0; gpr < 8; gpr++) {
            assert_int_equal(LENGTH(CR_WRITE(0), 0x0f, 0x22, (uint8_t)(0xc0 | gpr)), 3);
            assert_mov_cr(0, true, gpr);
            assert_int_equal(LENGTH(CR_READ(4), 0x0f, 0x20, (uint8_t)(0xe0 | gpr)), 3);
            assert_mov_cr(4, false, gpr);
            /* mod is of no meaning */
            assert_int_equal(LENGTH(CR_WRITE(4), 0x0f, 0x22, (uint8_t)(0x20 | gpr)), 3);
            assert_mov_cr(4, true, gpr);
            /* CR8 without REX */
            assert_int_equal(LENGTH(CR_WRITE(8), 0xf0, 0x0f, 0x22, (uint8_t)(0xc0 | gpr)), 4);
            assert_mov_cr(8, true, gpr);
        }
        assert_int_equal(LENGTH(CR_READ(0), 0x66, 0x0f, 0x20, 0xc4), 4);
        assert_mov_cr(0, false, RSP);
    }
    assert_int_equal(LENGTH(CR_WRITE(8), 0x44, 0x0f, 0x22, 0xc0), 4);
    assert_mov_cr(8, true, RAX);
    LENGTH(CR_READ(8), 0x45, 0x0f, 0x20, 0xc7);
    assert_mov_cr(8, false, R15);
    LENGTH(CR_WRITE(4), 0x66, 0x41, 0x0f, 0x22, 0xe1);
    assert_mov_cr(4, true, R9);
    LENGTH(CR_WRITE(4), 0x4a, 0x0f, 0x22, 0xe1); /* W and X */
    assert_mov_cr(4, true, RCX);
    assert_int_equal(LENGTH(CR_WRITE(4), 0x45, 0x66, 0x0f, 0x22, 0xe1), 5); /* no REX then */
    assert_mov_cr(4, true, RCX);
}

/* A sibling vCPU has put another one there. */
static void another_instruction(void **state)
{
    static const struct {
        uint64_t code;
        uint8_t bytes[3];
    } rows[] = {
        { VMEXIT_CR_WRITE(0), { 0x0f, 0x23, 0xc0 } }, /* a debug register's */
        { VMEXIT_CR_WRITE(0), { 0x0e, 0x22, 0xc0 } },
        { VMEXIT_CR_WRITE(0), { 0x0f, 0x20, 0xc0 } },
        { VMEXIT_CR_READ(0), { 0x0f, 0x22, 0xc0 } },
        { VMEXIT_CR_WRITE(4), { 0x0f, 0x22, 0xc0 } },
        { VMEXIT_CR_WRITE(4), { 0x0f, 0x06, 0x90 } },
        { VMEXIT_CR_READ(0), { 0x0f, 0x06, 0x90 } },
        { VMEXIT_CR_READ(0), { 0x0f, 0x01, 0xf0 } },  /* LMSW */
        { VMEXIT_CR_WRITE(0), { 0x0f, 0x01, 0xe0 } }, /* SMSW */
        { VMEXIT_CR_READ(4), { 0x0f, 0x01, 0xe0 } },
        { VMEXIT_CR_WRITE(0), { 0x0f, 0x01, 0x38 } }, /* INVLPG */
        { VMEXIT_CR_READ(0), { 0x0f, 0x01, 0xd0 } },  /* XGETBV */
        { VMEXIT_CPUID, { 0x8b, 0x07, 0x90 } },
        { VMEXIT_MSR, { 0x0f, 0x30, 0x90 } },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        setup_old(state);
        code_64();
        fake_svm_code(rows[i].bytes, sizeof(rows[i].bytes));
        exit_with(rows[i].code, 0);
        if (last.kind != EXIT_NONE || last.length != 0)
            fail_msg("row %zu: kind %u, length %u", i, last.kind, last.length);
        assert_int_equal(svm_of(v)->generation, 0); /* an old translation may have led there */
    }
}

/* But not for ever. */
static void never_understood(void **state)
{
    unsigned times = 0;

    (void)state;
    code_64();
    for (unsigned i = 0; i < 300; i++) { /* one that is understood begins anew */
        assert_int_equal(LENGTH(CPUID, 0x8b, 0x07), 0);
        assert_int_equal(last.kind, EXIT_NONE);
        assert_int_equal(LENGTH(CPUID, 0x0f, 0xa2), 2);
    }
    while (LENGTH(CPUID, 0x8b, 0x07), last.kind == EXIT_NONE)
        assert_true(++times < 300);
    assert_int_equal(last.kind, EXIT_UNKNOWN);
    assert_int_equal(last.length, 0);
    assert_true(times > 1);
}

static void clts(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        setup_old(state);
        modes[i]();
        assert_int_equal(LENGTH(CR_WRITE(0), 0x0f, 0x06), 2);
        assert_true(last.cr.clts && !last.cr.lmsw && !last.cr.operand);
        assert_int_equal(LENGTH(CR_WRITE(0), 0xf3, 0x0f, 0x06), 3);
    }
}

/* kernel/cr.c carries them out, in registers and in memory. */
static void machine_status_word(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        setup_old(state);
        modes[i]();
        assert_int_equal(LENGTH(CR_WRITE(0), 0x0f, 0x01, 0xf6), 3);
        assert_true(last.cr.lmsw && !last.cr.clts);
        assert_int_equal(last.cr.operand->gpr, RSI);
        assert_false(INSN_IN_MEMORY(last.cr.operand->opcode));
        assert_int_equal(LENGTH(CR_READ(0), 0x66, 0x0f, 0x01, 0xe3), 4);
        assert_false(last.cr.lmsw || last.cr.clts || last.cr.write);
        assert_int_equal(last.cr.operand->gpr, RBX);
        assert_int_equal(LENGTH(CR_READ(0), 0x0f, 0x01, 0x60, 0x10), 4);
        assert_true(INSN_IN_MEMORY(last.cr.operand->opcode));
        assert_int_equal(last.cr.operand->immediate, 0x10);
        assert_int_equal(LENGTH(CR_WRITE(0), 0x0f, 0x01, 0x30), 3);
        assert_true(last.cr.lmsw);
        assert_int_equal(last.cr.operand->size, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lengths, setup_old),
        cmocka_unit_test_setup(addresses, setup_old),
        cmocka_unit_test_setup(instruction_wraps, setup_old),
        cmocka_unit_test_setup(rights, setup_old),
        cmocka_unit_test_setup(end_of_a_page, setup_old),
        cmocka_unit_test_setup(mov, setup_old),
        cmocka_unit_test_setup(another_instruction, setup_old),
        cmocka_unit_test_setup(never_understood, setup_old),
        cmocka_unit_test_setup(clts, setup_old),
        cmocka_unit_test_setup(machine_status_word, setup_old),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
