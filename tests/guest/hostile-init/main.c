/* SPDX-License-Identifier: MIT */
/*
 * Attack: INIT, SIPIs, NMIs and interrupts for a CPU that is in the middle of exits. Each start
 * must succeed: nothing that came before its INIT is left.
 */
#include "guests/lib/guest.h"

#define IOAPIC 0xfec00000ull
#define INTERRUPT 0x50u
#define PORT 0xe0u
#define STACK_SIZE 8192u
#define NMI 3u /* of the messages */
#define ELEMENTS 200u /* more than the hypervisor does in one exit */

static uint8_t stack[STACK_SIZE] __attribute__((aligned(16)));
static volatile uint64_t starts, done;
static volatile uint32_t interrupts, nmis;

static void on_interrupt(struct guest_frame *frame)
{
    (void)frame;
    interrupts++;
    wrmsr(X2APIC_EOI, 0);
}

static void on_nmi(struct guest_frame *frame)
{
    (void)frame;
    nmis++;
}

/* Exits of all kinds, and sleep. */
static void work(void)
{
    static uint8_t bytes[ELEMENTS];

    starts++;
    for (;; done++) {
        const void *from = bytes;
        uint64_t count = ELEMENTS;

        __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(PORT) : "memory");
        *(volatile uint32_t *)IOAPIC = 1;
        cpuid(1, 0);
        write_cr0(read_cr0() ^ CR0_CD);
        write_cr8(done & 3);
        if (done % 4 == 0)
            sti_hlt();
        else
            sti_nop_cli();
    }
}

static void message(uint64_t random, uint64_t wait)
{
    static const uint32_t commands[] = {
        INTERRUPT, INTERRUPT + 1, INTERRUPT + 0x80, [NMI] = ICR_NMI, ICR_SIPI | 0x12, ICR_NMI,
    };

    wrmsr(X2APIC_ICR, 1ull << 32 | ICR_ASSERT | commands[random % ARRAY_SIZE(commands)]);
    for (; wait; wait--)
        barrier();
}

/* Until it has been through all; an interrupt at a time, or it would do nothing else. */
static void let_it_work(void)
{
    uint64_t before = done;
    uint32_t seen = nmis;

    message(NMI, 0);
    while (nmis == seen)
        cpu_pause();
    do {
        seen = interrupts;
        message(0, 0);
        while (interrupts == seen)
            cpu_pause();
    } while (done == before);
}

int guest_main(const struct mullion_flat_info *info)
{
    uint64_t rounds = guest_option(info, "rounds", 200);

    guest_x2apic_on();
    guest_on_vector(VECTOR_NMI, on_nmi);
    for (unsigned vector = 32; vector < 256; vector++)
        guest_on_vector(vector, on_interrupt);
    for (uint64_t round = 1; round <= rounds; round++) {
        guest_start_cpu(1, work, stack + STACK_SIZE);
        while (starts < round)
            cpu_pause();
        if (round % 4 == 0)
            let_it_work();
        for (uint64_t i = guest_random() % 8; i; i--)
            message(guest_random(), guest_random() % 1024);
    }
    guest_printf("%lu starts, %lu times through the exits, %u interrupts, %u NMIs\n", starts, done,
                 interrupts, nmis);
    guest_check_equal(starts, rounds);
    guest_check(done >= rounds / 4 && interrupts >= rounds / 4 && nmis >= rounds / 4);
    return 0;
}
