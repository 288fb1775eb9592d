/* SPDX-License-Identifier: MIT */
/* The instruction behind an exit, where the processor does not describe it (build host). */
/* sources: svm/apicv.c svm/check.c svm/check_rules.c svm/ctls.c svm/decode.c svm/event.c svm/insn.c
 * svm/intercept.c svm/npt.c svm/probe.c svm/regs.c svm/run.c svm/setup.c kernel/pt_host.c
 * kernel/page.c kernel/vcpu_reset.c tests/unit/fake_svm.c tests/unit/host_stubs.c */
/* flags: -Wl,--wrap=log_printf */
#include "svm/insn.h"
#include "tests/unit/svm_case.h"

static const struct svm_opcode cpuid = { 2, { 0x0f, 0xa2 } }, hlt = { 1, { 0xf4 } },
                               vmmcall = { 3, { 0x0f, 0x01, 0xd9 } };
static struct exit_cr cr;

static void real_mode(void)
{
}

static void (*const modes[])(void) = { real_mode, code_32, code_64 };

static void lengths(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        setup(state);
        modes[i]();
        CODE(0x0f, 0xa2);
        assert_int_equal(svm_insn_length(v, &cpuid), 2);
        assert_int_equal(svm_insn_length(v, &hlt), 0);
        CODE(0xf4);
        assert_int_equal(svm_insn_length(v, &hlt), 1);
        CODE(0x0f, 0x01, 0xd9);
        assert_int_equal(svm_insn_length(v, &vmmcall), 3);
        CODE(0x0f, 0x01, 0xd8);
        assert_int_equal(svm_insn_length(v, &vmmcall), 0);
        CODE(0x66, 0xf2, 0x2e, 0x67, 0x0f, 0xa2);
        assert_int_equal(svm_insn_length(v, &cpuid), 6);
        CODE(0x26, 0x36, 0x3e, 0x64, 0x65, 0xf3, 0xf0, 0x0f, 0xa2);
        assert_int_equal(svm_insn_length(v, &cpuid), 9);
        /* 15 bytes are the most there can be */
        CODE(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x0f,
             0xa2);
        assert_int_equal(svm_insn_length(v, &cpuid), 15);
        CODE(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
             0x0f, 0xa2);
        assert_int_equal(svm_insn_length(v, &cpuid), 0);
        CODE(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
             0x66, 0x66);
        assert_int_equal(svm_insn_length(v, &cpuid), 0);
        CODE(0x48, 0x0f, 0xa2); /* REX; elsewhere DEC */
        assert_int_equal(svm_insn_length(v, &cpuid), modes[i] == code_64 ? 3 : 0);
        assert_true(svm_insn_cr(v, &cr) == 0);
    }
}

/* RIP of 64-bit code is the address; 32-bit code wraps at 4 GiB. */
static void addresses(void **state)
{
    (void)state;
    code_64();
    save()->cs.base = 0x1000000;
    save()->rip = 0xffffffff81000000;
    CODE(0xf4);
    assert_int_equal(fake_svm.code_gva, 0xffffffff81000000);
    assert_int_equal(svm_insn_length(v, &hlt), 1);
    code_32();
    save()->cs.base = 0xffff0000;
    save()->rip = 0x20010;
    CODE(0xf4);
    assert_int_equal(fake_svm.code_gva, 0x10000);
    assert_int_equal(svm_insn_length(v, &hlt), 1);
    /* compatibility mode is 32-bit code in long mode */
    save()->efer |= EFER_LMA;
    assert_int_equal(svm_insn_length(v, &hlt), 1);
}

static void rights(void **state)
{
    (void)state;
    code_64();
    CODE(0xf4);
    svm_insn_length(v, &hlt);
    assert_int_equal(fake_svm.access, PT_X);
    save()->cpl = 3;
    svm_insn_length(v, &hlt);
    assert_int_equal(fake_svm.access, PT_X | PT_USER);
}

/* What lies behind the page need not be there. */
static void end_of_a_page(void **state)
{
    (void)state;
    code_64();
    for (unsigned pages = 0; pages < 3; pages++) {
        fake_svm.code_pages = pages;
        save()->rip = 2 * PAGE_SIZE - 1;
        CODE(0xf4);
        assert_int_equal(svm_insn_length(v, &hlt), pages ? 1 : 0);
        CODE(0x0f, 0xa2);
        assert_int_equal(svm_insn_length(v, &cpuid), pages > 1 ? 2 : 0);
        save()->rip = 2 * PAGE_SIZE - 2;
        CODE(0x0f, 0x06);
        assert_int_equal(svm_insn_cr(v, &cr), pages ? 2 : 0);
        CODE(0x0f, 0x22, 0xc0);
        assert_int_equal(svm_insn_cr(v, &cr), pages > 1 ? 3 : 0);
        save()->rip = 2 * PAGE_SIZE - 3;
        assert_int_equal(svm_insn_cr(v, &cr), 0);
        CODE(0x0f, 0x22, 0xc0);
        assert_int_equal(svm_insn_cr(v, &cr), pages ? 3 : 0);
    }
}

