/* SPDX-License-Identifier: MIT */
/* sources: kernel/insn.c */
/*
 * The decoder against the compiler's assembler (build host): each case is an instruction as text,
 * so that lengths and encodings are not ours, and what the decoder must say of it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/backend.h"
#include "kernel/insn.h"
#include "kernel/vcpu.h"

#define HIGH(gpr) ((gpr) | INSN_HIGH_BYTE)

/* Bytes of an instruction in a mode: ASSEMBLE(from, to, ".code32", "movl (%eax), %ecx") */
#define ASSEMBLE(from, to, directive, text)                                                        \
    __asm__(".pushsection .rodata\n" directive "\n771:\n" text "\n772:\n.code64\n.popsection\n"    \
            "leaq 771b(%%rip), %0\nleaq 772b(%%rip), %1"                                           \
            : "=r"(from), "=r"(to))

static void check(const char *text, const uint8_t *from, const uint8_t *to, enum insn_mode mode,
                  struct insn expected)
{
    size_t length = (size_t)(to - from);
    struct insn_code code = { .count = INSN_MAX };
    struct insn got;

    memset(code.bytes, 0x90, sizeof(code.bytes));
    memcpy(code.bytes, from, length);
    if (insn_decode(&code, mode, &got) != 0)
        fail_msg("%s: refused", text);
    expected.length = (uint8_t)length;
    if (!expected.address_size)
        expected.address_size = mode == INSN_64 ? 8 : mode == INSN_32 ? 4 : 2;
    if (got.op != expected.op || got.length != expected.length || got.size != expected.size ||
        got.address_size != expected.address_size || got.rep != expected.rep ||
        got.segment != expected.segment || got.immediate_valid != expected.immediate_valid ||
        got.to_register != expected.to_register || got.sign != expected.sign ||
        got.opcode != expected.opcode || got.base != expected.base ||
        got.index != expected.index || got.scale != expected.scale)
        fail_msg("%s: op %u length %u size %u address %u", text, got.op, got.length, got.size,
                 got.address_size);
    if (expected.immediate_valid)
        assert_int_equal(got.immediate, expected.immediate);
    else if (got.gpr != expected.gpr && (expected.opcode >> 8 != 0x0f01 ||
                                         !INSN_IN_MEMORY(expected.opcode)))
        fail_msg("%s: register 0x%x", text, got.gpr);
    if (expected.op == INSN_LOAD && got.extend != expected.extend)
        fail_msg("%s: extends to %u", text, got.extend);
    /* cut off anywhere, it is not complete */
    for (code.count = 0; code.count < length; code.count++)
        assert_int_equal(insn_decode(&code, mode, &got), -ENODATA);
}

#define CHECK(mode, directive, text, ...)                                                          \
    do {                                                                                           \
        const uint8_t *from, *to;                                                                  \
        ASSEMBLE(from, to, directive, text);                                                       \
        check(text, from, to, mode, (struct insn){ __VA_ARGS__ });                                 \
    } while (0)
#define CODE64(text, ...) CHECK(INSN_64, ".code64", text, __VA_ARGS__)
#define CODE32(text, ...) CHECK(INSN_32, ".code32", text, __VA_ARGS__)
#define CODE16(text, ...) CHECK(INSN_16, ".code16", text, __VA_ARGS__)

#define LOAD(bytes, reg) .op = INSN_LOAD, .size = (bytes), .extend = (bytes), .gpr = (reg)
#define STORE(bytes, reg) .op = INSN_STORE, .size = (bytes), .gpr = (reg)
#define EXTEND(from, to, reg) .op = INSN_LOAD, .size = (from), .extend = (to), .gpr = (reg)
#define IMMEDIATE(value) .immediate_valid = true, .immediate = (uint64_t)(value)

