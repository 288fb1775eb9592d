/* SPDX-License-Identifier: MIT */
/*
 * Device registers through every form of instruction that the decoder knows. Each form runs twice,
 * on plain memory and on a register of the I/O APIC: registers, flags and what was written must be
 * the same.
 */
#include "guests/lib/guest.h"

#define IOAPIC 0xfec00000ull
#define IOWIN 0x10
#define REDIRECTION_LOW 0x1e /* of pin 7 */
#define REDIRECTION_WRITABLE 0x1afffu
#define ARITHMETIC_FLAGS 0x8d5u

struct state {
    uint64_t rax, rbx, rcx, rdx, rdi, rflags;
};

/* The same page of the I/O APIC, near enough for addresses relative to RIP. */
static uint8_t near_page[4096] __attribute__((aligned(4096)));
static uint8_t plain[4096] __attribute__((aligned(4096)));
static unsigned forms;
uint64_t words[2]; /* the other side of MOVS */

static void ioapic_select(uint32_t index)
{
    *(volatile uint32_t *)IOAPIC = index;
}

static uint32_t window_read(void)
{
    return *(volatile uint32_t *)(IOAPIC + IOWIN);
}

static void window_write(uint32_t value)
{
    *(volatile uint32_t *)(IOAPIC + IOWIN) = value;
}

/* Runs `text`, in which RDI points at the operand, with flags that are all set before. */
#define FORM(name, text)                                                                           \
    static void name(struct state *s)                                                              \
    {                                                                                              \
        uint64_t dummy;                                                                            \
        __asm__ volatile("pushq $0x8d7; popfq; " text "; pushfq; popq %[flags]; cld"               \
                         : "+a"(s->rax), "+b"(s->rbx), "+c"(s->rcx), "+d"(s->rdx), "+D"(s->rdi),   \
                           [flags] "=&r"(s->rflags), "=&r"(dummy)                                  \
                         :                                                                         \
                         : "memory", "cc", "r8", "r12", "r13", "rsi");                             \
    }
FORM(load32, "movl (%%rdi), %%eax")
FORM(load32_high, "movl (%%rdi), %%r13d; movq %%r13, %%rdx")
FORM(load_base12, "movq %%rdi, %%r12; movl (%%r12), %%ebx")
FORM(load_base13, "movq %%rdi, %%r13; movl (%%r13), %%ebx")
FORM(load_sib, "leaq -0x40(%%rdi), %%r8; movl $8, %%ecx; movl (%%r8,%%rcx,8), %%eax")
FORM(load_far, "leaq -0x12345(%%rdi), %%r8; movl 0x12345(%%r8), %%eax")
FORM(load_addr32, "addr32 movl (%%edi), %%eax")
FORM(store32, "movl %%ecx, (%%rdi)")
FORM(store32_r8, "movq %%rcx, %%r8; movl %%r8d, (%%rdi)")
FORM(store_immediate, "movl $0x1a123, (%%rdi)")
FORM(movsxd, "movslq (%%rdi), %%rdx")
FORM(xchg32, "xchgl %%ecx, (%%rdi)")
FORM(add_to, "addl %%ecx, (%%rdi)")
FORM(add_from, "addl (%%rdi), %%ecx")
FORM(add_immediate8, "addl $-1, (%%rdi)")
FORM(add_immediate32, "addl $0x7654321, (%%rdi)")
FORM(sub_to, "subl %%ecx, (%%rdi)")
FORM(sub_from, "subl (%%rdi), %%edx")
FORM(or_to, "lock; orl %%ecx, (%%rdi)")
FORM(or_from, "orl (%%rdi), %%ecx")
FORM(or_immediate, "orl $0x10000, (%%rdi)")
FORM(and_to, "andl %%ecx, (%%rdi)")
FORM(and_from, "andl (%%rdi), %%ebx")
FORM(and_immediate, "andl $-16, (%%rdi)")
FORM(xor_to, "xorl %%ecx, (%%rdi)")
FORM(xor_from, "xorl (%%rdi), %%ecx")
FORM(cmp_to, "cmpl %%ecx, (%%rdi)")
FORM(cmp_from, "cmpl (%%rdi), %%ecx")
FORM(cmp_immediate, "cmpl $0x1a055, (%%rdi)")
FORM(test_register, "testl %%ecx, (%%rdi)")
FORM(test_immediate, "testl $0x5555, (%%rdi)")
FORM(bt_immediate, "btl $16, (%%rdi)")
FORM(bts32, "movl $13, %%ebx; lock; btsl %%ebx, (%%rdi)")
FORM(btr_immediate, "btrl $16, (%%rdi)")
FORM(btc_immediate, "btcl $3, (%%rdi)")
FORM(movs_to, "movq %%rcx, words(%%rip); leaq words(%%rip), %%rsi; movsl")
FORM(movs_from, "movq %%rdi, %%rsi; leaq words(%%rip), %%rdi; movsl; movl words(%%rip), %%ebx; "
                "movq %%rsi, %%rdi")
