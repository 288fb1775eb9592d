/* SPDX-License-Identifier: MIT */
/* The GDB stub for guests: packets, registers, memory, breakpoints (build host). */
/* sources: kernel/gdbstub.c kernel/gdbstub_command.c kernel/gdbstub_line.c
 * kernel/gdbstub_regs.c kernel/gdbstub_vm.c kernel/gdbstub_memory.c
 * kernel/vcpu.c kernel/gwalk.c kernel/gmem.c kernel/pt.c
 * kernel/pt_change.c kernel/pt_read.c kernel/page.c kernel/iobus.c kernel/inject.c vmx/ept.c
 * tests/unit/gdb_case.c tests/unit/fake_backend.c tests/unit/fake_guest.c
 * tests/unit/fake_stubs.c tests/unit/host_stubs.c */
/* flags: -Dvsniprintf=vsnprintf */
#include "tests/unit/gdb_case.h"

/* Of processors: Mullion itself has no use for them. */
#define RFLAGS_NT X86_BIT(14)

static struct vcpu *const v = &fake.vcpus[0];

static void framing(void **state)
{
    static char long_one[4008];

    (void)state;
    type("$?#00", 5);
    assert_string_equal(sent, "-");
    type("junk$$?#3f", 10); /* a packet whose beginning was lost, then a good one */
    assert_told("+", "T05thread:1;");
    type("-", 1);
    assert_told("", "T05thread:1;");
    type("$?#3", 4); /* in pieces */
    type("f", 1);
    assert_told("+", "T05thread:1;");
    memset(long_one, 'x', 4000); /* too long: no answer, and the next one is taken */
    long_one[0] = '$';
    memcpy(long_one + 4000, "#00$?#3f", 8);
    type(long_one, 4008);
    assert_told("+", "T05thread:1;");
    type("$?#g1", 5);
    assert_string_equal(sent, "-");
}

static void queries(void **state)
{
    (void)state;
    assert_non_null(strstr(ask("qSupported:swbreak+;xmlRegisters=i386"), "swbreak+"));
    assert_reply("qfThreadInfo", "m1,2");
    assert_reply("qsThreadInfo", "l");
    assert_reply("qC", "QC1");
    assert_reply("Hg2", "OK");
    assert_reply("qC", "QC2");
    assert_reply("Hg3", "E01");
    assert_reply("Hc-1", "OK");
    assert_reply("T2", "OK");
    assert_reply("T9", "E01");
    assert_reply("vMustReplyEmpty", "");
    assert_reply("vCont?", "vCont;c;C;s;S");
    assert_reply("Z2,1000,4", "");
    assert_reply("X", "");
    assert_reply("", "");
}

/* All of it, which comes in pieces. */
static const char *described(void)
{
    static char xml[8192];
    char command[80];
    size_t at = 0;
    bool last;

    xml[0] = '\0';
    do {
        snprintf(command, sizeof(command), "qXfer:features:read:target.xml:%zx,100", at);
        const char *part = ask(command);
        last = part[0] == 'l';
        assert_true(last || part[0] == 'm');
        strncat(xml, part + 1, sizeof(xml) - strlen(xml) - 1);
        at += strlen(part + 1);
    } while (!last);
    assert_string_equal(xml + strlen(xml) - 9, "</target>");
    return xml;
}

static size_t times(const char *text, const char *word)
{
    size_t count = 0;

    for (const char *p = text; (p = strstr(p, word)); p++)
        count++;
    return count;
}

static void description(void **state)
{
    const char *xml;

    (void)state;
    ask("qSupported");
    xml = described();
    assert_int_equal(times(xml, "<feature "), 3);
    assert_int_equal(times(xml, "</feature>"), 3);
    assert_int_equal(times(xml, "<reg "), 46);
    assert_non_null(strstr(xml, "<architecture>i386:x86-64</architecture>"));
    assert_non_null(strstr(xml, "<reg name=\"rip\" bitsize=\"64\" type=\"code_ptr\"/>"));
    assert_non_null(strstr(xml, "<reg name=\"r15\" bitsize=\"64\" type=\"int\"/>"));
    assert_reply("qXfer:features:read:target.xml:ffff,100", "l");
    assert_reply("qXfer:features:read:target.xml:zz", "E01");
}

/* A guest of 32 bits is described as one; a debugger that connects again meets the mode of then. */
static void description_of_32bit(void **state)
{
    const char *xml;

    (void)state;
    fake_protected();
    ask("qSupported");
    xml = described();
    assert_int_equal(times(xml, "<feature "), 2);
    assert_int_equal(times(xml, "</feature>"), 2);
    assert_int_equal(times(xml, "<reg "), 36);
    assert_int_equal(times(xml, "bitsize=\"64\""), 0);
    assert_non_null(strstr(xml, "<architecture>i386</architecture>"));
    assert_non_null(strstr(xml, "<reg name=\"eax\" bitsize=\"32\" type=\"int\"/>"));
    assert_non_null(strstr(xml, "<reg name=\"eip\" bitsize=\"32\" type=\"code_ptr\"/>"));
    assert_null(strstr(xml, "\"r"));
    assert_null(strstr(xml, "_base"));
    fake_long();
    assert_non_null(strstr(described(), "<architecture>i386</architecture>"));
    ask("qSupported");
    assert_non_null(strstr(described(), "<architecture>i386:x86-64</architecture>"));
}

