/* SPDX-License-Identifier: MIT */
/* Port I/O: sizes, registers kept, strings both ways, page faults in the middle, user mode. */
#include "guests/lib/guest.h"

#define NULL_PORT 0xe0
#define UART 0x3f8
#define UART_LCR 0x3fb
#define UART_FCR 0x3fa
#define UART_MCR 0x3fc
#define UART_SCRATCH 0x3ff
#define FCR_ENABLE 1
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define LCR_DLAB 0x80
#define NOBODY 0x2f0 /* no device */
#define PAGE 4096u
#define COUNT 200u /* more than the hypervisor does in one exit */

static uint8_t buffer[4 * PAGE] __attribute__((aligned(4096)));
static uint64_t faults, last_error, last_address;

static void check_sizes(void)
{
    uint64_t rax;

    outb(NULL_PORT, 0x5a);
    guest_check_equal(inb(NULL_PORT), 0x5a);
    guest_check_equal(inb(NOBODY), 0xff);
    guest_check_equal(inw(NOBODY), 0xffff);
    guest_check_equal(inl(NOBODY), 0xffffffff);
    outb(UART_LCR, LCR_DLAB | 3);
    outw(UART, 0x1234); /* both divisor bytes */
    guest_check_equal(inw(UART), 0x1234);
    guest_check_equal(inl(UART) & 0xffff, 0x1234);
    guest_check_equal(inl(UART) >> 24, LCR_DLAB | 3);
    outw(UART, 1);
    outb(UART_LCR, 3);

    /* IN keeps what lies above its size, except that 32 bits clear the upper half */
    outb(NULL_PORT, 0x77);
    rax = 0x1122334455667788;
    __asm__ volatile("inb $0xe0, %%al" : "+a"(rax));
    guest_check_equal(rax, 0x1122334455667777);
    __asm__ volatile("inw %%dx, %%ax" : "+a"(rax) : "d"(NOBODY));
    guest_check_equal(rax, 0x112233445566ffff);
    __asm__ volatile("inl %%dx, %%eax" : "+a"(rax) : "d"(NOBODY));
    guest_check_equal(rax, 0xffffffff);
}

/* REP OUTSB of `count` bytes; the registers afterwards. */
static void outs(uint16_t port, const void **from, uint64_t *count)
{
    __asm__ volatile("rep outsb" : "+S"(*from), "+c"(*count) : "d"(port) : "memory");
}

static void ins(uint16_t port, void **to, uint64_t *count)
{
    __asm__ volatile("rep insb" : "+D"(*to), "+c"(*count) : "d"(port) : "memory");
}

static void check_strings(void)
{
    const void *from = buffer;
    void *to = buffer + 1;
    uint64_t count = COUNT;

    for (unsigned i = 0; i < COUNT; i++)
        buffer[i] = (uint8_t)(i + 1);
    outs(UART_SCRATCH, &from, &count);
    guest_check(from == buffer + COUNT && count == 0);
    guest_check_equal(inb(UART_SCRATCH), COUNT);
    outs(UART_SCRATCH, &from, &count); /* none */
    guest_check_equal(inb(UART_SCRATCH), COUNT);

    memset(buffer, 0, sizeof(buffer));
    count = COUNT;
    ins(UART_SCRATCH, &to, &count);
    guest_check(to == buffer + 1 + COUNT && count == 0);
    guest_check(buffer[0] == 0 && buffer[1] == COUNT && buffer[COUNT] == COUNT);
    guest_check_equal(buffer[COUNT + 1], 0);
}

