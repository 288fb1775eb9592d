/* SPDX-License-Identifier: MIT */
/* Control registers: what raises #GP, long mode's start and end, PDPTEs (build host). */
/* sources: kernel/cr.c kernel/msr.c kernel/msr_register.c kernel/mtrr.c kernel/inject.c
 * kernel/exit_memory.c kernel/emulate_string.c kernel/exit_io.c kernel/fetch.c kernel/insn.c
 * kernel/gwalk.c kernel/vcpu.c kernel/gmem.c kernel/pt.c
 * kernel/pt_change.c kernel/pt_read.c kernel/page.c kernel/iobus.c vmx/ept.c
 * tests/unit/fake_backend.c tests/unit/fake_guest.c tests/unit/fake_stubs.c
 * tests/unit/host_stubs.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/policy.h"
#include "kernel/pvclock.h"
#include "tests/unit/fake_backend.h"

/* Of processors: Mullion itself has no use for them. */
#define CR4_SMXE X86_BIT(14)

#define ROOT 0x5020ull /* of PAE tables: 32-byte aligned */

static struct vcpu *const v = &fake.vcpus[0];
static uint32_t leaf7_ebx;

struct cpuid_regs x86_test_cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    if (leaf == CPUID_ADDRESS_SIZES)
        return (struct cpuid_regs){ .eax = 48 << 8 | FAKE_PHYSICAL_BITS };
    if (leaf == CPUID_EXT_FEATURES)
        return (struct cpuid_regs){ .ebx = leaf7_ebx };
    return (struct cpuid_regs){ UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX };
}

/* Of kernel/msr.c's other half. */
int cpuid_init(struct vcpu *vcpu)
{
    (void)vcpu;
    return 0;
}

int pvclock_write_wall(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)vcpu;
    (void)msr;
    (void)value;
    return 0;
}

int pvclock_write_system(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    return pvclock_write_wall(vcpu, msr, value);
}

static int setup(void **state)
{
    (void)state;
    fake_create(PAGE_2M, BOOT_BACKING_EAGER);
    leaf7_ebx = UINT32_MAX;
    return 0;
}

static enum verdict handle(struct exit_cr cr)
{
    struct vmexit exit = { .kind = EXIT_CR, .length = 3, .cr = cr };

    v->event.type = VEVENT_NONE;
    return fake_handle(&exit);
}

static enum verdict write_cr(unsigned number, uint64_t value)
{
    v->gpr[RBX] = value;
    return handle((struct exit_cr){ .number = (uint8_t)number, .write = true, .gpr = RBX });
}

static void assert_written(unsigned number, uint64_t value)
{
    assert_int_equal(write_cr(number, value), VERDICT_NEXT);
    assert_no_event();
}

static void assert_refused(unsigned number, uint64_t value)
{
    uint64_t cr0 = fake.regs[VREG_CR0], cr4 = fake.regs[VREG_CR4], efer = fake.regs[VREG_EFER];

    assert_int_equal(write_cr(number, value), VERDICT_RETRY);
    assert_exception(VECTOR_GP, fake.regs[VREG_CR0] & CR0_PE ? 0 : -1);
    assert_int_equal(fake.regs[VREG_CR0], cr0);
    assert_int_equal(fake.regs[VREG_CR4], cr4);
    assert_int_equal(fake.regs[VREG_EFER], efer);
}

static void cr0_bits(void **state)
{
    (void)state;
    assert_written(0, CR0_PE | CR0_CD | CR0_NW | CR0_NE);
    assert_int_equal(fake.regs[VREG_CR0], CR0_PE | CR0_CD | CR0_NW | CR0_NE | CR0_ET);
    assert_written(0, CR0_PE | 1 << 6 | 1 << 28); /* reserved, not checked, read as zero */
    assert_int_equal(fake.regs[VREG_CR0], CR0_PE | CR0_ET);
    assert_refused(0, CR0_PG);
    assert_refused(0, CR0_PE | CR0_NW);
    assert_true(fake.linear_flushes > 0);
    fake_long();
    assert_refused(0, fake.regs[VREG_CR0] | 1ull << 32);
    /* 32-bit code writes 32 bits */
    fake_protected();
    assert_written(0, 0xffffffff00000000 | CR0_PE);
}

