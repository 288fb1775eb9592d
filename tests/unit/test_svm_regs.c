/* SPDX-License-Identifier: MIT */
/* Guest registers and segments in the VMCB, and what of them is ours alone (build host). */
/* sources: svm/check.c svm/check_rules.c svm/ctls.c svm/decode.c svm/event.c svm/insn.c
 * svm/intercept.c svm/npt.c svm/probe.c svm/regs.c svm/run.c svm/setup.c kernel/pt_host.c
 * kernel/page.c kernel/vcpu_reset.c kernel/fetch.c kernel/insn.c tests/unit/fake_svm.c
 * tests/unit/host_stubs.c */
/* flags: -Wl,--wrap=log_printf */
#include "tests/unit/svm_case.h"

static void fields(void **state)
{
    static const struct {
        enum vreg reg;
        size_t offset;
    } rows[] = {
        { VREG_RSP, 0x1d8 }, { VREG_CR2, 0x240 }, { VREG_CR3, 0x150 }, { VREG_DR6, 0x168 },
        { VREG_DR7, 0x160 }, { VREG_PAT, 0x268 }, { VREG_SYSENTER_CS, 0x228 },
        { VREG_SYSENTER_ESP, 0x230 }, { VREG_SYSENTER_EIP, 0x238 }, { VREG_FS_BASE, 0x048 },
        { VREG_GS_BASE, 0x058 },
    }; /* APM 2, Table B-2 */

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t value = 0x1234567800000000 + i, found;

        svm_set(v, rows[i].reg, value);
        memcpy(&found, (const uint8_t *)save() + rows[i].offset, sizeof(found));
        assert_int_equal(found, value);
        assert_int_equal(svm_get(v, rows[i].reg), value);
    }
}

/* Registers that the hardware has no place for read as zero. */
static void without_a_field(void **state)
{
    static const enum vreg regs[] = { VREG_PENDING_DEBUG, VREG_PDPTE0, VREG_PDPTE1, VREG_PDPTE2,
                                      VREG_PDPTE3 };
    const struct vmcb before = *vmcb_of(v);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(regs); i++) {
        svm_set(v, regs[i], ~0ull);
        assert_int_equal(svm_get(v, regs[i]), 0);
    }
    assert_memory_equal(&before, vmcb_of(v), sizeof(before));
}

static void copies(void **state)
{
    (void)state;
    save()->rflags = RFLAGS_FIXED1 | RFLAGS_IF;
    control()->interrupt_shadow = SHADOW_INTERRUPT | SHADOW_GUEST_IF;
    assert_int_equal(v->valid, 0);
    assert_int_equal(svm_get(v, VREG_RIP), CASE_RIP);
    assert_int_equal(v->valid, VCPU_RIP);
    svm_copies(v);
    assert_int_equal(v->valid, VCPU_COPIES);
    assert_int_equal(v->rip, CASE_RIP);
    assert_int_equal(v->rflags, RFLAGS_FIXED1 | RFLAGS_IF);
    assert_int_equal(v->shadow, SHADOW_INTERRUPT);
    /* one that is newer than the VMCB stays */
    svm_set(v, VREG_RIP, 0x8888);
    svm_copies(v);
    assert_int_equal(svm_get(v, VREG_RIP), 0x8888);
    assert_int_equal(save()->rip, CASE_RIP);
    svm_set(v, VREG_RFLAGS, RFLAGS_FIXED1);
    assert_int_equal(svm_get(v, VREG_RFLAGS), RFLAGS_FIXED1);
    svm_write_back(v);
    assert_int_equal(save()->rip, 0x8888);
    assert_int_equal(save()->rflags, RFLAGS_FIXED1);
    assert_int_equal(control()->interrupt_shadow, SHADOW_INTERRUPT | SHADOW_GUEST_IF);
    assert_int_equal(v->dirty, 0);
    save()->rip = 1; /* nothing is written twice */
    svm_write_back(v);
    assert_int_equal(save()->rip, 1);
}

/* An instruction that was emulated ends the shadow; what is set after that, holds. */
static void shadow(void **state)
{
    (void)state;
    control()->interrupt_shadow = SHADOW_INTERRUPT;
    assert_int_equal(svm_get(v, VREG_SHADOW), SHADOW_INTERRUPT);
    v->shadow = 0;
    v->dirty |= VCPU_SHADOW;
    assert_int_equal(svm_get(v, VREG_SHADOW), 0);
    svm_set(v, VREG_SHADOW, SHADOW_INTERRUPT);
    assert_int_equal(svm_get(v, VREG_SHADOW), SHADOW_INTERRUPT);
    svm_write_back(v);
    assert_int_equal(control()->interrupt_shadow, SHADOW_INTERRUPT);
    v->shadow = 0;
    v->dirty |= VCPU_SHADOW;
    svm_put(v);
    assert_int_equal(control()->interrupt_shadow, 0);
    assert_int_equal(v->valid, 0);
}

