/* SPDX-License-Identifier: MIT */
/* Every rule of the VMRUN checker: broken on purpose in a good VMCB, and none broken by good ones
 * (build host). */
/* sources: svm/check.c svm/check_rules.c */
/* flags: -Wl,--wrap=log_printf -Wl,--wrap=svm_rule */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/log.h"
#include "kernel/x86.h"
#include "svm/check.h"

#define PHYSICAL_BITS 40u
#define TOO_HIGH (1ull << PHYSICAL_BITS)
#define ASIDS 16u
#define HOST_CR3 0x7000ull
#define EVENT(type, vector) (EVENT_VALID | (uint64_t)(type) << EVENT_TYPE_SHIFT | (vector))
#define EXCEPTION(vector) EVENT(EVENT_TYPE_EXCEPTION, vector)
#define LONG_EFER (EFER_SVME | EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE)
#define LONG_CR0 (CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE)
#define LONG_CR4 (CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_PCIDE | CR4_OSXSAVE | CR4_CET)

static struct vmcb vmcb;
static char text[8192];
static struct cpuid_regs leaf1, leaf7;
static uint32_t svm_features;

struct cpuid_regs x86_test_cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    switch (leaf) {
    case CPUID_FEATURES:
        return leaf1;
    case CPUID_EXT_FEATURES:
        return leaf7;
    case CPUID_ADDRESS_SIZES:
        return (struct cpuid_regs){ .eax = 48u << 8 | PHYSICAL_BITS };
    case CPUID_SVM:
        return (struct cpuid_regs){ .ebx = ASIDS, .edx = svm_features };
    default:
        return (struct cpuid_regs){ 0 };
    }
}

void __wrap_log_printf(const char *format, ...);
void __wrap_log_printf(const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + used, sizeof(text) - used, format, arguments);
    va_end(arguments);
}

/* Every rule that was asked, and whether one was ever broken. */
#define RULES_MAX 64u
static struct {
    const char *text;
    bool seen_broken;
} rules[RULES_MAX];

void __real_svm_rule(struct svm_check *c, bool holds, const char *rule,
                     const struct svm_value *values);
void __wrap_svm_rule(struct svm_check *c, bool holds, const char *rule,
                     const struct svm_value *values);
void __wrap_svm_rule(struct svm_check *c, bool holds, const char *rule,
                     const struct svm_value *values)
{
    unsigned i = 0;

    while (i < RULES_MAX && rules[i].text && strcmp(rules[i].text, rule) != 0)
        i++;
    assert_true(i < RULES_MAX);
    rules[i].text = rule;
    rules[i].seen_broken |= !holds;
    __real_svm_rule(c, holds, rule, values);
}

/* A 64-bit guest that uses all that rules are about. */
static void long_mode(void)
{
    memset(&vmcb, 0, sizeof(vmcb));
    leaf1 = (struct cpuid_regs){ .ecx = CPUID_1_ECX_PCID | CPUID_1_ECX_XSAVE };
    leaf7 = (struct cpuid_regs){ .ecx = CPUID_7_ECX_CET_SS };
    svm_features = 0;
    vmcb.control.intercept_1 = INTERCEPT_1_NMI;
    vmcb.control.intercept_2 = INTERCEPT_2_VMRUN;
    vmcb.control.iopm_base = TOO_HIGH - IOPM_SIZE; /* its last byte is the last there is */
    vmcb.control.msrpm_base = TOO_HIGH - MSRPM_SIZE;
    vmcb.control.asid = ASIDS - 1;
    vmcb.control.tlb_control = TLB_FLUSH_ALL;
    vmcb.control.vintr = VINTR_MASKING | VINTR_NMI_ENABLE | VINTR_AVIC_ENABLE | VINTR_X2AVIC_ENABLE;
    vmcb.control.nested_control = NESTED_PAGING | NESTED_SHADOW_STACKS;
    vmcb.control.nested_cr3 = TOO_HIGH - PAGE_SIZE;
    vmcb.control.event_inject = EXCEPTION(VECTOR_GP) | EVENT_ERROR_CODE;
    vmcb.save.efer = LONG_EFER;
    vmcb.save.cr0 = LONG_CR0;
    vmcb.save.cr3 = 0x1000;
    vmcb.save.cr4 = LONG_CR4;
    vmcb.save.dr6 = DR6_INIT;
    vmcb.save.dr7 = DR7_INIT;
    vmcb.save.cs.attributes = 0xa9b;
    vmcb.save.s_cet = 3;
    vmcb.save.g_pat = PAT_RESET;
}