static void test_moves(void **state)
{
    (void)state;
    CODE64("movl (%%rdi), %%eax", LOAD(4, RAX));
    CODE64("movq 0x12345678(%%r8,%%r9,4), %%r15", LOAD(8, R15));
    CODE64("movw 8(%%rsp), %%dx", LOAD(2, RDX));
    CODE64("movb (%%rbp), %%ah", LOAD(1, HIGH(RAX)));
    CODE64("movb (%%rbp), %%bh", LOAD(1, HIGH(RBX)));
    CODE64("movb (%%r13), %%sil", LOAD(1, RSI));
    CODE64("movb (%%r12), %%r12b", LOAD(1, R12));
    CODE64("movl 0x1000(%%rip), %%ecx", LOAD(4, RCX));
    CODE64("movl 0x1000(,%%rax,8), %%ecx", LOAD(4, RCX));
    CODE64("movl %%esp, (%%rdi)", STORE(4, RSP));
    CODE64("movb %%ch, (%%rdi)", STORE(1, HIGH(RCX)));
    CODE64("movw %%r10w, -4(%%rbp)", STORE(2, R10));
    CODE64("movl %%eax, %%fs:(%%rdi)", STORE(4, RAX), .segment = VSEG_FS + 1);
    CODE64("movl (%%edi), %%eax", LOAD(4, RAX), .address_size = 4);
    CODE64("movabsl 0x1122334455667788, %%eax", LOAD(4, RAX));
    CODE64("movabsb %%al, 0x1122334455667788", STORE(1, RAX));
    CODE32("movl 0xfec00010, %%eax", LOAD(4, RAX));
    CODE32("movl 0xfec00010, %%edi", LOAD(4, RDI));
    CODE32("movw %%cx, 4(%%esi,%%ebx,2)", STORE(2, RCX));
    CODE16("movl %%es:0x10, %%eax", LOAD(4, RAX), .segment = VSEG_ES + 1);
    CODE16("movw (%%bx,%%si), %%bp", LOAD(2, RBP));
    CODE16("movb 0x1234(%%di), %%dl", LOAD(1, RDX));
    CODE16("movw 0x12(%%bp), %%dx", LOAD(2, RDX));
    CODE16("movw (%%eax,%%ecx,4), %%dx", LOAD(2, RDX), .address_size = 4);
}

static void test_immediates(void **state)
{
    (void)state;
    CODE64("movl $0x12345678, (%%rdi)", STORE(4, 0), IMMEDIATE(0x12345678));
    CODE64("movq $-2, 0x1000(%%rip)", STORE(8, 0), IMMEDIATE(-2));
    CODE64("movw $0x8001, (%%rax)", STORE(2, 0), IMMEDIATE(-0x7fff));
    CODE64("movb $0x7f, 1(%%rax,%%rax)", STORE(1, 0), IMMEDIATE(0x7f));
    CODE32("movl $0xfee00000, (%%edi)", STORE(4, 0), IMMEDIATE(-0x1200000));
    CODE16("movw $5, 4", STORE(2, 0), IMMEDIATE(5));
}

static void test_extensions(void **state)
{
    (void)state;
    CODE64("movzbl (%%rdi), %%eax", EXTEND(1, 4, RAX));
    CODE64("movzbl (%%rdi), %%esp", EXTEND(1, 4, RSP)); /* not AH */
    CODE64("movzbl (%%rdi), %%edi", EXTEND(1, 4, RDI));
    CODE64("movzbw (%%rdi), %%bp", EXTEND(1, 2, RBP));
    CODE64("movzbq (%%rdi), %%r9", EXTEND(1, 8, R9));
    CODE64("movzwl (%%rdi), %%ecx", EXTEND(2, 4, RCX));
    CODE64("movsbq (%%rdi), %%rcx", EXTEND(1, 8, RCX), .sign = true);
    CODE64("movswl (%%rdi), %%ecx", EXTEND(2, 4, RCX), .sign = true);
    CODE64("movslq (%%rdi), %%rdx", EXTEND(4, 8, RDX), .sign = true);
    CODE64(".byte 0x66, 0x63, 0x0f", EXTEND(2, 2, RCX), .sign = true); /* MOVSXD of a word */
    CODE32("movzbl (%%edi), %%esi", EXTEND(1, 4, RSI));
    CODE16("movzbw (%%di), %%si", EXTEND(1, 2, RSI));
}

