/* SPDX-License-Identifier: MIT */
/* Exceptions that the hypervisor raises, and how they combine (build host). */
/* sources: kernel/inject.c
 * kernel/vcpu.c kernel/gmem.c kernel/pt.c
 * kernel/pt_change.c kernel/pt_read.c kernel/page.c kernel/iobus.c vmx/ept.c
 * tests/unit/fake_backend.c tests/unit/fake_guest.c tests/unit/fake_stubs.c
 * tests/unit/host_stubs.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/fake_backend.h"

static struct vcpu *const v = &fake.vcpus[0];

static int setup(void **state)
{
    (void)state;
    fake_create(PAGE_2M, BOOT_BACKING_EAGER);
    return 0;
}

static void error_codes(void **state)
{
    (void)state;
    vcpu_inject_exception(v, VECTOR_UD);
    assert_exception(VECTOR_UD, -1);
    setup(state);
    vcpu_inject_error(v, VECTOR_GP, 0x18);
    assert_exception(VECTOR_GP, 0x18);
    setup(state);
    fake_real(); /* pushes none */
    vcpu_inject_error(v, VECTOR_GP, 0x18);
    assert_exception(VECTOR_GP, -1);
}

enum outcome { SECOND, DOUBLE, TRIPLE };

/* SDM 3A, "Interrupt 8--Double Fault Exception", tables 6-4 and 6-5 */
static void combinations(void **state)
{
    static const struct {
        uint8_t first, second;
        enum outcome outcome;
    } rows[] = {
        { VECTOR_DB, VECTOR_GP, SECOND }, { VECTOR_UD, VECTOR_PF, SECOND },
        { VECTOR_AC, VECTOR_AC, SECOND }, { VECTOR_DB, VECTOR_DB, SECOND },
        { VECTOR_GP, VECTOR_UD, SECOND }, { VECTOR_GP, VECTOR_GP, DOUBLE },
        { VECTOR_DE, VECTOR_GP, DOUBLE }, { VECTOR_TS, VECTOR_NP, DOUBLE },
        { VECTOR_SS, VECTOR_SS, DOUBLE }, { VECTOR_NP, VECTOR_GP, DOUBLE },
        { VECTOR_GP, VECTOR_PF, SECOND }, { VECTOR_PF, VECTOR_PF, DOUBLE },
        { VECTOR_PF, VECTOR_GP, DOUBLE }, { VECTOR_PF, VECTOR_UD, SECOND },
        { VECTOR_DF, VECTOR_GP, TRIPLE }, { VECTOR_DF, VECTOR_PF, TRIPLE },
        { VECTOR_DF, VECTOR_DB, SECOND },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(state);
        v->event = (struct vevent){ .type = VEVENT_EXCEPTION, .vector = rows[i].first };
        vcpu_inject_error(v, rows[i].second, 5);
        assert_int_equal(fake.failures, rows[i].outcome == TRIPLE);
        if (rows[i].outcome == DOUBLE)
            assert_exception(VECTOR_DF, 0);
        else if (rows[i].outcome == SECOND)
            assert_exception(rows[i].second, 5);
        else
            assert_string_equal(fake.reason, "triple fault");
    }
}

/* Only exceptions have a class: what an interrupt or INT n does with vector 13 is benign. */
static void interrupts_are_benign(void **state)
{
    static const uint8_t types[] = { VEVENT_INTERRUPT, VEVENT_NMI, VEVENT_SOFT_INTERRUPT,
                                     VEVENT_SOFT_EXCEPTION, VEVENT_ICEBP };

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        setup(state);
        v->event = (struct vevent){ .type = types[i], .vector = VECTOR_GP };
        vcpu_inject_error(v, VECTOR_GP, 0);
        assert_exception(VECTOR_GP, 0);
    }
}

static void debug_status(void **state)
{
    (void)state;
    fake.regs[VREG_DR6] = DR6_INIT | DR6_B1 | DR6_BS;
    fake.regs[VREG_DR7] = DR7_INIT | DR7_GD | 1;
    vcpu_inject_debug(v, DR6_B0);
    assert_exception(VECTOR_DB, -1);
    /* B0 to B3 are of this event only, the rest stays until the guest clears it */
    assert_int_equal(fake.regs[VREG_DR6], DR6_INIT | DR6_BS | DR6_B0);
    assert_int_equal(fake.regs[VREG_DR7], DR7_INIT | 1);
}

/* Its delivery ends a shadow: that of STI, behind which single steps trap, or one that MOV SS has
 * let pass. */
static void debug_ends_a_shadow(void **state)
{
    for (uint64_t shadow = 1; shadow <= 2; shadow++) {
        setup(state);
        fake.regs[VREG_SHADOW] = shadow | 8; /* NMIs stay blocked */
        fake_begin(false);
        vcpu_inject_debug(v, DR6_BS);
        assert_exception(VECTOR_DB, -1);
        fake_write_back();
        assert_int_equal(fake.regs[VREG_SHADOW], 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(error_codes, setup),
        cmocka_unit_test_setup(combinations, setup),
        cmocka_unit_test_setup(interrupts_are_benign, setup),
        cmocka_unit_test_setup(debug_status, setup),
        cmocka_unit_test_setup(debug_ends_a_shadow, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