/* After INIT (APM 2, "Processor Initialization State"). */
static void real_mode(void)
{
    long_mode();
    vmcb.control.vintr = VINTR_MASKING;
    vmcb.control.event_inject = 0;
    vmcb.save.efer = EFER_SVME;
    vmcb.save.cr0 = CR0_CD | CR0_NW | CR0_ET;
    vmcb.save.cr3 = vmcb.save.cr4 = vmcb.save.s_cet = 0;
    vmcb.save.cs.attributes = 0x9b;
}

static unsigned check(void)
{
    text[0] = '\0';
    return svm_check("test", &vmcb, HOST_CR3);
}

static void assert_good(void)
{
    if (check() || strstr(text, "broken: "))
        fail_msg("%s", text);
    assert_non_null(strstr(text, "no rule that is known here is broken"));
}

static void good_states_break_nothing(void **state)
{
    (void)state;
    real_mode();
    assert_good();
    long_mode();
    assert_good();
    assert_non_null(strstr(text, "    cr3 = 0x1000\n"));
    assert_null(strstr(text, "the host's"));
}

struct change {
    size_t offset, size;
    uint64_t value;
};
#define PUT(member, value) { offsetof(struct vmcb, member), sizeof(vmcb.member), value }

static void put(const struct change *change)
{
    memcpy((uint8_t *)&vmcb + change->offset, &change->value, change->size);
}