#define ARITHMETIC(name, kind)                                                                     \
    CODE64(name "l %%ecx, (%%rdi)", .op = (kind), .size = 4, .gpr = RCX);                          \
    CODE64(name "q 8(%%rdi), %%r11", .op = (kind), .size = 8, .gpr = R11, .to_register = true);    \
    CODE64(name "b %%dh, (%%rdi)", .op = (kind), .size = 1, .gpr = HIGH(RDX));                     \
    CODE64(name "b (%%rdi), %%dil", .op = (kind), .size = 1, .gpr = RDI, .to_register = true);     \
    CODE64(name "l $0x1234567, (%%rdi)", .op = (kind), .size = 4, IMMEDIATE(0x1234567));           \
    CODE64(name "w $0x1234, (%%rdi)", .op = (kind), .size = 2, IMMEDIATE(0x1234));                 \
    CODE64(name "l $-3, 0x100(%%rip)", .op = (kind), .size = 4, IMMEDIATE(-3));                    \
    CODE64(name "b $0x40, (%%rdi)", .op = (kind), .size = 1, IMMEDIATE(0x40));                     \
    CODE16(name "w $0x1234, (%%di)", .op = (kind), .size = 2, IMMEDIATE(0x1234))

static void test_arithmetic(void **state)
{
    (void)state;
    ARITHMETIC("add", INSN_ADD);
    ARITHMETIC("or", INSN_OR);
    ARITHMETIC("and", INSN_AND);
    ARITHMETIC("sub", INSN_SUB);
    ARITHMETIC("xor", INSN_XOR);
    ARITHMETIC("cmp", INSN_CMP);
    CODE64("lock orl %%ecx, (%%rdi)", .op = INSN_OR, .size = 4, .gpr = RCX);
    CODE64("testl %%ecx, (%%rdi)", .op = INSN_TEST, .size = 4, .gpr = RCX);
    CODE64("testb $1, (%%rdi)", .op = INSN_TEST, .size = 1, IMMEDIATE(1));
    CODE64("testq $0x10000, (%%rdi)", .op = INSN_TEST, .size = 8, IMMEDIATE(0x10000));
    CODE64("xchgl %%ecx, (%%rdi)", .op = INSN_EXCHANGE, .size = 4, .gpr = RCX);
    CODE64("xchgb %%ah, (%%rdi)", .op = INSN_EXCHANGE, .size = 1, .gpr = HIGH(RAX));
}

static void test_bits(void **state)
{
    (void)state;
    CODE64("btl %%ecx, (%%rdi)", .op = INSN_BT, .size = 4, .gpr = RCX);
    CODE64("lock btsq %%r9, (%%rdi)", .op = INSN_BTS, .size = 8, .gpr = R9);
    CODE64("btrw $5, 8(%%rdi)", .op = INSN_BTR, .size = 2, IMMEDIATE(5));
    CODE64("btcl $31, (%%rdi)", .op = INSN_BTC, .size = 4, IMMEDIATE(31));
    CODE16("btw $3, (%%di)", .op = INSN_BT, .size = 2, IMMEDIATE(3));
}

static void test_strings(void **state)
{
    (void)state;
    CODE64("stosb", .op = INSN_STORE_STRING, .size = 1);
    CODE64("rep stosq", .op = INSN_STORE_STRING, .size = 8, .rep = true);
    CODE64("addr32 rep stosl", .op = INSN_STORE_STRING, .size = 4, .rep = true, .address_size = 4);
    CODE64("lodsw", .op = INSN_LOAD_STRING, .size = 2);
    CODE64("movsb", .op = INSN_MOVE_STRING, .size = 1);
    CODE64(".byte 0xf3, 0x64, 0x48, 0xa5", .op = INSN_MOVE_STRING, .size = 8, .rep = true,
           .segment = VSEG_FS + 1);
    CODE32("rep movsw", .op = INSN_MOVE_STRING, .size = 2, .rep = true);
    CODE64("insb", .op = INSN_PORT_IN, .size = 1);
    CODE64("rep outsl", .op = INSN_PORT_OUT, .size = 4, .rep = true);
    CODE64("outsb %%gs:(%%rsi), %%dx", .op = INSN_PORT_OUT, .size = 1, .segment = VSEG_GS + 1);
    CODE16("rep insw", .op = INSN_PORT_IN, .size = 2, .rep = true);
    CODE16("outsl", .op = INSN_PORT_OUT, .size = 4);
}

#define SYSTEM(bytes, operand) .op = INSN_SYSTEM, .opcode = (bytes), .size = (operand)
#define REGISTER(number) .gpr = (number)
#define AT(b, i, s) .base = (b), .index = (i), .scale = (s)

