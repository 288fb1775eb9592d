/* SPDX-License-Identifier: MIT */
/* Device registers in memory: instructions are emulated, all else is judged (build host). */
/* sources: kernel/exit_memory.c kernel/emulate_string.c kernel/exit_io.c kernel/fetch.c
 * kernel/insn.c kernel/gwalk.c kernel/inject.c
 * kernel/vcpu.c kernel/gmem.c kernel/pt.c
 * kernel/pt_change.c kernel/pt_read.c kernel/page.c kernel/iobus.c vmx/ept.c
 * tests/unit/fake_backend.c tests/unit/fake_guest.c tests/unit/fake_stubs.c
 * tests/unit/host_stubs.c */
#include "tests/unit/mmio_case.h"

#include <string.h>

static void loads(void **state)
{
    (void)state;
    fake.registers[2] = 0x8877665544332211;
    v->gpr[RAX] = v->gpr[RCX] = v->gpr[RBX] = ~0ull;
    assert_int_equal(INSTRUCTION("\x8b\x0e", 16), VERDICT_NEXT); /* mov ecx, [esi] */
    assert_int_equal(last.length, 2);
    assert_int_equal(v->gpr[RCX], 0x44332211); /* 32-bit results clear the upper half */
    INSTRUCTION("\x66\x8b\x06", 18); /* mov ax, [esi] */
    assert_int_equal(v->gpr[RAX], 0xffffffffffff4433);
    INSTRUCTION("\x8a\x3e", 17); /* mov bh, [esi] */
    assert_int_equal(v->gpr[RBX], 0xffffffffffff22ff);
    INSTRUCTION("\x0f\xb6\x06", 23); /* movzx eax, byte [esi] */
    assert_int_equal(v->gpr[RAX], 0x88);
    INSTRUCTION("\x0f\xbe\x06", 23); /* movsx eax, byte [esi] */
    assert_int_equal(v->gpr[RAX], 0xffffff88);
    INSTRUCTION("\x66\x0f\xbe\x0e", 23); /* movsx cx, byte [esi] */
    assert_int_equal(v->gpr[RCX], 0x4433ff88);
    assert_int_equal(INSTRUCTION("\xa1\x10\x00\xe0\xfe", 16), VERDICT_NEXT); /* mov eax, [moffs] */
    assert_int_equal(last.length, 5);
    assert_int_equal(v->gpr[RAX], 0x44332211);
}

static void loads_64(void **state)
{
    (void)state;
    long_mode();
    fake.registers[2] = 0x8877665544332211;
    INSTRUCTION("\x4c\x8b\x3e", 16); /* mov r15, [rsi] */
    assert_int_equal(v->gpr[R15], 0x8877665544332211);
    INSTRUCTION("\x48\x63\x06", 20); /* movsxd rax, dword [rsi] */
    assert_int_equal(v->gpr[RAX], 0xffffffff88776655);
    INSTRUCTION("\x48\x0f\xbf\x0e", 16); /* movsx rcx, word [rsi] */
    assert_int_equal(v->gpr[RCX], 0x2211);
    INSTRUCTION("\x40\x8a\x26", 17); /* with REX, number 4 is SPL */
    assert_int_equal(fake.regs[VREG_RSP] & 0xff, 0x22);
    assert_int_equal(v->gpr[RAX], 0xffffffff88776655);
    /* mov rcx, [rip + 8] has a displacement of four bytes */
    assert_int_equal(INSTRUCTION("\x48\x8b\x0d\x08\x00\x00\x00", 16), VERDICT_NEXT);
    assert_int_equal(last.length, 7);
}

static void stores(void **state)
{
    (void)state;
    v->gpr[RDX] = 0x1122334455667788;
    INSTRUCTION("\x89\x16", 8); /* mov [esi], edx */
    assert_access(0, 8, 4, true, 0x55667788);
    INSTRUCTION("\x88\x36", 8); /* mov [esi], dh */
    assert_access(1, 8, 1, true, 0x77);
    assert_int_equal(INSTRUCTION("\xc7\x44\x8e\x10\x78\x56\x34\x12", 8), VERDICT_NEXT);
    assert_access(2, 8, 4, true, 0x12345678); /* mov dword [esi+ecx*4+16], 12345678h */
    assert_int_equal(last.length, 8);
    INSTRUCTION("\xc6\x05\x00\x00\xe0\xfe\xfe", 8); /* mov byte [disp32], feh */
    assert_access(3, 8, 1, true, 0xfe);
    INSTRUCTION("\x66\xa3\x00\x00\xe0\xfe", 8); /* mov [moffs], ax */
    assert_access(4, 8, 2, true, 0);
    long_mode();
    INSTRUCTION("\x48\xc7\x06\xfe\xff\xff\xff", 0); /* mov qword [rsi], -2 */
    assert_access(5, 0, 8, true, ~1ull);
}