/* One change to the guest in long mode breaks one rule. */
static const struct {
    const char *text; /* a piece of the rule's */
    struct change change;
} rows[] = {
    { "EFER.SVME is 1", PUT(save.efer, LONG_EFER & ~EFER_SVME) },
    { "reserved bits of EFER", PUT(save.efer, LONG_EFER | 1 << 9) },
    { "reserved bits of EFER", PUT(save.efer, LONG_EFER | 1ull << 32) },
    { "CR0.NW needs", PUT(save.cr0, LONG_CR0 | CR0_NW) },
    { "bits 63:32 of CR0", PUT(save.cr0, LONG_CR0 | 1ull << 32) },
    { "bits 63:32 of CR0", PUT(save.cr0, LONG_CR0 | 1ull << 63) },
    { "CR3 is within", PUT(save.cr3, TOO_HIGH) },
    { "CR3 is within", PUT(save.cr3, CR3_NOFLUSH) },
    { "CR4 has no bit", PUT(save.cr4, LONG_CR4 | CR4_SMAP) },
    { "CR4 has no bit", PUT(save.cr4, LONG_CR4 | CR4_VMXE) },
    { "CR4 has no bit", PUT(save.cr4, LONG_CR4 | 1ull << 63) },
    { "CR4.CET needs", PUT(save.cr0, LONG_CR0 & ~CR0_WP) },
    { "reserved bits of S_CET", PUT(save.s_cet, 4) },
    { "bits 63:32 of DR6", PUT(save.dr6, DR6_INIT | 1ull << 32) },
    { "bits 63:32 of DR7", PUT(save.dr7, DR7_INIT | 1ull << 63) },
    { "EFER.LME with CR0.PG needs CR4.PAE", PUT(save.cr4, LONG_CR4 & ~CR4_PAE) },
    { "EFER.LME with CR0.PG needs CR0.PE", PUT(save.cr0, LONG_CR0 & ~CR0_PE) },
    { "CS is not both L and D", PUT(save.cs.attributes, 0xe9b) },
    { "VMRUN is intercepted", PUT(control.intercept_2, (uint32_t)~INTERCEPT_2_VMRUN) },
    { "the I/O permissions map", PUT(control.iopm_base, TOO_HIGH - MSRPM_SIZE) },
    { "the I/O permissions map", PUT(control.iopm_base, TOO_HIGH - IOPM_SIZE + PAGE_SIZE) },
    { "the I/O permissions map", PUT(control.iopm_base, UINT64_MAX) },
    { "the MSR permissions map", PUT(control.msrpm_base, TOO_HIGH - PAGE_SIZE) },
    { "the MSR permissions map", PUT(control.msrpm_base, TOO_HIGH) },
    { "the ASID is not 0", PUT(control.asid, 0) },
    { "the ASID is not 0", PUT(control.asid, ASIDS) },
    { "TLB_CONTROL is a command", PUT(control.tlb_control, 2) },
    { "TLB_CONTROL is a command", PUT(control.tlb_control, TLB_FLUSH_ASID) },
    { "event's type is not reserved", PUT(control.event_inject, EVENT(1, 0x20)) },
    { "event's type is not reserved", PUT(control.event_inject, EVENT(5, 0x20)) },
    { "event's type is not reserved", PUT(control.event_inject, EVENT(7, 0x20)) },
    { "vector of an injected exception", PUT(control.event_inject, EXCEPTION(VECTOR_NMI)) },
    { "vector of an injected exception", PUT(control.event_inject, EXCEPTION(9)) },
    { "vector of an injected exception", PUT(control.event_inject, EXCEPTION(31)) },
    { "vector of an injected exception", PUT(control.event_inject, EXCEPTION(32)) },
    { "#OF and #BR", PUT(control.event_inject, EXCEPTION(VECTOR_BR)) },
    { "#OF and #BR", PUT(control.event_inject, EXCEPTION(VECTOR_OF)) },
    { "the nested CR3", PUT(control.nested_cr3, TOO_HIGH) },
    { "each type in G_PAT", PUT(save.g_pat, PAT_RESET | 0x08) },
    { "each type in G_PAT", PUT(save.g_pat, 0x0200000000000000) },
    { "each type in G_PAT", PUT(save.g_pat, 0x0000000000030000) },
    { "supervisor shadow stacks", PUT(control.nested_control, NESTED_SHADOW_STACKS) },
    { "virtual NMIs", PUT(control.intercept_1, (uint32_t)~INTERCEPT_1_NMI) },
    { "x2AVIC needs AVIC", PUT(control.vintr, VINTR_X2AVIC_ENABLE) },
};

static void rules_find_what_is_broken(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        long_mode();
        put(&rows[i].change);
        if (check() != 1 || !strstr(text, rows[i].text))
            fail_msg("row %zu, %s: %s", i, rows[i].text, text);
    }
    for (unsigned i = 0; i < RULES_MAX && rules[i].text; i++)
        if (!rules[i].seen_broken)
            fail_msg("no test breaks: %s", rules[i].text);
}

