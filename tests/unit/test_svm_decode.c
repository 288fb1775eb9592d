/* SPDX-License-Identifier: MIT */
/* VMCB exit fields to struct vmexit (build host). */
/* sources: svm/check.c svm/check_rules.c svm/ctls.c svm/decode.c svm/event.c svm/insn.c
 * svm/intercept.c svm/npt.c svm/probe.c svm/regs.c svm/run.c svm/setup.c kernel/pt_host.c
 * kernel/page.c kernel/vcpu_reset.c kernel/fetch.c kernel/insn.c tests/unit/fake_svm.c
 * tests/unit/host_stubs.c */
/* flags: -Wl,--wrap=log_printf */
#include "tests/unit/svm_case.h"

/* Of processors: Mullion itself has no use for them. */
#define NPF_FINAL BIT(32)     /* while translating the final guest-physical address */
#define NPF_PRESENT BIT(0)
#define NPF_USER BIT(2)
#define VMEXIT_DR_WRITE(n) (0x030u + (n))

#define INSN(code, kind) { VMEXIT_##code, #code, EXIT_##kind, CASE_LENGTH }
#define OTHER(code, kind) { VMEXIT_##code, #code, EXIT_##kind, 0 }
#define OPCODES_MAX 3u

/* With next RIP; a word that is zero says MSR read, and port 0. */
static void kinds(void **state)
{
    static const struct decode_row rows[] = {
        INSN(CPUID, CPUID), INSN(HLT, HLT), INSN(VMMCALL, HYPERCALL),
        { VMEXIT_MSR, "RDMSR", EXIT_MSR_READ, CASE_LENGTH },
        INSN(IOIO, IO), INSN(XSETBV, XSETBV), INSN(PAUSE, PAUSE), INSN(INVD, CACHE),
        INSN(WBINVD, CACHE), INSN(RDPMC, RDPMC),
        OTHER(INTR, INTERRUPT), { VMEXIT_NMI, "EXCP", EXIT_NONE, 0 },
        OTHER(SMI, NONE), OTHER(INIT, NONE),
        OTHER(VINTR, IRQ_WINDOW), OTHER(IRET, NMI_WINDOW), OTHER(TASK_SWITCH, TASK_SWITCH),
        OTHER(SHUTDOWN, TRIPLE_FAULT), OTHER(NPF, MEMORY),
        OTHER(INVALID, ENTRY_FAILED),
        OTHER(RSM, UNDEFINED), OTHER(INVLPGA, UNDEFINED), OTHER(VMRUN, UNDEFINED),
        OTHER(VMLOAD, UNDEFINED), OTHER(VMSAVE, UNDEFINED), OTHER(STGI, UNDEFINED),
        OTHER(CLGI, UNDEFINED), OTHER(SKINIT, UNDEFINED), OTHER(MONITOR, UNDEFINED),
        OTHER(MWAIT, UNDEFINED), OTHER(RDPRU, UNDEFINED), OTHER(INVLPGB, UNDEFINED),
        { VMEXIT_INVLPGB_ILLEGAL, "INVLPGB", EXIT_UNDEFINED, 0 },
        OTHER(MCOMMIT, UNDEFINED), OTHER(TLBSYNC, UNDEFINED),
        { VMEXIT_EXCP(VECTOR_DB), "EXCP", EXIT_EXCEPTION, 0 },
        { VMEXIT_EXCP(VECTOR_BP), "EXCP", EXIT_EXCEPTION, 1 },
        { VMEXIT_EXCP(VECTOR_AC), "EXCP", EXIT_EXCEPTION, 0 },
        { VMEXIT_EXCP(VECTOR_MC), "EXCP", EXIT_EXCEPTION, 0 },
        { VMEXIT_EXCP(VECTOR_TS), "EXCP", EXIT_NONE, 0 },
        { VMEXIT_EXCP(VECTOR_PF), "EXCP", EXIT_NONE, 0 },
    };

    (void)state;
    assert_kinds(rows, ARRAY_SIZE(rows));
}