FORM(stos32, "stosl")
FORM(stos32_down, "std; stosl")
FORM(lods32, "movq %%rdi, %%rsi; lodsl; movq %%rsi, %%rdx")

static void (*const forms32[])(struct state *s) = {
    load32, load32_high, load_base12, load_base13, load_sib, load_far, load_addr32, store32,
    store32_r8, store_immediate, movsxd, xchg32, add_to, add_from, add_immediate8,
    add_immediate32, sub_to, sub_from, or_to, or_from, or_immediate, and_to, and_from,
    and_immediate, xor_to, xor_from, cmp_to, cmp_from, cmp_immediate, test_register,
    test_immediate, bt_immediate, bts32, btr_immediate, btc_immediate, movs_to, movs_from, stos32,
    stos32_down, lods32,
};

/* Byte and word forms, for IOREGSEL, which has 8 bits. */
FORM(load8, "movb (%%rdi), %%al")
FORM(load8_high, "movb (%%rdi), %%ah")
FORM(load8_ch, "movb (%%rdi), %%ch")
FORM(load8_rex, "xorl %%esi, %%esi; movb (%%rdi), %%sil; movq %%rsi, %%rdx")
FORM(load8_r8, "xorl %%r8d, %%r8d; movb (%%rdi), %%r8b; movq %%r8, %%rdx")
FORM(load16, "movw (%%rdi), %%ax")
FORM(store8, "movb %%cl, (%%rdi)")
FORM(store8_high, "movb %%bh, (%%rdi)")
FORM(store8_immediate, "movb $0x2b, (%%rdi)")
FORM(movzx8, "movzbl (%%rdi), %%eax")
FORM(movzx8_64, "movzbq (%%rdi), %%rax")
FORM(movzx8_16, "movzbw (%%rdi), %%ax")
FORM(movsx8, "movsbl (%%rdi), %%eax")
FORM(movsx8_64, "movsbq (%%rdi), %%rcx")
FORM(movsx8_16, "movsbw (%%rdi), %%cx")
FORM(movzx8_rbp, "pushq %%rbp; movzbl (%%rdi), %%ebp; movq %%rbp, %%rdx; popq %%rbp")
FORM(movzx16, "movzwl (%%rdi), %%eax")
FORM(movsx16, "movswq (%%rdi), %%rax")
FORM(xchg8, "xchgb %%cl, (%%rdi)")
FORM(xchg8_high, "xchgb %%dh, (%%rdi)")
FORM(add8, "addb %%cl, (%%rdi)")
FORM(sub8_from, "subb (%%rdi), %%ch")
FORM(or8_immediate, "orb $0x80, (%%rdi)")
FORM(and8_high, "andb %%ch, (%%rdi)")
FORM(xor8_from, "xorb (%%rdi), %%bl")
FORM(cmp8_immediate, "cmpb $0x90, (%%rdi)")
FORM(test8, "testb $0x81, (%%rdi)")
FORM(test8_high, "testb %%bh, (%%rdi)")
FORM(stos8, "stosb")
FORM(lods8, "movq %%rdi, %%rsi; lodsb; movq %%rsi, %%rdx")

static void (*const forms8[])(struct state *s) = {
    load8, load8_high, load8_ch, load8_rex, load8_r8, load16, store8, store8_high,
    store8_immediate, movzx8, movzx8_64, movzx8_16, movsx8, movsx8_64, movsx8_16, movzx8_rbp,
    movzx16, movsx16, xchg8, xchg8_high, add8, sub8_from, or8_immediate, and8_high, xor8_from,
    cmp8_immediate, test8, test8_high, stos8, lods8,
};

static void compare(const struct state *a, const struct state *b, uint64_t memory, uint64_t device,
                    unsigned form)
{
    uint64_t flags = (a->rflags ^ b->rflags) & ARITHMETIC_FLAGS;

    forms++;
    if (a->rax == b->rax && a->rbx == b->rbx && a->rcx == b->rcx && a->rdx == b->rdx && !flags &&
        memory == device)
        return;
    guest_printf("form %u, memory then device: value 0x%lx 0x%lx rax 0x%lx 0x%lx rbx 0x%lx 0x%lx\n",
                 form, memory, device, a->rax, b->rax, a->rbx, b->rbx);
    guest_printf("rcx 0x%lx 0x%lx rdx 0x%lx 0x%lx flags 0x%lx 0x%lx\n", a->rcx, b->rcx, a->rdx,
                 b->rdx, a->rflags, b->rflags);
    guest_fail(__FILE__, __LINE__, "the device behaves like memory");
}

static struct state start(void)
{
    uint64_t n = guest_random();

    return (struct state){ n, n * 3, n * 5, n * 7, 0, 0 };
}

