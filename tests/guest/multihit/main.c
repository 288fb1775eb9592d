/* SPDX-License-Identifier: MIT */
/*
 * Code in every 2 MiB of memory. Where large pages are not executed (boot option multihit=on), the
 * first call into one costs an exit, which splits it, and no later one does, wherever it goes; else
 * no call costs any. What is in memory stays as it was. Two vCPUs do it at once.
 */
#include "guests/lib/guest.h"

#define PAGE 4096ull
#define LARGE_PAGE 0x200000ull
#define FIRST 0x800000ull /* past this image, its stacks and page tables */
#define SLACK 20u         /* the host's own interrupts are exits too */
#define MARK_AT 2048u

static uint64_t end;
static volatile uint32_t done;
static uint8_t stack[8192];

/* mov $imm32, %eax; ret */
static void write_code(uint64_t page)
{
    uint8_t *code = (uint8_t *)page;

    code[0] = 0xb8;
    for (unsigned i = 0; i < 4; i++)
        code[1 + i] = (uint8_t)(page >> 8 * i);
    code[5] = 0xc3;
    *(volatile uint64_t *)(page + MARK_AT) = ~page;
}

static uint64_t exits(void)
{
    return (uint64_t)guest_hypercall(MULLION_HC_EXITS, 0, 0);
}

static void call(uint64_t page)
{
    guest_check_equal(((uint32_t(*)(void))page)(), (uint32_t)page);
}

/* Calls into the page at `offset` of each large page. Returns the exits that it took. */
static uint64_t call_all(uint64_t offset)
{
    uint64_t before = exits();

    for (uint64_t at = FIRST; at < end; at += LARGE_PAGE)
        call(at + offset);
    return exits() - before;
}

static void second_cpu(void)
{
    for (uint64_t at = end; at > FIRST; at -= LARGE_PAGE)
        call(at - PAGE);
    done = 1;
    for (;;)
        __asm__ volatile("hlt");
}

static void together(void)
{
    guest_x2apic_on();
    guest_start_cpu(1, second_cpu, stack + sizeof(stack));
    call_all(LARGE_PAGE / 2);
    while (!done)
        __asm__ volatile("pause");
    call_all(LARGE_PAGE - PAGE);
}

static void alone(uint64_t expected)
{
    uint64_t count = (end - FIRST) / LARGE_PAGE, first, other, again;

    first = call_all(LARGE_PAGE / 2);
    other = call_all(0) + call_all(LARGE_PAGE - PAGE);
    again = call_all(LARGE_PAGE / 2);
    guest_printf("%lu large pages: %lu exits, elsewhere in them %lu, again %lu\n", count, first,
                 other, again);
    guest_check(first >= count * expected && first <= count * expected + SLACK);
    guest_check(other <= SLACK && again <= SLACK);
}

int guest_main(const struct mullion_flat_info *info)
{
    uint64_t before = exits();

    end = info->memory & ~(LARGE_PAGE - 1);
    for (uint64_t page = FIRST; page < end; page += PAGE)
        write_code(page);
    guest_check(exits() - before <= SLACK); /* data: no split */
    if (info->vcpus > 1)
        together();
    else
        alone(guest_option(info, "exits", 0));
    for (uint64_t page = FIRST; page < end; page += PAGE)
        guest_check_equal(*(volatile uint64_t *)(page + MARK_AT), ~page);
    return 0;
}