static void long_mode_starts_and_ends(void **state)
{
    (void)state;
    fake.regs[VREG_EFER] = EFER_LME;
    assert_refused(0, CR0_PG | CR0_PE); /* without PAE */
    fake.regs[VREG_CR4] = CR4_PAE;
    fake.segments[VSEG_CS].access = 0xa09b;
    assert_refused(0, CR0_PG | CR0_PE); /* CS.L */
    fake.segments[VSEG_CS].access = 0xc09b;
    assert_written(0, CR0_PG | CR0_PE);
    assert_int_equal(fake.regs[VREG_EFER], EFER_LME | EFER_LMA);
    fake.segments[VSEG_CS].access = 0xa09b;
    assert_refused(0, CR0_PE); /* in 64-bit mode */
    assert_refused(4, 0);
    fake.segments[VSEG_CS].access = 0xc09b;
    fake.regs[VREG_CR4] |= CR4_PCIDE;
    assert_refused(0, CR0_PE);
    fake.regs[VREG_CR4] = CR4_PAE;
    assert_written(0, CR0_PE);
    assert_int_equal(fake.regs[VREG_EFER], EFER_LME);
}

static void cr4_bits(void **state)
{
    (void)state;
    assert_written(4, CR4_PSE | CR4_PGE | CR4_SMEP | CR4_OSXSAVE);
    assert_int_equal(fake.regs[VREG_CR4], CR4_PSE | CR4_PGE | CR4_SMEP | CR4_OSXSAVE);
    assert_refused(4, CR4_VMXE);
    assert_refused(4, CR4_SMXE);
    assert_refused(4, CR4_LA57);
    assert_refused(4, CR4_PKE);
    assert_refused(4, CR4_CET);
    assert_refused(4, 1u << 15);
    assert_refused(4, CR4_PCIDE); /* outside of IA-32e mode */
    leaf7_ebx = 0;
    assert_refused(4, CR4_SMEP); /* which this machine lacks */
    assert_refused(4, CR4_SMAP);
    fake_long();
    assert_refused(4, 1ull << 32 | CR4_PAE);
    fake.regs[VREG_CR3] = 0x1001;
    assert_refused(4, CR4_PAE | CR4_PCIDE);
    fake.regs[VREG_CR3] = 0x1000;
    assert_written(4, CR4_PAE | CR4_PCIDE);
    fake.regs[VREG_CR3] = 0x1001;
    assert_written(4, CR4_PAE | CR4_PCIDE | CR4_PGE); /* it was set already */
}

static void pdptes(void **state)
{
    (void)state;
    fake.regs[VREG_CR3] = ROOT;
    fake_poke(ROOT, 0x7001, 8);
    fake_poke(ROOT + 24, 0x8001, 8);
    fake.regs[VREG_CR4] = CR4_PAE;
    assert_written(0, CR0_PG | CR0_PE);
    assert_int_equal(fake.regs[VREG_PDPTE0], 0x7001);
    assert_int_equal(fake.regs[VREG_PDPTE1], 0);
    assert_int_equal(fake.regs[VREG_PDPTE3], 0x8001);
    fake_poke(ROOT + 8, 0x9003, 8); /* bit 1 is reserved */
    assert_refused(4, CR4_PAE | CR4_PGE);
    fake_poke(ROOT + 8, 1 | 1ull << FAKE_PHYSICAL_BITS, 8);
    assert_refused(4, CR4_PAE | CR4_PGE);
    fake_poke(ROOT + 8, 0x1e6, 8); /* not present: nothing is reserved */
    assert_written(4, CR4_PAE | CR4_PGE);
    assert_int_equal(fake.regs[VREG_PDPTE1], 0x1e6);
    fake_protected();
    fake.regs[VREG_CR4] = CR4_PAE;
    fake.regs[VREG_CR3] = 0xffffffe0; /* outside RAM */
    assert_refused(0, CR0_PG | CR0_PE);
}