static void test_system(void **state)
{
    (void)state;
    CODE64("cpuid", SYSTEM(0x0fa2, 4));
    CODE32("cpuid", SYSTEM(0x0fa2, 4));
    CODE16("cpuid", SYSTEM(0x0fa2, 2));
    CODE64("rdmsr", SYSTEM(0x0f32, 4));
    CODE64("wrmsr", SYSTEM(0x0f30, 4));
    CODE64("rdpmc", SYSTEM(0x0f33, 4));
    CODE64("wbinvd", SYSTEM(0x0f09, 4));
    CODE64("wbnoinvd", SYSTEM(0x0f09, 4), .rep = true);
    CODE64("invd", SYSTEM(0x0f08, 4));
    CODE64("pause", SYSTEM(0x90, 4), .rep = true);
    CODE64("hlt", SYSTEM(0xf4, 4));
    CODE64("vmmcall", SYSTEM(0x0f01d9, 4), REGISTER(RCX));
    CODE64("xsetbv", SYSTEM(0x0f01d1, 4), REGISTER(RCX));
    CODE64("int3", SYSTEM(0xcc, 4));
    CODE64("int $0x80", SYSTEM(0xcd, 4), IMMEDIATE(-0x80));
    CODE32("into", SYSTEM(0xce, 4));
    CODE64("clts", SYSTEM(0x0f06, 4));
    CODE64("movq %%cr0, %%r15", SYSTEM(0x0f20c7, 4), REGISTER(R15));
    CODE64("movq %%rsp, %%cr4", SYSTEM(0x0f22e4, 4), REGISTER(RSP));
    CODE64("movq %%r9, %%cr8", SYSTEM(0x0f22c1, 4), REGISTER(R9));
    CODE64("smsw %%ax", SYSTEM(0x0f01e0, 2), REGISTER(RAX));
    CODE64("smsw %%r9d", SYSTEM(0x0f01e1, 4), REGISTER(R9));
    CODE64("smsw %%rbx", SYSTEM(0x0f01e3, 8), REGISTER(RBX));
    CODE64("lmsw %%cx", SYSTEM(0x0f01f1, 4), REGISTER(RCX));
}

#define SMSW(modrm) SYSTEM(0x0f0100u | (modrm), 2)
#define IN_STACK .segment = VSEG_SS + 1

/* Operands in memory whose address the exit does not tell. */
static void test_addresses(void **state)
{
    (void)state;
    CODE64("smsw (%%rdi)", SMSW(0x27), AT(RDI, INSN_NO_GPR, 0));
    CODE64("lmsw (%%r15)", SMSW(0x37), AT(R15, INSN_NO_GPR, 0));
    CODE64("smsw -8(%%rbp)", SMSW(0x65), AT(RBP, INSN_NO_GPR, 0), IN_STACK, IMMEDIATE(-8));
    CODE64("smsw (%%rsp)", SMSW(0x24), AT(RSP, INSN_NO_GPR, 0), IN_STACK);
    CODE64("smsw (%%r12)", SMSW(0x24), AT(R12, INSN_NO_GPR, 0));
    CODE64("smsw (%%r13)", SMSW(0x65), AT(R13, INSN_NO_GPR, 0), IMMEDIATE(0));
    CODE64("smsw 0x123(%%r13,%%r12,4)", SMSW(0xa4), AT(R13, R12, 2), IMMEDIATE(0x123));
    CODE64("smsw 0x10(,%%rax,8)", SMSW(0x24), AT(INSN_NO_GPR, RAX, 3), IMMEDIATE(0x10));
    CODE64("smsw 0x10(,%%r13,2)", SMSW(0x24), AT(INSN_NO_GPR, R13, 1), IMMEDIATE(0x10));
    CODE64("smsw -0x80000000", SMSW(0x24), AT(INSN_NO_GPR, INSN_NO_GPR, 0),
           IMMEDIATE(-0x80000000ll));
    CODE64("smsw 0x100(%%rip)", SMSW(0x25), AT(INSN_RIP, INSN_NO_GPR, 0), IMMEDIATE(0x100));
    CODE64("smsw %%gs:(%%esi,%%edi)", SMSW(0x24), AT(RSI, RDI, 0), .address_size = 4,
           .segment = VSEG_GS + 1);
    CODE32("smsw 0xfec00000", SMSW(0x25), AT(INSN_NO_GPR, INSN_NO_GPR, 0),
           IMMEDIATE(-0x1400000));
    CODE32("smsw %%ds:4(%%ebp)", SMSW(0x65), AT(RBP, INSN_NO_GPR, 0), .segment = VSEG_DS + 1,
           IMMEDIATE(4));
    CODE32("smsw (%%ebx,%%ebp,8)", SMSW(0x24), AT(RBX, RBP, 3));
    CODE16("smsw (%%bx,%%si)", SMSW(0x20), AT(RBX, RSI, 0));
    CODE16("smsw (%%bx,%%di)", SMSW(0x21), AT(RBX, RDI, 0));
    CODE16("smsw (%%bp,%%si)", SMSW(0x22), AT(RBP, RSI, 0), IN_STACK);
    CODE16("smsw -2(%%bp,%%di)", SMSW(0x63), AT(RBP, RDI, 0), IN_STACK, IMMEDIATE(-2));
    CODE16("smsw (%%si)", SMSW(0x24), AT(RSI, INSN_NO_GPR, 0));
    CODE16("smsw 0x1234(%%di)", SMSW(0xa5), AT(RDI, INSN_NO_GPR, 0), IMMEDIATE(0x1234));
    CODE16("lmsw -2(%%bp)", SMSW(0x76), AT(RBP, INSN_NO_GPR, 0), IN_STACK, IMMEDIATE(-2));
    CODE16("lmsw 0x500", SMSW(0x36), AT(INSN_NO_GPR, INSN_NO_GPR, 0), IMMEDIATE(0x500));
    CODE16("smsw (%%bx)", SMSW(0x27), AT(RBX, INSN_NO_GPR, 0));
    CODE16("smsw (%%eax)", SMSW(0x20), AT(RAX, INSN_NO_GPR, 0), .address_size = 4);
}