static void registers_of_32bit(void **state)
{
    (void)state;
    fake_protected();
    ask("qSupported");
    fake.regs[VREG_RIP] = CODE;
    fake.regs[VREG_RSP] = STACK;
    v->gpr[RAX] = 0xffffffff11223344; /* the upper half is not the guest's */
    assert_reply("p4", "44332211");
    assert_reply("pb", "00200000");
    assert_reply("pc", "00100000");
    assert_reply("p14", "xxxxxxxxxxxxxxxxxxxx");
    assert_reply("p23", "xxxxxxxx");
    assert_reply("p24", "E01"); /* R8 */
    assert_reply("P24=00000000", "E01");
    assert_reply("P7=ddccbbaa", "OK");
    assert_int_equal(v->gpr[RDX], 0xaabbccdd);
    assert_reply("Pc=000000f0", "OK");
    assert_int_equal(vcpu_get(v, VREG_RIP), 0xf0000000);
    assert_reply("Pc=0000", "E01");
    assert_int_equal(strlen(ask("g")), 2 * (4 * 4 + 9 * 4 + 7 * 4 + 80 + 32));
    assert_memory_equal(ask("g") + 2 * 4 * 4, "44332211", 8);
}

static void registers(void **state)
{
    (void)state;
    ask("qSupported");
    v->gpr[RAX] = 0x1122334455667788;
    fake.regs[VREG_RFLAGS] = RFLAGS_FIXED1 | RFLAGS_IF;
    assert_reply("p4", "8877665544332211");
    assert_reply("pc", "0010000000000000");
    assert_reply("pd", "02020000");
    assert_reply("p14", "xxxxxxxxxxxxxxxxxxxx");
    assert_reply("pff", "E01");
    assert_reply("P7=0100000000000000", "OK");
    assert_int_equal(v->gpr[RDX], 1);
    assert_int_equal(v->gpr[RBX], 0);
    assert_reply("p7", "0100000000000000");
    assert_reply("P7=01", "E01");
    assert_reply("Pe=00000000", "E01");            /* CS */
    assert_reply("Pc=0020000000000000", "OK");     /* RIP */
    assert_reply("Pc=0000000000800000", "E01");    /* not canonical: the entry would fail */
    assert_int_equal(vcpu_get(v, VREG_RIP), 0x2000);
    assert_int_equal(wakes, 1);
    assert_reply("Pd=ffffffff", "OK"); /* no TF, no VM, no reserved bits */
    assert_int_equal(vcpu_get(v, VREG_RFLAGS) & (RFLAGS_TF | RFLAGS_VM | RFLAGS_NT | BIT(3)), 0);
    assert_true(vcpu_get(v, VREG_RFLAGS) & RFLAGS_CF);
    assert_int_equal(strlen(ask("g")), 2 * (17 * 8 + 7 * 4 + 80 + 32 + 6 * 8));
}

static void memory(void **state)
{
    (void)state;
    fake_poke(CODE, 0x44332211, 4);
    assert_reply("m1000,4", "11223344");
    assert_reply("M1001,2:abcd", "OK");
    assert_reply("m1000,4", "11abcd44");
    assert_reply("M1000,4:abcd", "E01"); /* too few bytes */
    assert_reply("m1ffffe,4", "E01");    /* past the RAM */
    assert_reply("mffffffffffffffff,4", "E01");
    assert_reply("m1000,ffff", "E01");
    assert_reply("m1000", "E01");
    assert_reply("m", "E01");
    assert_reply("m11111111111111111,1", "E01");
    assert_reply("m1000,0", "");
}

static void breakpoints(void **state)
{
    char command[40];

    (void)state;
    fake_poke(CODE, 0x44332211, 4);
    assert_reply("Z0,1001,1", "OK");
    assert_reply("Z0,1001,1", "OK");
    assert_int_equal(fake_peek(CODE, 4), 0x4433cc11);
    assert_reply("m1000,4", "11223344");
    assert_reply("M1000,4:aabbccdd", "OK");
    assert_int_equal(fake_peek(CODE, 4), 0xddccccaa);
    assert_reply("z0,1001,1", "OK");
    assert_int_equal(fake_peek(CODE, 4), 0xddccbbaa);
    assert_reply("z0,1001,1", "E01");
    assert_reply("Z0,1ffffff,1", "E01");
    for (unsigned i = 0; i <= GDB_BREAKPOINTS; i++) {
        snprintf(command, sizeof(command), "Z0,%x,1", 0x3000 + i);
        assert_reply(command, i < GDB_BREAKPOINTS ? "OK" : "E01");
    }
    assert_reply("D", "OK");
    assert_null(gdb.vm);
    assert_false(watched);
    for (unsigned i = 0; i < GDB_BREAKPOINTS; i++)
        assert_int_equal(fake_peek(0x3000 + i, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(framing, setup),
        cmocka_unit_test_setup(queries, setup),
        cmocka_unit_test_setup(description, setup),
        cmocka_unit_test_setup(description_of_32bit, setup),
        cmocka_unit_test_setup(registers, setup),
        cmocka_unit_test_setup(registers_of_32bit, setup),
        cmocka_unit_test_setup(memory, setup),
        cmocka_unit_test_setup(breakpoints, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