static void pdptes_in_memory(void **state)
{
    const struct backend *usual = backend;
    struct backend other = *backend;

    (void)state;
    other.pdpte_registers = false;
    backend = &other;
    fake.regs[VREG_CR3] = ROOT;
    fake_poke(ROOT, 0x7027, 8);
    fake.regs[VREG_CR4] = CR4_PAE;
    assert_written(0, CR0_PG | CR0_PE);
    backend = usual;
}

static void cr3_where_it_exits(void **state)
{
    unsigned flushes;

    (void)state;
    fake_long();
    assert_written(3, 0x5000);
    assert_int_equal(fake.regs[VREG_CR3], 0x5000);
    flushes = fake.linear_flushes;
    fake.regs[VREG_CR4] |= CR4_PCIDE;
    assert_written(3, 0x6001 | CR3_NOFLUSH);
    assert_int_equal(fake.regs[VREG_CR3], 0x6001);
    assert_int_equal(fake.linear_flushes, flushes);
}

/* A refused one leaves everything as it was; one that is not forgets translations. */
static void cr3_with_pae(void **state)
{
    unsigned flushes;

    (void)state;
    fake.regs[VREG_CR3] = ROOT;
    fake.regs[VREG_CR4] = CR4_PAE;
    assert_written(0, CR0_PG | CR0_PE);
    fake_poke(ROOT + PAGE_SIZE, 0x7001, 8);
    flushes = fake.linear_flushes;
    assert_written(3, ROOT + PAGE_SIZE);
    assert_int_equal(fake.regs[VREG_CR3], ROOT + PAGE_SIZE);
    assert_int_equal(fake.regs[VREG_PDPTE0], 0x7001);
    assert_true(fake.linear_flushes > flushes);
    fake_poke(ROOT + 2 * PAGE_SIZE, 0x9003, 8);
    assert_refused(3, ROOT + 2 * PAGE_SIZE);
    assert_int_equal(fake.regs[VREG_CR3], ROOT + PAGE_SIZE);
    assert_int_equal(fake.regs[VREG_PDPTE0], 0x7001);
}

static void clts_and_lmsw(void **state)
{
    (void)state;
    fake.regs[VREG_CR0] = CR0_PE | CR0_TS | CR0_MP | CR0_ET;
    assert_int_equal(handle((struct exit_cr){ .clts = true }), VERDICT_NEXT);
    assert_int_equal(fake.regs[VREG_CR0], CR0_PE | CR0_MP | CR0_ET);
    /* LMSW sets TS, clears MP, can't clear PE, leaves the rest */
    handle((struct exit_cr){ .lmsw = true, .lmsw_value = 0xfff8 });
    assert_int_equal(fake.regs[VREG_CR0], CR0_PE | CR0_TS | CR0_ET);
    fake_real();
    handle((struct exit_cr){ .lmsw = true, .lmsw_value = CR0_PE });
    assert_int_equal(fake.regs[VREG_CR0], CR0_PE | CR0_ET);
}

#define IN_MEMORY .op = INSN_SYSTEM, .opcode = 0x0f0120, .size = 2
#define DATA 0x3000u