static void run32(unsigned form)
{
    uint32_t *memory = (uint32_t *)(void *)(plain + IOWIN), value;
    struct state a = start(), b = a;
    bool moves;

    value = (uint32_t)guest_random() & REDIRECTION_WRITABLE;
    *memory = value;
    window_write(value);
    a.rdi = (uint64_t)(uintptr_t)memory;
    b.rdi = IOAPIC + IOWIN;
    forms32[form](&a);
    forms32[form](&b);
    guest_check_equal(a.rdi - (uint64_t)(uintptr_t)memory, b.rdi - IOAPIC - IOWIN);
    /* these two hold an address */
    moves = forms32[form] == lods32;
    if (moves) {
        guest_check_equal(a.rdx - a.rdi, b.rdx - b.rdi);
        b.rdx = a.rdx;
    }
    compare(&a, &b, *memory & REDIRECTION_WRITABLE, window_read(), form);
}

static void run8(unsigned form)
{
    volatile uint16_t *memory = (uint16_t *)(void *)plain;
    struct state a = start(), b = a;

    *memory = guest_random() & 0xff;
    ioapic_select(*memory);
    a.rdi = (uint64_t)(uintptr_t)plain;
    b.rdi = IOAPIC;
    forms8[form](&a);
    forms8[form](&b);
    guest_check_equal(a.rdi - (uint64_t)(uintptr_t)plain, b.rdi - IOAPIC);
    if (forms8[form] == lods8) {
        guest_check_equal(a.rdx - a.rdi, b.rdx - b.rdi);
        b.rdx = a.rdx;
    }
    compare(&a, &b, *memory & 0xff, *(volatile uint32_t *)IOAPIC, 100 + form);
}

static void check_repeat(void)
{
    uint64_t rdi = IOAPIC, rsi = IOAPIC, rcx = 4, rax = 0x33;

    __asm__ volatile("rep stosl" : "+D"(rdi), "+c"(rcx) : "a"(rax) : "memory");
    guest_check(rdi == IOAPIC + 16 && rcx == 0);
    guest_check_equal(*(volatile uint32_t *)IOAPIC, 0x33);
    rcx = 4;
    __asm__ volatile("rep lodsl" : "+S"(rsi), "+c"(rcx), "+a"(rax) : : "memory");
    guest_check(rsi == IOAPIC + 16 && rcx == 0);
    ioapic_select(REDIRECTION_LOW);
    window_write(0x1a0cd);
    rsi = IOAPIC;
    rdi = (uint64_t)(uintptr_t)plain;
    rcx = 8;
    __asm__ volatile("rep movsl" : "+S"(rsi), "+D"(rdi), "+c"(rcx) : : "memory");
    guest_check_equal(*(uint32_t *)(void *)&plain[0], REDIRECTION_LOW);
    guest_check_equal(*(uint32_t *)(void *)&plain[IOWIN], 0x1a0cd);
    guest_check(rsi == IOAPIC + 32 && rcx == 0);
    ioapic_select(0x33);
    rdi = IOAPIC + 16;
    rcx = 0;
    __asm__ volatile("rep stosl" : "+D"(rdi), "+c"(rcx) : "a"(rax) : "memory");
    guest_check_equal(rdi, IOAPIC + 16);
}

static void check_addresses(void)
{
    uint32_t value;
    uint64_t wide;

    ioapic_select(REDIRECTION_LOW);
    window_write(0x1a0cd);
    __asm__ volatile("movabsl 0xfec00010, %%eax" : "=a"(value));
    guest_check_equal(value, 0x1a0cd);
    __asm__ volatile("movabsb 0xfec00000, %%al" : "=a"(value));
    guest_check_equal(value & 0xff, REDIRECTION_LOW);
    __asm__ volatile("movabsl %%eax, 0xfec00010" : : "a"(0x1a0dd) : "memory");
    guest_check_equal(window_read(), 0x1a0dd);
    /* relative to RIP, with an immediate after the displacement */
    guest_map_to((uint64_t)(uintptr_t)near_page, IOAPIC, PTE_RAM);
    __asm__ volatile("movl $0x1a0ee, near_page+0x10(%%rip)" : : : "memory");
    guest_check_equal(window_read(), 0x1a0ee);
    __asm__ volatile("movl near_page+0x10(%%rip), %0" : "=r"(value));
    guest_check_equal(value, 0x1a0ee);
    /* no register is 64 bits wide */
    __asm__ volatile("movq (%1), %0" : "=r"(wide) : "r"(IOAPIC + IOWIN));
    guest_check_equal(wide, ~0ull);
    window_write(0x10000);
}

int guest_main(const struct mullion_flat_info *info)
{
    (void)info;
    near_page[0] = 0;
    ioapic_select(1);
    guest_check_equal(window_read(), 0x170020);
    ioapic_select(REDIRECTION_LOW);
    for (unsigned round = 0; round < 8; round++) {
        for (unsigned form = 0; form < ARRAY_SIZE(forms32); form++)
            run32(form);
    }
    for (unsigned round = 0; round < 8; round++) {
        for (unsigned form = 0; form < ARRAY_SIZE(forms8); form++)
            run8(form);
    }
    check_repeat();
    check_addresses();
    guest_printf("%u forms\n", forms);
    guest_check(forms > 500);
    return 0;
}