static void assert_mov(unsigned length, unsigned number, bool write, unsigned gpr)
{
    memset(&cr, 0xee, sizeof(cr));
    assert_int_equal(svm_insn_cr(v, &cr), length);
    assert_int_equal(cr.number, number);
    assert_int_equal(cr.write, write);
    assert_int_equal(cr.gpr, gpr);
    assert_false(cr.clts || cr.lmsw);
}

/* AMD64 APM 3, "MOV CRn" */
static void mov(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        setup(state);
        modes[i]();
        for (unsigned gpr = 0; gpr < 8; gpr++) {
            CODE(0x0f, 0x22, (uint8_t)(0xc0 | gpr));
            assert_mov(3, 0, true, gpr);
            CODE(0x0f, 0x20, (uint8_t)(0xe0 | gpr));
            assert_mov(3, 4, false, gpr);
            CODE(0x0f, 0x22, (uint8_t)(0xd8 | gpr));
            assert_mov(3, 3, true, gpr);
            CODE(0x0f, 0x22, (uint8_t)(0x20 | gpr)); /* mod is of no meaning */
            assert_mov(3, 4, true, gpr);
            CODE(0xf0, 0x0f, 0x22, (uint8_t)(0xc0 | gpr)); /* CR8 without REX */
            assert_mov(4, 8, true, gpr);
        }
        CODE(0x66, 0x0f, 0x20, 0xc4);
        assert_mov(4, 0, false, RSP);
        CODE(0x0f, 0x23, 0xc0); /* a debug register's */
        assert_int_equal(svm_insn_cr(v, &cr), 0);
        CODE(0x0e, 0x22, 0xc0);
        assert_int_equal(svm_insn_cr(v, &cr), 0);
    }
    CODE(0x44, 0x0f, 0x22, 0xc0);
    assert_mov(4, 8, true, RAX);
    CODE(0x45, 0x0f, 0x20, 0xc7);
    assert_mov(4, 8, false, R15);
    CODE(0x41, 0x0f, 0x22, 0xe1);
    assert_mov(4, 4, true, R9);
    CODE(0x4a, 0x0f, 0x22, 0xe1); /* W and X */
    assert_mov(4, 4, true, RCX);
    CODE(0x66, 0x41, 0x0f, 0x22, 0xe1);
    assert_mov(5, 4, true, R9);
    CODE(0x45, 0x66, 0x0f, 0x22, 0xe1); /* REX counts right before the opcode only */
    assert_mov(5, 4, true, RCX);
}

static void clts(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        setup(state);
        modes[i]();
        CODE(0x0f, 0x06);
        memset(&cr, 0xee, sizeof(cr));
        assert_int_equal(svm_insn_cr(v, &cr), 2);
        assert_true(cr.clts && !cr.lmsw && !cr.write);
        CODE(0xf3, 0x0f, 0x06);
        assert_int_equal(svm_insn_cr(v, &cr), 3);
    }
}

static void machine_status_word(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        setup(state);
        modes[i]();
        v->gpr[RSI] = 0x12348765;
        save()->rsp = 0x4321;
        CODE(0x0f, 0x01, 0xf6); /* LMSW SI */
        assert_int_equal(svm_insn_cr(v, &cr), 3);
        assert_true(cr.lmsw && !cr.clts && !cr.write);
        assert_int_equal(cr.lmsw_value, 0x8765);
        CODE(0x0f, 0x01, 0xf4); /* LMSW SP */
        assert_int_equal(svm_insn_cr(v, &cr), 3);
        assert_int_equal(cr.lmsw_value, 0x4321);
        CODE(0x66, 0x0f, 0x01, 0xe3); /* SMSW EBX or BX */
        assert_mov(4, 0, false, RBX);
        CODE(0x0f, 0x01, 0xd0); /* XGETBV */
        assert_int_equal(svm_insn_cr(v, &cr), 0);
        CODE(0x0f, 0x01, 0x3e); /* INVLPG */
        assert_int_equal(svm_insn_cr(v, &cr), 0);
    }
    v->gpr[R14] = 0xfff1;
    CODE(0x41, 0x0f, 0x01, 0xf6);
    assert_int_equal(svm_insn_cr(v, &cr), 4);
    assert_int_equal(cr.lmsw_value, 0xfff1);
}

/* Not carried out. */
static void machine_status_word_in_memory(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        setup(state);
        modes[i]();
        CODE(0x0f, 0x01, 0x36, 0x00, 0x10);
        assert_int_equal(svm_insn_cr(v, &cr), 0);
        CODE(0x0f, 0x01, 0x20);
        assert_int_equal(svm_insn_cr(v, &cr), 0);
        CODE(0x0f, 0x01, 0x66, 0x10);
        assert_int_equal(svm_insn_cr(v, &cr), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lengths, setup),
        cmocka_unit_test_setup(addresses, setup),
        cmocka_unit_test_setup(rights, setup),
        cmocka_unit_test_setup(end_of_a_page, setup),
        cmocka_unit_test_setup(mov, setup),
        cmocka_unit_test_setup(clts, setup),
        cmocka_unit_test_setup(machine_status_word, setup),
        cmocka_unit_test_setup(machine_status_word_in_memory, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