/* What the exit does not tell: an operand in a register, or in memory behind its segment. */
static void status_word_operands(void **state)
{
    struct insn at = { IN_MEMORY, .address_size = 4, .base = RBX, .index = RSI, .scale = 1,
                       .immediate = (uint64_t)-4, .length = 4 };
    const struct insn in_cx = { .op = INSN_SYSTEM, .opcode = 0x0f01e1, .gpr = RCX, .size = 2 };
    const struct exit_cr lmsw = { .number = 0, .write = true, .lmsw = true, .operand = &at };
    const struct exit_cr smsw = { .number = 0, .operand = &at };

    (void)state;
    v->gpr[RBX] = 0xffffffff00000004; /* the address has 32 bits */
    v->gpr[RSI] = 0x100;
    fake.segments[VSEG_DS].base = DATA - 0x200;
    fake_poke(DATA, 0xfff8, 2);
    fake.regs[VREG_CR0] = CR0_PE | CR0_MP | CR0_ET;
    assert_int_equal(handle(lmsw), VERDICT_NEXT);
    assert_int_equal(fake.regs[VREG_CR0], CR0_PE | CR0_TS | CR0_ET);
    fake_poke(DATA, 0, 8);
    fake.regs[VREG_CR0] |= CR0_CD;
    assert_int_equal(handle(smsw), VERDICT_NEXT);
    assert_int_equal(fake_peek(DATA, 8), CR0_PE | CR0_TS | CR0_ET); /* a word of it */
    v->gpr[RCX] = ~0ull;
    assert_int_equal(handle((struct exit_cr){ .operand = &in_cx }), VERDICT_NEXT);
    assert_int_equal(v->gpr[RCX], 0xffffffffffff0019);
    fake.segments[VSEG_DS].limit = 0x200;
    assert_int_equal(handle(smsw), VERDICT_RETRY);
    assert_exception(VECTOR_GP, 0);
    v->event.type = VEVENT_NONE;
    at.segment = VSEG_SS + 1;
    fake.segments[VSEG_SS].limit = 0x1ff;
    assert_int_equal(handle(lmsw), VERDICT_RETRY);
    assert_exception(VECTOR_SS, 0);
    v->event.type = VEVENT_NONE;
    fake_long();
    at = (struct insn){ IN_MEMORY, .address_size = 8, .base = INSN_RIP, .index = INSN_NO_GPR,
                        .immediate = 0x100, .length = 7 };
    fake.regs[VREG_CR3] = 0x10000; /* where no table is */
    fake.regs[VREG_RIP] = 0x1000;
    assert_int_equal(handle(smsw), VERDICT_RETRY);
    assert_exception(VECTOR_PF, PF_ERROR_W);
    assert_int_equal(fake.regs[VREG_CR2], 0x1107);
    v->event.type = VEVENT_NONE;
    fake_protected();
    at = (struct insn){ IN_MEMORY, .address_size = 4, .base = INSN_NO_GPR,
                        .index = INSN_NO_GPR, .immediate = 1 << 30 };
    assert_int_equal(handle(smsw), VERDICT_STOP);
    assert_int_equal(fake.failures, 1);
}

static void reads(void **state)
{
    (void)state;
    fake.cr8 = 5;
    assert_int_equal(handle((struct exit_cr){ .number = 8, .gpr = R9 }), VERDICT_NEXT);
    assert_int_equal(v->gpr[R9], 5);
    fake.regs[VREG_CR3] = 0x7000;
    handle((struct exit_cr){ .number = 3, .gpr = RSP });
    assert_int_equal(fake.regs[VREG_RSP], 0x7000);
    assert_written(8, 9);
    assert_int_equal(fake.cr8, 9);
    assert_int_equal(write_cr(8, 16), VERDICT_RETRY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(cr0_bits, setup),
        cmocka_unit_test_setup(long_mode_starts_and_ends, setup),
        cmocka_unit_test_setup(cr4_bits, setup),
        cmocka_unit_test_setup(pdptes, setup),
        cmocka_unit_test_setup(cr3_with_pae, setup),
        cmocka_unit_test_setup(pdptes_in_memory, setup),
        cmocka_unit_test_setup(cr3_where_it_exits, setup),
        cmocka_unit_test_setup(clts_and_lmsw, setup),
        cmocka_unit_test_setup(status_word_operands, setup),
        cmocka_unit_test_setup(reads, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