/* APM 3: the opcode of each instruction that is intercepted for its own sake. */
static const struct {
    uint32_t code;
    uint64_t info;
    enum exit_kind kind;
    uint8_t count;
    uint8_t bytes[OPCODES_MAX];
} opcodes[] = {
    { VMEXIT_CPUID, 0, EXIT_CPUID, 2, { 0x0f, 0xa2 } },
    { VMEXIT_HLT, 0, EXIT_HLT, 1, { 0xf4 } },
    { VMEXIT_PAUSE, 0, EXIT_PAUSE, 2, { 0xf3, 0x90 } },
    { VMEXIT_RDPMC, 0, EXIT_RDPMC, 2, { 0x0f, 0x33 } },
    { VMEXIT_INVD, 0, EXIT_CACHE, 2, { 0x0f, 0x08 } },
    { VMEXIT_WBINVD, 0, EXIT_CACHE, 2, { 0x0f, 0x09 } },
    { VMEXIT_VMMCALL, 0, EXIT_HYPERCALL, 3, { 0x0f, 0x01, 0xd9 } },
    { VMEXIT_XSETBV, 0, EXIT_XSETBV, 3, { 0x0f, 0x01, 0xd1 } },
    { VMEXIT_MSR, 0, EXIT_MSR_READ, 2, { 0x0f, 0x32 } },
    { VMEXIT_MSR, 1, EXIT_MSR_WRITE, 2, { 0x0f, 0x30 } },
};

/* Its length is read from memory; where it is no longer there, the guest runs what is. */
static void without_next_rip(void **state)
{
    for (unsigned supported = 0; supported < 2; supported++)
        for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++) {
            setup(state);
            svm_caps.next_rip = supported; /* which may be 0 all the same */
            control()->next_rip = supported ? 0 : 0x777777;
            fake_svm_code(opcodes[i].bytes, opcodes[i].count);
            exit_with(opcodes[i].code, opcodes[i].info);
            assert_int_equal(last.kind, opcodes[i].kind);
            assert_int_equal(last.length, opcodes[i].count);
            assert_int_equal(v->rip, CASE_RIP); /* the loop steps from this copy */
            CODE(0x6f);
            exit_with(opcodes[i].code, opcodes[i].info);
            assert_int_equal(last.kind, EXIT_NONE);
            assert_int_equal(last.length, 0);
        }
}

/* Nothing is read from memory where the processor says it all. */
static void with_next_rip(void **state)
{
    (void)state;
    fake_svm.code_pages = 0;
    for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++) {
        exit_with(opcodes[i].code, opcodes[i].info);
        assert_int_equal(last.kind, opcodes[i].kind);
        assert_int_equal(last.length, CASE_LENGTH);
    }
}

/* A physical interrupt between STI and HLT: the HLT is done with it. */
static void interrupted_before_hlt(void **state)
{
    static const struct {
        uint32_t shadow, cpl;
        uint8_t opcode;
        enum exit_kind kind;
    } rows[] = {
        { SHADOW_INTERRUPT, 0, 0xf4, EXIT_HLT },
        { SHADOW_INTERRUPT, 3, 0xf4, EXIT_INTERRUPT }, /* it will fault */
        { SHADOW_INTERRUPT, 0, 0x90, EXIT_INTERRUPT },
        { 0, 0, 0xf4, EXIT_INTERRUPT },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(state);
        control()->interrupt_shadow = rows[i].shadow;
        save()->cpl = (uint8_t)rows[i].cpl;
        CODE(rows[i].opcode);
        exit_with(VMEXIT_INTR, 0);
        assert_int_equal(last.kind, rows[i].kind);
        assert_string_equal(svm_exit_name(last.code), "INTR");
        assert_int_equal(last.length, rows[i].kind == EXIT_HLT);
        if (last.length)
            assert_int_equal(v->rip, CASE_RIP);
    }
}

static void codes_beyond_the_table(void **state)
{
    static const uint64_t codes[] = {
        VMEXIT_FERR_FREEZE,
        VMEXIT_CR_READ(1), VMEXIT_DR_WRITE(7), VMEXIT_EXCP(VECTOR_UD), VMEXIT_EXCP(31),
        VMEXIT_RDTSC, VMEXIT_PUSHF, VMEXIT_CR0_WRITE_TRAP, 0x9f, VMEXIT_INVPCID, VMEXIT_IDLE_HLT,
        0xaf, 0xb0, 0xbe, 0xbf, 0xc0, 0x3ff, VMEXIT_AVIC_INCOMPLETE_IPI, VMEXIT_AVIC_NOACCEL,
        VMEXIT_VMGEXIT, 0x40d, 0x40e, 0x40f, 0x410, 0x10000, 0x7fffffff, 0xfffffffe,
        0x100000072, 0x10000006e, 0xfffffffffffffffe,
    };

    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        setup(state);
        exit_with(codes[i], 0);
        if (last.kind != EXIT_UNKNOWN || last.length != 0)
            fail_msg("0x%llx: kind %u", (unsigned long long)codes[i], last.kind);
        assert_int_equal(last.code, SVM_CODE_UNKNOWN);
        assert_non_null(strstr(fake_svm.log, "exit code 0x"));
    }
    assert_null(svm_exit_name(SVM_CODE_UNKNOWN));
    assert_false(svm_exit_enabled(SVM_CODE_UNKNOWN));
    assert_null(svm_exit_name(SVM_CODES));
    assert_false(svm_exit_enabled(SVM_CODES));
    assert_true(SVM_CODES <= VCPU_EXIT_CODES);
}