/* What looks alike and is allowed. */
static void exceptions_from_rules(void **state)
{
    static const struct change fine[] = {
        PUT(save.cr0, LONG_CR0 | CR0_CD | CR0_NW),
        PUT(save.cr0, LONG_CR0 & ~CR0_PG),
        PUT(save.cs.attributes, 0xc9b),
        PUT(save.cs.base, 0x800000000000), /* made canonical */
        PUT(save.rip, 0x800000000000),     /* #GP in the guest */
        PUT(control.iopm_base, 0xfff),     /* low bits are ignored */
        PUT(control.tlb_control, TLB_NOTHING),
        PUT(control.event_inject, EVENT(1, 0) & ~EVENT_VALID),
        PUT(control.event_inject, EVENT(EVENT_TYPE_NMI, VECTOR_NMI)),
        PUT(control.event_inject, EVENT(EVENT_TYPE_SOFTWARE, 0x80)),
        PUT(control.event_inject, EVENT(EVENT_TYPE_INTR, VECTOR_NMI)),
        PUT(control.exit_int_info, EVENT(1, 0)), /* of the exit before, as hardware leaves it */
        PUT(control.nested_control, 0),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
        long_mode();
        put(&fine[i]);
        if (check())
            fail_msg("row %zu: %s", i, text);
    }
    long_mode();
    svm_features = CPUID_8000000A_EDX_FLUSH_BY_ASID;
    vmcb.control.tlb_control = TLB_FLUSH_ASID;
    assert_good();
    vmcb.control.nested_control = 0;
    vmcb.save.g_pat = vmcb.control.nested_cr3 = UINT64_MAX;
    assert_good();
    real_mode();
    vmcb.control.event_inject = EXCEPTION(VECTOR_BR);
    assert_good();
}

static void bits_of_cr4_need_their_feature(void **state)
{
    static const struct {
        uint64_t bit;
        struct cpuid_regs leaf1, leaf7;
    } bits[] = {
        { CR4_PCIDE, { .ecx = CPUID_1_ECX_PCID }, { 0 } },
        { CR4_OSXSAVE, { .ecx = CPUID_1_ECX_XSAVE }, { 0 } },
        { CR4_FSGSBASE, { 0 }, { .ebx = CPUID_7_EBX_FSGSBASE } },
        { CR4_SMEP, { 0 }, { .ebx = CPUID_7_EBX_SMEP } },
        { CR4_SMAP, { 0 }, { .ebx = CPUID_7_EBX_SMAP } },
        { CR4_UMIP, { 0 }, { .ecx = CPUID_7_ECX_UMIP } },
        { CR4_PKE, { 0 }, { .ecx = CPUID_7_ECX_PKU } },
        { CR4_LA57, { 0 }, { .ecx = CPUID_7_ECX_LA57 } },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
        long_mode();
        vmcb.save.cr4 = CR4_PAE | bits[i].bit;
        leaf1 = leaf7 = (struct cpuid_regs){ 0 };
        assert_int_equal(check(), 1);
        leaf1 = bits[i].leaf1;
        leaf7 = bits[i].leaf7;
        assert_good();
    }
}

static void values_are_shown(void **state)
{
    (void)state;
    long_mode();
    vmcb.control.asid = 0;
    vmcb.save.cr0 = 0x180000001;
    assert_int_equal(check(), 3);
    assert_non_null(strstr(text, "test: broken: bits 63:32 of CR0 are 0 (APM 2, "
                                 "\"Canonicalization and Consistency Checks\")\n"
                                 "    cr0 = 0x180000001\n"));
    assert_non_null(strstr(text, "    asid = 0x0\n"));
    assert_null(strstr(text, "dr7"));
}

/* QEMU clears EVENTINJ, copies it to EXITINTINFO, and writes the registers that are loaded then,
 * which for most rules are still the host's. */
static void what_an_emulator_overwrites(void **state)
{
    (void)state;
    long_mode();
    vmcb.control.event_inject = 0;
    vmcb.control.exit_int_info = EVENT(5, 0x20);
    assert_int_equal(check(), 1);
    assert_non_null(strstr(text, "event's type is not reserved"));
    long_mode();
    vmcb.save.cr3 = HOST_CR3;
    assert_int_equal(check(), 0);
    assert_non_null(strstr(text, "the state is the host's"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_states_break_nothing),
        cmocka_unit_test(rules_find_what_is_broken),
        cmocka_unit_test(exceptions_from_rules),
        cmocka_unit_test(bits_of_cr4_need_their_feature),
        cmocka_unit_test(values_are_shown),
        cmocka_unit_test(what_an_emulator_overwrites),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
