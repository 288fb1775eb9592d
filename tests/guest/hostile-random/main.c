/* SPDX-License-Identifier: MIT */
/*
 * Attack: random instructions in code of all widths and at both levels. A trial is what an
 * exception's handler returns to, and ends with the next exception, or with an NMI from the second
 * CPU, which also changes the code while it runs. What a trial at CPL 0 does to this guest's own
 * tables may end the VM, so it goes on until then; with trials= it is kept to CPL 3 and to its own
 * memory, where no harm is possible.
 */
#include "tests/guest/hostile-random/code.h"

#define CODE 0x400000ull /* a large page of its own */
#define DATA (CODE + 0x1000)
#define DATA_SIZE 0x2000ull
#define LARGE_PAGE 0x200000ull
#define STACK_SIZE 8192u
#define START_VECTOR 0x30u
#define STUCK_MAX 200u

#define CODE64 8u
#define CODE64_USER 35u
#define DATA_KERNEL 16u
#define DATA_USER 43u
#define CODE32 24u
#define CODE32_USER 75u
#define CODE16 80u
#define CODE16_USER 91u

extern uint64_t guest_pml4[512], guest_pd[2048];
extern char bss_end[];

static uint8_t stacks[3][STACK_SIZE] __attribute__((aligned(16)));
static uint64_t cr0, cr4, limit, end_of_ram, patience;
static volatile uint64_t trials;
static uint64_t faults[32];

/* guests/lib/crt0.S's, and 32- and 16-bit code. */
static const uint64_t gdt[] = {
    0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff, 0x00affb000000ffff,
    0x00cff3000000ffff, 0, 0, 0, 0x00cffb000000ffff, 0x008f9b000000ffff, 0x008ffb000000ffff,
};

static void load_segments(void)
{
    const uint32_t data = DATA_USER;

    const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } pointer = { sizeof(gdt) - 1, (uint64_t)(uintptr_t)gdt };

    __asm__ volatile("lgdt %0; movl %1, %%ds; movl %1, %%es; movl %1, %%fs; movl %1, %%gs"
                     :
                     : "m"(pointer), "r"(data)
                     : "memory");
}

static void choose_level(struct guest_frame *frame)
{
    static const struct {
        uint16_t cs, ss;
    } levels[] = {
        { CODE64_USER, DATA_USER }, { CODE32_USER, DATA_USER }, { CODE16_USER, DATA_USER },
        { CODE64, DATA_KERNEL },    { CODE64, DATA_KERNEL },    { CODE64, 0 },
        { CODE32, DATA_KERNEL },    { CODE16, DATA_KERNEL },
    };
    uint64_t i = code_below(limit ? 3 : ARRAY_SIZE(levels));

    frame->cs = levels[i].cs;
    frame->ss = levels[i].ss;
    frame->rflags = guest_random() & (RFLAGS_CF | RFLAGS_TF | RFLAGS_DF | RFLAGS_AC | RFLAGS_RF);
    frame->rflags |= limit ? RFLAGS_IF : guest_random() & RFLAGS_IF;
}

static void next_trial(struct guest_frame *frame)
{
    unsigned offset = code_below(4) ? 2048 : 4096 - (unsigned)code_below(16);

    write_cr3((uint64_t)(uintptr_t)guest_pml4);
    write_cr0(cr0);
    write_cr4(cr4);
    write_dr7(0);
    load_segments();
    if (frame->vector < ARRAY_SIZE(faults))
        faults[frame->vector]++;
    if (limit && trials == limit) {
        guest_printf("%lu trials, %lu #GP, %lu #PF, %lu #UD, %lu NMIs\n", trials,
                     faults[VECTOR_GP], faults[VECTOR_PF], faults[VECTOR_UD], faults[VECTOR_NMI]);
        guest_exit(0);
    }
    trials++;
    code_fill((uint8_t *)(uintptr_t)CODE, offset);
    code_registers(frame, DATA, DATA_SIZE, end_of_ram);
    choose_level(frame);
    frame->rip = CODE + offset;
}

/* On the second CPU. */
static void watch(void)
{
    uint64_t last = 0, since = rdtsc(), stuck = 0, noise = since;

    for (;;) {
        if (trials != last) {
            last = trials;
            since = rdtsc();
            stuck = 0;
        } else if (rdtsc() - since > patience) {
            wrmsr(X2APIC_ICR, ICR_NMI | ICR_ASSERT);
            since = rdtsc();
            if (stuck++ == STUCK_MAX)
                guest_exit(1);
        }
        noise = noise * 6364136223846793005ull + 1442695040888963407ull;
        if (noise >> 60 == 0 && (noise >> 32 & 0x3f) < 48)
            ((volatile uint8_t *)CODE)[2048 + (noise >> 32 & 0x3f)] = (uint8_t)(noise >> 48) | 0x40;
        cpu_pause();
    }
}

/* User mode sees its own large page only. The rest of RAM is full of INT3. */
static void prepare_memory(void)
{
    uint64_t rest = ((uint64_t)(uintptr_t)bss_end + 4095) & ~4095ull;

    memset((void *)(uintptr_t)rest, 0xcc, end_of_ram - rest);
    for (unsigned i = 0; i < ARRAY_SIZE(guest_pd); i++)
        guest_pd[i] &= i == CODE / LARGE_PAGE ? ~0ull : ~(uint64_t)PTE_U;
    write_cr3((uint64_t)(uintptr_t)guest_pml4);
}

int guest_main(const struct mullion_flat_info *info)
{
    limit = guest_option(info, "trials", 0);
    patience = info->tsc_hz / 50;
    end_of_ram = info->memory;
    cr0 = read_cr0();
    cr4 = read_cr4();
    for (uint64_t i = guest_option(info, "seed", 0) + (limit ? 0 : rdtsc() % 4096); i; i--)
        guest_random();
    guest_printf("attack\n");
    guest_x2apic_on();
    prepare_memory();
    for (unsigned vector = 0; vector < 256; vector++) {
        guest_on_vector(vector, next_trial);
        guest_use_stack(vector, 1, stacks[0] + STACK_SIZE);
    }
    guest_use_stack(VECTOR_NMI, 2, stacks[1] + STACK_SIZE);
    for (unsigned i = 0; i < ARRAY_SIZE(faults); i++)
        guest_gate(i)[0] |= 0x6000ull << 32;
    load_segments();
    guest_start_cpu(1, watch, stacks[2] + STACK_SIZE);
    __asm__ volatile("int %0" : : "i"(START_VECTOR) : "memory");
    return 1;
}
