/* SPDX-License-Identifier: MIT */
/*
 * LMSW and SMSW with operands of each kind (guest). With CR0.CD set, where AMD-V makes reads of CR0
 * exit, and without; a processor that does not tell the operand leaves it to the hypervisor.
 */
#include "guests/lib/guest.h"

#define CR0_MP 2ull
#define CR0_EM 4ull
#define WORD 0xffffull
#define FILL 0xa5a5a5a5a5a5a5a5ull
#define STRADDLE 0x700ffful /* a word across two pages */

static uint64_t memory[4];
static uint64_t cr0; /* as it should be */

static void store(void *arg)
{
    __asm__ volatile("smsw (%0)" : : "r"(arg) : "memory");
}

static void load(void *arg)
{
    __asm__ volatile("lmsw (%0)" : : "r"(arg) : "memory");
}

static void check_stores(void)
{
    uint64_t index = 1, word = FILL, half = FILL, all = FILL;

    __asm__ volatile("smsw %w0\n\tsmsw %k1\n\tsmsw %q2" : "+r"(word), "+r"(half), "+r"(all));
    guest_check_equal(word, (FILL & ~WORD) | (cr0 & WORD));
    guest_check_equal(half & WORD, cr0 & WORD); /* the vendors differ in bits 31:16 */
    guest_check_equal(half >> 32, 0);
    guest_check_equal(all & WORD, cr0 & WORD);
    memset(memory, 0xa5, sizeof(memory));
    store(&memory[0]);
    __asm__ volatile("smsw 2(%0,%1,8)" : : "r"(memory), "r"(index) : "memory");
    __asm__ volatile("smsw memory+16(%%rip)" : : : "memory");
    __asm__ volatile("addr32 smsw 24(%k0)" : : "r"(memory) : "memory");
    guest_check_equal(memory[0], (FILL & ~WORD) | (cr0 & WORD));
    guest_check_equal(memory[1], (FILL & ~(WORD << 16)) | (cr0 & WORD) << 16);
    guest_check_equal(memory[2], memory[0]);
    guest_check_equal(memory[3], memory[0]);
}

/* PE can't be cleared by it, and above TS it changes nothing. */
static void check_loads(void)
{
    static const uint64_t bits[] = { CR0_TS, CR0_MP, CR0_EM | CR0_TS, CR0_MP | CR0_TS, 0 };

    for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
        cr0 = (cr0 & ~(CR0_MP | CR0_EM | CR0_TS)) | bits[i];
        memory[0] = FILL << 16 | bits[i] | (i & 1 ? 0xfff0 : 0);
        if (i & 2)
            __asm__ volatile("lmsw %w0" : : "r"(memory[0]));
        else
            load(memory);
        guest_check_equal(read_cr0(), cr0);
        check_stores();
    }
    write_cr0(cr0 |= CR0_TS);
    __asm__ volatile("clts");
    guest_check_equal(read_cr0(), cr0 &= ~CR0_TS);
}

static void check_faults(void)
{
    static void (*const tries[])(void *arg) = { store, load };
    struct guest_fault fault;

    guest_map_page(STRADDLE & ~0xffful, true);
    *(volatile uint8_t *)STRADDLE = 0x5a;
    for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
        guest_map_page(STRADDLE + 1, false);
        guest_check_equal(guest_catch(tries[i], (void *)STRADDLE, &fault), VECTOR_PF);
        guest_check_equal(fault.error_code, tries[i] == store ? 2 : 0);
        guest_check_equal(fault.address, STRADDLE + 1);
        guest_check_equal(*(volatile uint8_t *)STRADDLE, 0x5a);
        guest_map_page(STRADDLE + 1, true);
        guest_check_equal(guest_catch(tries[i], (void *)(1ul << 62), &fault), VECTOR_GP);
        guest_check_equal(fault.error_code, 0);
    }
    guest_check_equal(read_cr0(), cr0);
    store((void *)STRADDLE);
    guest_check_equal(*(volatile uint16_t *)STRADDLE, cr0 & WORD);
}

int guest_main(const struct mullion_flat_info *info)
{
    (void)info;
    cr0 = read_cr0();
    for (unsigned cached = 0; cached < 2; cached++) {
        cr0 = (cr0 & ~CR0_CD) | (cached ? 0 : CR0_CD);
        write_cr0(cr0);
        check_stores();
        check_loads();
        check_faults();
    }
    return 0;
}
