/* SPDX-License-Identifier: MIT */
/* Start, end, checks and small helpers of flat guests: see guest.h (guest). */
#include "guests/lib/guest.h"

#include "guests/lib/trap.h"

void guest_start(const struct mullion_flat_info *info);

volatile uint64_t guest_checks;

void *memcpy(void *to, const void *from, size_t size)
{
    void *start = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return start;
}

void *memset(void *to, int value, size_t size)
{
    void *start = to;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
    return start;
}

void guest_exit(int status)
{
    for (;;)
        outl(MULLION_PORT_DEBUG_EXIT, (uint32_t)status);
}

#define UART_LCR 0x3fb
#define UART_MCR 0x3fc
#define LCR_8N1 3
#define MCR_OUT2 8

/* A test of the UART may have left it in loopback, where nobody would see what failed. */
static void mend_uart(void)
{
    outb(UART_LCR, LCR_8N1);
    outb(UART_MCR, MCR_OUT2);
}

void guest_fail(const char *file, int line, const char *what)
{
    mend_uart();
    guest_printf("FAIL %s:%d: %s\n", file, line, what);
    guest_exit(1);
}

void guest_equal(uint64_t a, uint64_t b, const char *file, int line, const char *what)
{
    guest_checks++;
    if (a == b)
        return;
    mend_uart();
    guest_printf("0x%lx is not 0x%lx\n", a, b);
    guest_fail(file, line, what);
}

/* The text after "name=" at the start of a word of the command line, or NULL. */
static const char *find_option(const char *text, const char *name)
{
    while (*text) {
        const char *n = name;
        while (*n && *n == *text)
            n++, text++;
        if (!*n && *text == '=')
            return text + 1;
        while (*text && *text++ != ' ')
            ;
    }
    return NULL;
}

uint64_t guest_option(const struct mullion_flat_info *info, const char *name, uint64_t otherwise)
{
    const char *text = find_option((const char *)(uintptr_t)info->cmdline, name);
    uint64_t value = 0;

    if (!text)
        return otherwise;
    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (uint64_t)(*text - '0');
    return value;
}

/* Marsaglia's xorshift, period 2^64 - 1. */
uint64_t guest_random(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

bool guest_in_qemu_tcg(void)
{
    struct guest_cpuid brand = cpuid(0x80000002, 0);

    return brand.eax == 0x554d4551 && brand.ebx == 0x47435420; /* "QEMU TCG" */
}

bool guest_is_amd(void)
{
    return cpuid(0, 0).ebx == 0x68747541; /* "Auth" */
}

long guest_hypercall(uint32_t number, uint64_t a, uint64_t b)
{
    static int vendor; /* 1: VMCALL, 2: VMMCALL */
    long result;

    if (!vendor)
        vendor = guest_is_amd() ? 2 : 1;
    if (vendor == 1)
        __asm__ volatile("vmcall"
                         : "=a"(result)
                         : "a"((uint64_t)number), "b"(a), "c"(b)
                         : "memory");
    else
        __asm__ volatile("vmmcall"
                         : "=a"(result)
                         : "a"((uint64_t)number), "b"(a), "c"(b)
                         : "memory");
    return result;
}

void guest_start(const struct mullion_flat_info *info)
{
    int status;

    guest_trap_init();
    status = guest_main(info);
    guest_printf("end: status %d, %lu checks\n", status, guest_checks);
    guest_exit(status);
}