static void exchange(void **state)
{
    (void)state;
    fake.registers[1] = 0xaabbccdd;
    v->gpr[RBX] = 0x11223344;
    INSTRUCTION("\xf0\x87\x1e", 8); /* lock xchg [esi], ebx */
    assert_access(0, 8, 4, false, 0xaabbccdd);
    assert_access(1, 8, 4, true, 0x11223344);
    assert_int_equal(v->gpr[RBX], 0xaabbccdd);
}

static void bits(void **state)
{
    (void)state;
    fake.registers[2] = 0x80000002;
    v->gpr[RCX] = 33;
    INSTRUCTION("\x0f\xa3\x0e", 16); /* bt [esi], ecx: the exit is where the bit is */
    assert_int_equal(v->rflags & RFLAGS_CF, RFLAGS_CF);
    assert_int_equal(fake.access_count, 1);
    INSTRUCTION("\x0f\xba\x2e\x00", 16); /* bts dword [esi], 0 */
    assert_int_equal(v->rflags & RFLAGS_CF, 0);
    assert_access(2, 16, 4, true, 0x80000003);
    INSTRUCTION("\x0f\xba\x36\x1f", 16); /* btr dword [esi], 31 */
    assert_access(4, 16, 4, true, 3);
    INSTRUCTION("\x0f\xbb\x0e", 16); /* btc [esi], ecx */
    assert_access(6, 16, 4, true, 1);
}

/* An instruction that was fetched before: a change of its bytes, of a table, or of its page. */
static void changes_are_seen(void **state)
{
    (void)state;
    long_mode();
    fake.registers[2] = 0x44332211;
    assert_int_equal(INSTRUCTION("\x8b\x0e", 16), VERDICT_NEXT); /* mov ecx, [rsi] */
    assert_int_equal(INSTRUCTION("\x8b\x0e", 16), VERDICT_NEXT);
    INSTRUCTION("\x8b\x16", 16); /* mov edx, [rsi] */
    assert_int_equal(v->gpr[RDX], 0x44332211);
    /* the page is elsewhere now: mov ebx, [rsi] */
    fake_poke(0x12000, 0x13000 | PTE_P | PTE_W | PTE_U, 8);
    fake_poke(0x13000 + 8, 0x50000 | PTE_P | PTE_W | PTE_U, 8);
    fake_poke(0x50000, 0x1e8b, 2);
    assert_int_equal(access(REG(16), false), VERDICT_NEXT);
    assert_int_equal(v->gpr[RBX], 0x44332211);
    /* it is not there: as if the TLB had been empty */
    fake_poke(0x13000 + 8, 0, 8);
    assert_int_equal(access(REG(16), false), VERDICT_RETRY);
    assert_exception(VECTOR_PF, PF_ERROR_I);
    assert_int_equal(fake.regs[VREG_CR2], CODE);
    assert_int_equal(fake.failures, 0);
}

/* The step past the instruction looks at the copies, which this kind of exit does not bring. */
static void copies_are_valid(void **state)
{
    (void)state;
    fake.regs[VREG_SHADOW] = 1;
    fake.regs[VREG_RFLAGS] |= RFLAGS_TF;
    assert_int_equal(INSTRUCTION("\x8b\x0e", 16), VERDICT_NEXT);
    assert_int_equal(v->rip, CODE);
    assert_int_equal(v->rflags, RFLAGS_FIXED1 | RFLAGS_TF);
    assert_int_equal(v->shadow, 1);
}

static void code_in_16_bits(void **state)
{
    (void)state;
    fake_real();
    fake.segments[VSEG_CS].base = 0x800;
    fake.regs[VREG_RIP] = CODE - 0x800;
    fake.registers[1] = 0x44332211;
    v->gpr[RAX] = v->gpr[RCX] = 0;
    INSTRUCTION("\x8b\x04", 8); /* mov ax, [si] */
    assert_int_equal(v->gpr[RAX], 0x2211);
    assert_int_equal(INSTRUCTION("\x66\x8b\x0e\x34\x12", 8), VERDICT_NEXT); /* mov ecx, [1234h] */
    assert_int_equal(v->gpr[RCX], 0x44332211);
    assert_int_equal(last.length, 5);
}