static bool reads_exit(unsigned number)
{
    return control()->intercept_cr & INTERCEPT_READ(number);
}

/* Caching stays on. A guest that wants it off reads CR0 by an exit. */
static void cr0(void **state)
{
    const uint64_t on = CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE;

    (void)state;
    assert_int_equal(svm_get(v, VREG_CR0), CR0_CD | CR0_NW | CR0_ET); /* after INIT */
    assert_int_equal(save()->cr0, CR0_ET);
    assert_true(reads_exit(0));
    svm_set(v, VREG_CR0, on);
    assert_int_equal(save()->cr0, on);
    assert_int_equal(svm_get(v, VREG_CR0), on);
    assert_false(reads_exit(0));
    svm_set(v, VREG_CR0, on | CR0_CD);
    assert_int_equal(save()->cr0, on);
    assert_int_equal(svm_get(v, VREG_CR0), on | CR0_CD);
    assert_true(reads_exit(0));
    assert_true(reads_exit(8) && control()->intercept_cr & INTERCEPT_WRITE(8));
}

/* A machine check that meets MCE = 0 would shut the machine down. */
static void cr4(void **state)
{
    (void)state;
    assert_int_equal(svm_get(v, VREG_CR4), 0);
    assert_int_equal(save()->cr4, CR4_MCE);
    assert_true(reads_exit(4));
    svm_set(v, VREG_CR4, CR4_PAE | CR4_MCE);
    assert_int_equal(save()->cr4, CR4_PAE | CR4_MCE);
    assert_false(reads_exit(4));
    svm_set(v, VREG_CR4, CR4_PAE);
    assert_int_equal(save()->cr4, CR4_PAE | CR4_MCE);
    assert_int_equal(svm_get(v, VREG_CR4), CR4_PAE);
    assert_true(reads_exit(4));
    assert_true(control()->intercept_cr & INTERCEPT_WRITE(4));
}

/* VMRUN refuses a guest without SVME; the guest has no SVM. */
static void efer(void **state)
{
    (void)state;
    assert_int_equal(save()->efer, EFER_SVME);
    assert_int_equal(svm_get(v, VREG_EFER), 0);
    svm_set(v, VREG_EFER, EFER_LME | EFER_LMA | EFER_NXE);
    assert_int_equal(save()->efer, EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME);
    assert_int_equal(svm_get(v, VREG_EFER), EFER_LME | EFER_LMA | EFER_NXE);
}

/* APM 2, "VMCB State Save Area": attributes are bits 55:52 and 47:40 of the descriptor. */
static void segments(void **state)
{
    static const struct {
        uint32_t access;
        uint16_t attributes;
    } rows[] = {
        { 0xa09b, 0xa9b }, /* 64-bit code */
        { 0xc093, 0xc93 },
        { 0xc0f3, 0xcf3 },
        { 0x008b, 0x08b },
        { 0xf0ff, 0xfff },
        { SEGMENT_ACCESS_UNUSABLE, 0 },
    };

    (void)state;
    for (unsigned seg = 0; seg < VSEG_GDTR; seg++)
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
            struct vsegment in = { .selector = (uint16_t)(8 * seg), .limit = 0xfffff000 + seg,
                                   .access = rows[i].access, .base = 0x123456789a + seg }, out;

            svm_set_segment(v, (enum vseg)seg, &in);
            memset(&out, 0xee, sizeof(out));
            svm_get_segment(v, (enum vseg)seg, &out);
            assert_int_equal(out.selector, in.selector);
            assert_int_equal(out.limit, in.limit);
            assert_int_equal(out.base, in.base);
            assert_int_equal(out.access, in.access);
            if (seg == VSEG_CS)
                assert_int_equal(save()->cs.attributes, rows[i].attributes);
        }
    assert_int_equal(save()->es.selector, 8 * VSEG_ES);
    assert_int_equal(save()->ss.selector, 8 * VSEG_SS);
    assert_int_equal(save()->ldtr.selector, 8 * VSEG_LDTR);
    assert_int_equal(save()->tr.selector, 8 * VSEG_TR);
    save()->ds.attributes = 0xc13; /* not present: the processor may leave the rest */
    struct vsegment ds;
    svm_get_segment(v, VSEG_DS, &ds);
    assert_true(ds.access & SEGMENT_ACCESS_UNUSABLE);
}