/* SDM 3D, Appendix C: what courses ask for. */
static void numbers_of_vt_x(void **state)
{
    static const struct {
        uint64_t code, info;
        uint8_t number;
        const char *name;
    } rows[] = {
        { VMEXIT_EXCP(VECTOR_AC), 0, 0, "EXCP" }, { VMEXIT_INTR, 0, 1, "INTR" },
        { VMEXIT_SHUTDOWN, 0, 2, "SHUTDOWN" }, { VMEXIT_VINTR, 0, 7, "VINTR" },
        { VMEXIT_CPUID, 0, 10, "CPUID" }, { VMEXIT_HLT, 0, 12, "HLT" },
        { VMEXIT_VMMCALL, 0, 18, "VMMCALL" }, { VMEXIT_CR_WRITE(0), CR_INFO_MOV, 28, "CR" },
        { VMEXIT_CR_READ(8), CR_INFO_MOV, 28, "CR" }, { VMEXIT_IOIO, 0, 30, "IOIO" },
        { VMEXIT_MSR, 0, 31, "RDMSR" }, { VMEXIT_MSR, 1, 32, "WRMSR" },
        { VMEXIT_INVALID, 0, 33, "INVALID" }, { VMEXIT_NPF, 0, 48, "NPF" },
        { VMEXIT_XSETBV, 0, 55, "XSETBV" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(state);
        exit_with(rows[i].code, rows[i].info);
        assert_int_equal(last.code, rows[i].number);
        assert_string_equal(svm_exit_name(last.code), rows[i].name);
        assert_true(svm_exit_enabled(last.code));
    }
    assert_string_equal(svm_exit_name(52), "TIMER");
    assert_non_null(svm_exit_name(37)); /* is defined, but can't happen */
    assert_false(svm_exit_enabled(37));
    assert_null(svm_exit_name(35));
}

/* APM 2 says -1; QEMU before 8 fills the low half only. */
static void refused(void **state)
{
    static const uint64_t codes[] = { ~0ull, 0x00000000ffffffff };

    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        setup(state);
        save()->efer = 0;
        exit_with(codes[i], 0);
        assert_int_equal(last.kind, EXIT_ENTRY_FAILED);
        assert_string_equal(svm_exit_name(last.code), "INVALID");
        assert_int_equal(last.length, 0);
        assert_non_null(strstr(fake_svm.log, "VMEXIT_INVALID"));
        assert_non_null(strstr(fake_svm.log, "broken"));
    }
}

/* The step past an instruction relies on these copies. */
static void copies_with_an_instruction(void **state)
{
    (void)state;
    save()->rflags = RFLAGS_FIXED1 | RFLAGS_TF;
    control()->interrupt_shadow = SHADOW_INTERRUPT;
    exit_with(VMEXIT_CPUID, 0);
    assert_int_equal(v->rip, CASE_RIP);
    assert_int_equal(v->rflags, RFLAGS_FIXED1 | RFLAGS_TF);
    assert_int_equal(v->shadow & VCPU_SHADOW_MASK, SHADOW_INTERRUPT);
    v->rip += 2;
    v->shadow = 0;
    v->dirty = VCPU_RIP | VCPU_SHADOW;
    assert_int_equal(save()->rip, CASE_RIP); /* written at the next entry only */
    exit_with(VMEXIT_NMI, 0);
    assert_int_equal(fake_svm.entered.save.rip, CASE_RIP + 2);
    assert_int_equal(fake_svm.entered.control.interrupt_shadow, 0);
    assert_int_equal(v->dirty, 0);
}

static void io(void **state)
{
    static const struct {
        uint64_t info;
        uint16_t port;
        uint8_t size;
        bool in, string;
    } rows[] = {
        { 0x03f80010, 0x3f8, 1, false, false },
        { 0x0cfc0041, 0xcfc, 4, true, false },
        { 0xffff0020, 0xffff, 2, false, false },
        { 0x01f00025, 0x1f0, 2, true, true },
        { 0x01f0014d, 0x1f0, 4, true, true },   /* with the address size beside it */
        { 0x00801e9c, 0x80, 1, false, true },   /* and a segment */
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(state);
        svm_caps.next_rip = i & 1;
        control()->exit_info2 = CASE_RIP + 1 + i;
        exit_with(VMEXIT_IOIO, rows[i].info);
        assert_io(rows[i].port, rows[i].size, rows[i].in, rows[i].string);
        assert_int_equal(last.length, 1 + i);
    }
}