static void check_string_forms(void)
{
    uint64_t rsi = (uint64_t)(uintptr_t)(buffer + 9), rdi, rcx = 10, fs = rdmsr(0xc0000100);
    uint16_t *words = (uint16_t *)(void *)buffer;

    for (unsigned i = 0; i < 10; i++)
        buffer[i] = (uint8_t)(0x40 + i);
    /* downwards */
    __asm__ volatile("std; rep outsb; cld" : "+S"(rsi), "+c"(rcx) : "d"(UART_SCRATCH) : "memory");
    guest_check_equal(rsi, (uint64_t)(uintptr_t)buffer - 1);
    guest_check_equal(inb(UART_SCRATCH), 0x40);
    /* one element without REP */
    rsi = (uint64_t)(uintptr_t)(buffer + 3);
    __asm__ volatile("outsb" : "+S"(rsi) : "d"(UART_SCRATCH) : "memory");
    guest_check_equal(rsi, (uint64_t)(uintptr_t)(buffer + 4));
    guest_check_equal(inb(UART_SCRATCH), 0x43);
    /* 16 bits wide */
    outb(UART_LCR, LCR_DLAB | 3);
    outw(UART, 0xbeef);
    rdi = (uint64_t)(uintptr_t)buffer;
    rcx = 3;
    __asm__ volatile("rep insw" : "+D"(rdi), "+c"(rcx) : "d"(UART) : "memory");
    guest_check(words[0] == 0xbeef && words[2] == 0xbeef && words[3] != 0xbeef);
    guest_check_equal(rdi, (uint64_t)(uintptr_t)buffer + 6);
    outw(UART, 1);
    outb(UART_LCR, 3);
    /* 32-bit addresses: the upper halves don't count, and what is written is cleared */
    rdi = (uint64_t)(uintptr_t)buffer | 1ull << 40;
    rcx = 2 | 1ull << 40;
    outb(UART_SCRATCH, 0x99);
    __asm__ volatile("addr32 rep insb" : "+D"(rdi), "+c"(rcx) : "d"(UART_SCRATCH) : "memory");
    guest_check_equal(rdi, (uint64_t)(uintptr_t)buffer + 2);
    guest_check_equal(rcx, 0);
    guest_check(buffer[1] == 0x99 && buffer[2] != 0x99);
    /* a segment with a base */
    wrmsr(0xc0000100, (uint64_t)(uintptr_t)buffer);
    buffer[100] = 0x6b;
    rsi = 100;
    __asm__ volatile("outsb %%fs:(%%rsi), %%dx" : "+S"(rsi) : "d"(UART_SCRATCH) : "memory");
    guest_check_equal(inb(UART_SCRATCH), 0x6b);
    wrmsr(0xc0000100, fs);
}

static void mend(struct guest_frame *frame)
{
    faults++;
    last_error = frame->error_code;
    last_address = read_cr2();
    guest_check_equal(frame->rcx + (last_address & (PAGE - 1)), faults == 1 ? 50 : 30);
    guest_map_page(last_address, true);
}

/* 50 of 100 bytes lie in a page that is not there: the fault comes in the middle. */
static void check_faults(void)
{
    uint8_t *edge = buffer + PAGE;
    void *to = edge - 50;
    const void *from = edge - 70;
    uint64_t count = 100;

    guest_on_vector(VECTOR_PF, mend);
    outb(UART_SCRATCH, 0x31);
    guest_map_page((uint64_t)(uintptr_t)edge, false);
    ins(UART_SCRATCH, &to, &count);
    guest_check(to == edge + 50 && count == 0 && faults == 1);
    guest_check_equal(last_error, 2); /* write, not present */
    guest_check_equal(last_address, (uint64_t)(uintptr_t)edge);
    guest_check(edge[-50] == 0x31 && edge[49] == 0x31 && edge[50] != 0x31);

    count = 100;
    memset((void *)(uintptr_t)from, 0x32, 100);
    guest_map_page((uint64_t)(uintptr_t)edge, false);
    outs(UART_SCRATCH, &from, &count);
    guest_check(from == edge + 30 && count == 0 && faults == 2);
    guest_check_equal(last_error, 0);
    guest_check_equal(inb(UART_SCRATCH), 0x32);
    guest_on_vector(VECTOR_PF, NULL);
}

static void mend_quietly(struct guest_frame *frame)
{
    (void)frame;
    guest_map_page(read_cr2(), true);
}

/* A device that gives each byte once loses none to a page fault. */
static void check_fault_loses_nothing(void)
{
    uint8_t *edge = buffer + PAGE;
    void *to = edge - 3;
    uint64_t count = 8;

    guest_on_vector(VECTOR_PF, mend_quietly);
    outb(UART_FCR, FCR_ENABLE);
    outb(UART_MCR, MCR_LOOP);
    for (uint8_t i = 0; i < count; i++)
        outb(UART, (uint8_t)(0x60 + i));
    guest_map_page((uint64_t)(uintptr_t)edge, false);
    ins(UART, &to, &count);
    for (unsigned i = 0; i < 8; i++)
        guest_check_equal(edge[(int)i - 3], 0x60 + i);
    outb(UART_MCR, MCR_OUT2);
    outb(UART_FCR, 0);
    guest_on_vector(VECTOR_PF, NULL);
}

static void user_out(void *arg)
{
    (void)arg;
    outb(NULL_PORT, 0x13);
}

static void user_ins(void *arg)
{
    uint64_t count = 1;

    ins(NULL_PORT, &arg, &count);
}

int guest_main(const struct mullion_flat_info *info)
{
    (void)info;
    check_sizes();
    check_strings();
    check_string_forms();
    check_faults();
    check_fault_loses_nothing();
    outb(NULL_PORT, 0x12);
    guest_check_equal(guest_catch_user(user_out, NULL, NULL), VECTOR_GP);
    guest_check_equal(guest_catch_user(user_ins, buffer, NULL), VECTOR_GP);
    guest_check_equal(inb(NULL_PORT), 0x12);
    return 0;
}