/* What has no rule must be refused and not taken for something else. */
#define REFUSED(mode, directive, text)                                                             \
    do {                                                                                           \
        const uint8_t *from, *to;                                                                  \
        struct insn_code refused = { .count = 0 };                                                 \
        struct insn no;                                                                            \
        ASSEMBLE(from, to, directive, text);                                                       \
        refused.count = (size_t)(to - from);                                                       \
        memcpy(refused.bytes, from, refused.count);                                                \
        assert_int_equal(insn_decode(&refused, mode, &no), -EINVAL);                               \
    } while (0)

static void test_refusals(void **state)
{
    struct insn_code code = { .count = INSN_MAX + 1 };
    struct insn got;

    (void)state;
    REFUSED(INSN_64, ".code64", "movl %%ecx, %%eax");
    REFUSED(INSN_64, ".code64", "adcl %%ecx, (%%rdi)");
    REFUSED(INSN_64, ".code64", "sbbl $1, (%%rdi)");
    REFUSED(INSN_64, ".code64", "incl (%%rdi)");
    REFUSED(INSN_64, ".code64", "notl (%%rdi)");
    REFUSED(INSN_64, ".code64", "movups (%%rdi), %%xmm0");
    REFUSED(INSN_64, ".code64", "cmpxchgl %%ecx, (%%rdi)");
    REFUSED(INSN_64, ".code64", "vmovups (%%rdi), %%ymm0");
    REFUSED(INSN_64, ".code64", "pushq (%%rdi)");
    REFUSED(INSN_64, ".code64", "ret");
    REFUSED(INSN_64, ".code64", ".byte 0x0f, 0xba, 0x1f, 1");   /* below BT in its group */
    REFUSED(INSN_32, ".code32", ".byte 0x40, 0x8b, 0x07");       /* INC, not REX */
    REFUSED(INSN_32, ".code32", "arpl %%ax, (%%edi)");
    memset(code.bytes, 0x66, sizeof(code.bytes));
    assert_int_equal(insn_decode(&code, INSN_64, &got), -EINVAL);
    /* 13 prefixes leave room for a MOV, 14 don't */
    code.bytes[13] = 0x8b;
    code.bytes[14] = 0x07;
    assert_int_equal(insn_decode(&code, INSN_64, &got), 0);
    assert_int_equal(got.length, INSN_MAX);
    code.bytes[13] = 0x66;
    code.bytes[14] = 0x8b;
    code.bytes[15] = 0x07;
    assert_int_equal(insn_decode(&code, INSN_64, &got), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moves),      cmocka_unit_test(test_immediates),
        cmocka_unit_test(test_extensions), cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_bits),       cmocka_unit_test(test_strings),
        cmocka_unit_test(test_system),     cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests_name("insn", tests, NULL, NULL);
}
