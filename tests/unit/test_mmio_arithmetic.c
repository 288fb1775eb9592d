/* SPDX-License-Identifier: MIT */
/* Arithmetic on device registers, with flags as the processor makes them (build host). */
/* sources: kernel/exit_memory.c kernel/emulate_string.c kernel/exit_io.c kernel/fetch.c
 * kernel/insn.c kernel/gwalk.c kernel/inject.c
 * kernel/vcpu.c kernel/gmem.c kernel/pt.c
 * kernel/pt_change.c kernel/pt_read.c kernel/page.c kernel/iobus.c vmx/ept.c
 * tests/unit/fake_backend.c tests/unit/fake_guest.c tests/unit/fake_stubs.c
 * tests/unit/host_stubs.c */
#include "tests/unit/mmio_case.h"

#define FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* Flags against the build host's own processor. */
#define HOST_FLAGS(insn, type, a, b)                                                               \
    ({                                                                                             \
        uint64_t flags_;                                                                           \
        type a_ = (type)(a);                                                                       \
        __asm__("xorl %%edx, %%edx; " insn " %2, %1; pushfq; popq %0"                              \
                : "=&r"(flags_), "+&q"(a_)                                                         \
                : "q"((type)(b))                                                                   \
                : "cc", "rdx");                                                                    \
        result = a_;                                                                               \
        flags_ & FLAGS;                                                                            \
    })

static const struct {
    const char *code; /* op [esi], ebx and its byte form */
    const char *code8;
    bool writes, logic;
} operations[] = {
    { "\x01\x1e", "\x00\x1e", true, false }, /* add */
    { "\x29\x1e", "\x28\x1e", true, false }, /* sub */
    { "\x39\x1e", "\x38\x1e", false, false }, /* cmp */
    { "\x21\x1e", "\x20\x1e", true, true },  /* and */
    { "\x09\x1e", "\x08\x1e", true, true },  /* or */
    { "\x31\x1e", "\x30\x1e", true, true },  /* xor */
    { "\x85\x1e", "\x84\x1e", false, true }, /* test */
};

#define HOST_CASE(number, insn)                                                                    \
    case number:                                                                                   \
        flags = byte ? HOST_FLAGS(insn "b", uint8_t, a, b) : HOST_FLAGS(insn "l", uint32_t, a, b); \
        break

static uint64_t host(unsigned op, bool byte, uint32_t a, uint32_t b, uint64_t *out)
{
    uint64_t result = 0, flags = 0;

    switch (op) {
        HOST_CASE(0, "add");
        HOST_CASE(1, "sub");
        HOST_CASE(2, "cmp");
        HOST_CASE(3, "and");
        HOST_CASE(4, "or");
        HOST_CASE(5, "xor");
        HOST_CASE(6, "test");
    }
    *out = result;
    return flags;
}

static void arithmetic_as_the_processor_does(void **state)
{
    static const uint32_t values[] = { 0, 1, 0x0f, 0x10, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000,
                                       0xffffffff, 0x12345678 };

    (void)state;
    for (unsigned op = 0; op < ARRAY_SIZE(operations); op++)
        for (unsigned i = 0; i < 2 * ARRAY_SIZE(values) * ARRAY_SIZE(values); i++) {
            bool byte = i & 1;
            uint32_t a = values[i / 2 % ARRAY_SIZE(values)];
            uint32_t b = values[i / 2 / ARRAY_SIZE(values)];
            /* AF is undefined after logic */
            uint64_t mask = operations[op].logic ? FLAGS & ~RFLAGS_AF : FLAGS, result;
            uint64_t flags = host(op, byte, a, b, &result);

            fake.access_count = 0;
            fake.registers[1] = a;
            v->gpr[RBX] = b;
            put_code(byte ? operations[op].code8 : operations[op].code, 2);
            assert_int_equal(access(REG(8), true), VERDICT_NEXT);
            fake_write_back();
            assert_int_equal(fake.regs[VREG_RFLAGS] & mask, flags & mask);
            assert_int_equal(fake.access_count, operations[op].writes ? 2 : 1);
            if (operations[op].writes)
                assert_access(1, 8, byte ? 1 : 4, true, result);
        }
}

static void arithmetic_forms(void **state)
{
    (void)state;
    fake.registers[1] = 0x100;
    v->gpr[RBX] = 5;
    INSTRUCTION("\x03\x1e", 8); /* add ebx, [esi] */
    assert_int_equal(v->gpr[RBX], 0x105);
    assert_int_equal(fake.access_count, 1);
    INSTRUCTION("\x83\x0e\xf0", 8); /* or dword [esi], -16 */
    assert_access(2, 8, 4, true, 0xfffffff0);
    INSTRUCTION("\x81\x26\x0f\xff\x00\x00", 8); /* and dword [esi], ff0fh */
    assert_access(4, 8, 4, true, 0xff00);
    INSTRUCTION("\xf7\x06\x00\x01\x00\x00", 8); /* test dword [esi], 100h */
    assert_int_equal(last.length, 6);
    assert_int_equal(fake.access_count, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(arithmetic_as_the_processor_does, setup),
        cmocka_unit_test_setup(arithmetic_forms, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