static void descriptor_tables(void **state)
{
    const struct vsegment in = { .limit = 0x7f, .base = 0xffff800000001000 };
    struct vsegment out = { .selector = 7, .access = 7 };

    (void)state;
    svm_set_segment(v, VSEG_GDTR, &in);
    assert_int_equal(save()->gdtr.base, in.base);
    assert_int_equal(save()->gdtr.limit, in.limit);
    assert_int_equal(save()->idtr.limit, 0xffff);
    svm_get_segment(v, VSEG_GDTR, &out);
    assert_int_equal(out.base, in.base);
    assert_int_equal(out.access, 0); /* there are none, and no selector */
    assert_int_equal(out.selector, 0);
}

/* CPL is a field of its own, and follows SS. */
static void privilege(void **state)
{
    struct vsegment user = { .selector = 0x2b, .limit = ~0u, .access = 0xc0f3 }, out;

    (void)state;
    assert_int_equal(svm_get(v, VREG_CPL), 0);
    svm_set_segment(v, VSEG_DS, &user);
    assert_int_equal(svm_get(v, VREG_CPL), 0);
    svm_set_segment(v, VSEG_SS, &user);
    assert_int_equal(svm_get(v, VREG_CPL), 3);
    user.access = SEGMENT_ACCESS_UNUSABLE;
    svm_set_segment(v, VSEG_SS, &user);
    assert_int_equal(svm_get(v, VREG_CPL), 0);
    /* a null selector in SS has a privilege level all the same, and keeps it */
    user.access = SEGMENT_ACCESS_UNUSABLE | 2 << SEGMENT_ACCESS_DPL_SHIFT;
    svm_set_segment(v, VSEG_SS, &user);
    svm_get_segment(v, VSEG_SS, &out);
    assert_int_equal(out.access, user.access);
    svm_set_segment(v, VSEG_SS, &out);
    assert_int_equal(svm_get(v, VREG_CPL), 2);
    out.access |= SEGMENT_ACCESS_P;
    svm_set_segment(v, VSEG_DS, &out);
    assert_false(save()->ds.attributes & SEGMENT_ACCESS_P);
}

static void code(void **state)
{
    struct vcode out;

    (void)state;
    code_64();
    save()->cr3 = 0x5000;
    svm_code(v, &out);
    assert_int_equal(out.cr3, 0x5000);
    assert_int_equal(out.cs_access, 0x209b);
    assert_int_equal(svm_get(v, VREG_CS_ACCESS), 0x209b);
    assert_int_equal(v->valid, VCPU_COPIES);
    save()->efer &= ~(uint64_t)EFER_LMA;
    svm_code(v, &out);
    assert_int_equal(out.cs_access, 0x9b); /* L is of no meaning */
}

/* Before anybody sets them, and without an INIT. */
static void created(void **state)
{
    (void)state;
    fake_svm_reset();
    fake_svm_create();
    assert_int_equal(save()->rip, 0xfff0);
    assert_int_equal(save()->rflags, RFLAGS_FIXED1);
}

/* APM 2, "Processor Initialization State"; also where the guest was in the middle of an NMI. */
static void reset(void **state)
{
    struct vsegment cs;

    (void)state;
    svm_of(v)->nmi_blocked = svm_of(v)->stepping = true;
    control()->event_inject = EVENT(EVENT_TYPE_INTR, 0x30);
    control()->interrupt_shadow = SHADOW_INTERRUPT;
    save()->rflags = ~0ull;
    assert_false(svm_nmi_ready(v)); /* has looked at all of it */
    assert_int_equal(svm_get(v, VREG_SHADOW), 1);
    svm_vcpu_reset(v);
    assert_int_equal(control()->event_inject, 0);
    assert_int_equal(control()->interrupt_shadow, 0);
    assert_true(svm_nmi_ready(v));
    assert_int_equal(svm_get(v, VREG_RIP), 0xfff0);
    assert_int_equal(svm_get(v, VREG_RFLAGS), RFLAGS_FIXED1);
    svm_get_segment(v, VSEG_CS, &cs);
    assert_int_equal(cs.base, 0xffff0000);
    assert_int_equal(cs.selector, 0xf000);
    assert_int_equal(save()->g_pat, PAT_RESET);
    assert_int_equal(save()->dr6, DR6_INIT);
    assert_int_equal(save()->dr7, DR7_INIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(fields, setup),
        cmocka_unit_test_setup(without_a_field, setup),
        cmocka_unit_test_setup(copies, setup),
        cmocka_unit_test_setup(shadow, setup),
        cmocka_unit_test_setup(cr0, setup),
        cmocka_unit_test_setup(cr4, setup),
        cmocka_unit_test_setup(efer, setup),
        cmocka_unit_test_setup(segments, setup),
        cmocka_unit_test_setup(descriptor_tables, setup),
        cmocka_unit_test_setup(privilege, setup),
        cmocka_unit_test_setup(code, setup),
        cmocka_unit_test_setup(created, setup),
        cmocka_unit_test_setup(reset, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