/* With decode assists the register of a MOV; all else is read from memory. */
static void cr(void **state)
{
    static const struct {
        uint64_t code;
        uint8_t modrm, number;
        bool write;
    } rows[] = {
        { VMEXIT_CR_READ(0), 0xc3, 0, false }, { VMEXIT_CR_READ(4), 0xe3, 4, false },
        { VMEXIT_CR_WRITE(4), 0xe3, 4, true },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(state);
        CODE(0x0f, 0x06); /* not looked at */
        exit_with(rows[i].code, CR_INFO_MOV | R15);
        assert_mov_cr(rows[i].number, rows[i].write, R15);
        assert_int_equal(last.length, CASE_LENGTH);
        CODE(0x66, 0x0f, rows[i].write ? 0x22 : 0x20, rows[i].modrm);
        svm_caps.decode_assists = false;
        exit_with(rows[i].code, CR_INFO_MOV | R15); /* means nothing then */
        assert_mov_cr(rows[i].number, rows[i].write, RBX);
        assert_int_equal(last.length, 4);
        svm_caps.decode_assists = true;
        exit_with(rows[i].code, 0);
        assert_mov_cr(rows[i].number, rows[i].write, RBX);
        svm_caps.next_rip = false;
        exit_with(rows[i].code, CR_INFO_MOV | R15);
        assert_int_equal(last.length, 4);
        CODE(0x0f, 0xa2);
        exit_with(rows[i].code, 0);
        assert_int_equal(last.kind, EXIT_NONE);
        assert_int_equal(last.length, 0);
    }
    setup(state);
    exit_with(VMEXIT_CR_WRITE(8), CR_INFO_MOV | RCX);
    assert_mov_cr(8, true, RCX);
    exit_with(VMEXIT_CR_READ(8), CR_INFO_MOV | RDX);
    assert_mov_cr(8, false, RDX);
}

static void memory(void **state)
{
    (void)state;
    control()->exit_info2 = 0xfee00080;
    exit_with(VMEXIT_NPF, NPF_FINAL | NPF_USER);
    assert_memory(0xfee00080, 'r', false);
    exit_with(VMEXIT_NPF, NPF_FINAL | NPF_USER | NPF_WRITE);
    assert_memory(0xfee00080, 'w', false);
    exit_with(VMEXIT_NPF, NPF_FINAL | NPF_USER | NPF_FETCH | NPF_PRESENT);
    assert_memory(0xfee00080, 'x', false);
    exit_with(VMEXIT_NPF, NPF_PAGE_WALK | NPF_USER | NPF_WRITE | NPF_PRESENT);
    assert_memory(0xfee00080, 'w', true);
    assert_int_equal(last.length, 0);
}

static void exceptions(void **state)
{
    (void)state;
    exit_with(VMEXIT_EXCP(VECTOR_AC), 0x1234);
    assert_int_equal(last.vector, VECTOR_AC);
    assert_int_equal(last.event, VEVENT_EXCEPTION);
    assert_true(last.has_error_code);
    assert_int_equal(last.error_code, 0x1234);
    save()->dr6 = DR6_INIT | DR6_BS | DR6_B1;
    exit_with(VMEXIT_EXCP(VECTOR_DB), 0);
    assert_int_equal(last.vector, VECTOR_DB);
    assert_false(last.has_error_code);
    assert_int_equal(last.debug_status, DR6_BS | DR6_B1);
    exit_with(VMEXIT_EXCP(VECTOR_BP), 0);
    assert_int_equal(last.vector, VECTOR_BP);
    assert_int_equal(last.event, VEVENT_SOFT_EXCEPTION);
    exit_with(VMEXIT_EXCP(VECTOR_MC), 0);
    assert_int_equal(last.vector, VECTOR_MC);
    assert_false(last.has_error_code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(kinds, setup),
        cmocka_unit_test_setup(without_next_rip, setup),
        cmocka_unit_test_setup(with_next_rip, setup),
        cmocka_unit_test_setup(interrupted_before_hlt, setup),
        cmocka_unit_test_setup(codes_beyond_the_table, setup),
        cmocka_unit_test_setup(numbers_of_vt_x, setup),
        cmocka_unit_test_setup(refused, setup),
        cmocka_unit_test_setup(copies_with_an_instruction, setup),
        cmocka_unit_test_setup(io, setup),
        cmocka_unit_test_setup(cr, setup),
        cmocka_unit_test_setup(memory, setup),
        cmocka_unit_test_setup(exceptions, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