/* The end of the instruction lies on the next page. */
static void code_across_pages(void **state)
{
    (void)state;
    fake.regs[VREG_RIP] = 0x2fff;
    fake_poke(0x2fff, 0x0e8b, 2);
    assert_int_equal(access(REG(0), false), VERDICT_NEXT);
    /* no page follows, and none is needed */
    fake.regs[VREG_RIP] = PAGE_2M - 2;
    fake_poke(PAGE_2M - 2, 0x0e8b, 2);
    assert_int_equal(access(REG(0), false), VERDICT_NEXT);
    fake.regs[VREG_RIP] = PAGE_2M - 1;
    fake_poke(PAGE_2M - 1, 0x8b, 1);
    assert_int_equal(access_again(REG(0)), VERDICT_STOP);
}

/* A program of the guest may have a device mapped: its code is user memory. */
static void user_code_under_smep(void **state)
{
    (void)state;
    long_mode();
    fake.regs[VREG_CR4] |= CR4_SMEP;
    fake_cpl(3);
    assert_int_equal(INSTRUCTION("\x8b\x0e", 16), VERDICT_NEXT);
    assert_int_equal(fake.failures, 0);
}

/* A debugger's INT3 over an instruction that has just reached the device. */
static void a_sibling_has_changed_it(void **state)
{
    (void)state;
    for (unsigned round = 1; round <= 2; round++) { /* one that fits begins anew */
        for (unsigned i = 0; i < 200; i++)
            assert_int_equal(INSTRUCTION("\xcc", 16), VERDICT_RETRY);
        assert_int_equal(v->event.type, VEVENT_NONE);
        assert_int_equal(INSTRUCTION("\x8b\x0e", 16), VERDICT_NEXT);
        assert_int_equal(fake.access_count, round);
    }
    assert_int_equal(v->stats.all.exits, 0); /* counted in the loop, and there alone */
    assert_int_equal(fake.failures, 0);
}

static void what_stops_the_vm(void **state)
{
    (void)state;
    put_code("\x0f\x28\x06", 3); /* movaps: no rule */
    assert_int_equal(access_again(REG(0)), VERDICT_STOP);
    assert_int_equal(fake.failures, 1);
    setup(state);
    put_code("\x6d", 1); /* insd into a device */
    assert_int_equal(access_again(REG(0)), VERDICT_STOP);
    setup(state);
    put_code("\x8b\x0e", 2);
    assert_int_equal(access_again(REG(4094)), VERDICT_STOP); /* four bytes over the end */
    assert_int_equal(fake.access_count, 0);
    setup(state);
    v->event.type = VEVENT_INTERRUPT; /* a stack in device memory */
    assert_int_equal(access_again(REG(0)), VERDICT_STOP);
    setup(state);
    last = (struct vmexit){ .kind = EXIT_MEMORY,
                            .memory = { .gpa = FAKE_MMIO, .page_walk = true } };
    assert_int_equal(fake_insist(&last), VERDICT_STOP);
    last.memory = (struct exit_memory){ .gpa = FAKE_MMIO, .fetch = true };
    assert_int_equal(fake_insist(&last), VERDICT_STOP);
    assert_int_equal(access(1ull << 40, true), VERDICT_STOP);
    assert_non_null(strstr(fake.reason, "where nothing is"));
}

static void memory_on_demand(void **state)
{
    (void)state;
    fake_create(PAGE_2M, BOOT_BACKING_DEMAND_4K);
    assert_int_equal(access(0x5000, true), VERDICT_RETRY);
    assert_int_equal(fake.failures, 0);
    assert_int_equal(access(PAGE_2M, true), VERDICT_STOP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(loads, setup),
        cmocka_unit_test_setup(loads_64, setup),
        cmocka_unit_test_setup(stores, setup),
        cmocka_unit_test_setup(exchange, setup),
        cmocka_unit_test_setup(bits, setup),
        cmocka_unit_test_setup(changes_are_seen, setup),
        cmocka_unit_test_setup(copies_are_valid, setup),
        cmocka_unit_test_setup(code_in_16_bits, setup),
        cmocka_unit_test_setup(code_across_pages, setup),
        cmocka_unit_test_setup(user_code_under_smep, setup),
        cmocka_unit_test_setup(a_sibling_has_changed_it, setup),
        cmocka_unit_test_setup(what_stops_the_vm, setup),
        cmocka_unit_test_setup(memory_on_demand, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
