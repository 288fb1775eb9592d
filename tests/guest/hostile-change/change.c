/* SPDX-License-Identifier: MIT */
/* What the second CPU changes under the first one (guest). */
#include "tests/guest/hostile-change/change.h"

#define IOAPIC 0xfec00000ull
#define LAPIC 0xfee00000ull
#define HOLE 0xd0000000ull
#define PTE_LARGE 0x80ull
#define PTE_RESERVED (1ull << 51)
#define INT3 0xccu

volatile struct change_plan change_plan;
volatile uint64_t change_count, change_trials;
volatile uint32_t change_eoi_word;
volatile bool change_stuck;

static volatile uint64_t pages[2][512] __attribute__((aligned(4096)));
static uint64_t frames[4][512] __attribute__((aligned(4096)));
extern uint64_t guest_pd[2048];
static uint64_t noise, patience, pace, gate;
static bool wild;

/* guests/lib/crt0.S's, 32-bit code for CPL 3, and the one that changes. */
uint64_t change_gdt[11] = {
    0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff, 0x00affb000000ffff,
    0x00cff3000000ffff, 0, 0, 0, 0x00cffb000000ffff, 0x00cff3000000ffff,
};

struct text {
    uint8_t bytes[8];
};
static const struct text device[] = {
    { { 0x8b, 0x07 } }, { { 0x89, 0x07 } }, { { 0x87, 0x07 } }, { { 0x21, 0x07 } },
    { { 0x03, 0x07 } }, { { 0x0f, 0xba, 0x2f, 5 } }, { { 0x0f, 0xb6, 0x07 } },
    { { 0xc7, 0x07, 1, 2, 3, 4 } }, { { 0xa5 } }, { { 0xf3, 0xa5 } }, { { 0xaa } },
    { { 0xf3, 0xab } }, { { 0x3b, 0x07 } }, { { 0xf7, 0x07, 1, 2, 3, 4 } },
    { { 0x48, 0x8b, 0x07 } }, { { INT3 } },
};
static const struct text port[] = {
    { { 0x6c } }, { { 0x6d } }, { { 0x66, 0x6d } }, { { 0xf3, 0x6c } }, { { 0xf3, 0x6d } },
    { { 0x6e } }, { { 0x6f } }, { { 0x66, 0x6f } }, { { 0xf3, 0x6e } }, { { 0xf3, 0x6f } },
    { { 0xf3, 0x66, 0x6d } }, { { 0x3e, 0x6e } }, { { 0xec } }, { { 0xed } }, { { 0xef } },
    { { INT3 } },
};
static const struct text system[] = {
    { { 0x0f, 0xa2 } }, { { 0x0f, 0x30 } }, { { 0x0f, 0x32 } }, { { 0x0f, 0x22, 0xc0 } },
    { { 0x0f, 0x20, 0xc0 } }, { { 0x0f, 0x06 } }, { { 0x0f, 0x01, 0x36 } },
    { { 0x0f, 0x01, 0x26 } }, { { 0x0f, 0x01, 0xf0 } }, { { 0x44, 0x0f, 0x22, 0xc0 } },
    { { 0x0f, 0x09 } }, { { 0x0f, 0x08 } }, { { 0xf3, 0x90 } }, { { 0x0f, 0x33 } },
    { { 0x0f, 0x01, 0xc1 } }, { { 0x0f, 0x01, 0xd9 } }, { { 0xcd, CHANGING_GATE } },
    { { 0x0f, 0x22, 0xe3 } }, { { 0xf1 } }, { { 0xfb, 0xf4 } }, { { 0x8e, 0xc1 } }, { { INT3 } },
};
static const struct {
    const struct text *texts;
    unsigned count;
} sets[SETS] = {
    [SET_DEVICE] = { device, ARRAY_SIZE(device) },
    [SET_PORT] = { port, ARRAY_SIZE(port) },
    [SET_SYSTEM] = { system, ARRAY_SIZE(system) },
};

uint64_t change_instruction(uint32_t set, uint64_t random)
{
    const struct text *text = &sets[set].texts[random % sets[set].count];
    uint64_t code = 0;

    for (unsigned i = sizeof(text->bytes); i-- > 0;)
        code = code << 8 | (text->bytes[i] ? text->bytes[i] : INT3);
    return code;
}

void change_put_code(uint64_t code)
{
    for (unsigned i = 0; i < 2; i++)
        __atomic_store_n(&frames[i][(CODE & 4095) / 8], code, __ATOMIC_SEQ_CST);
}

static uint64_t of(const volatile void *frame, uint64_t flags)
{
    return (uint64_t)(uintptr_t)frame | flags;
}

void change_reset(void)
{
    for (unsigned i = 0; i < 2; i++) {
        pages[i][0] = of(frames[i], PTE_RAM);
        pages[i][1] = IOAPIC | PTE_RAM;
        pages[i][2] = of(frames[2 + i], PTE_RAM);
    }
    guest_pd[REGION >> 21] = of(pages[0], PTE_RAM);
}

static uint64_t below(uint64_t limit)
{
    noise = noise * 6364136223846793005ull + 1442695040888963407ull;
    return (noise >> 33) % limit;
}

/* Code: other code, gone, not to be executed, not the user's, wrong. */
static void change_pages(void)
{
    const uint64_t code[] = {
        of(frames[0], PTE_RAM), of(frames[1], PTE_RAM), of(frames[1], PTE_RAM), 0,
        of(frames[0], PTE_RAM | PTE_NX), of(frames[0], PTE_P), of(frames[1], PTE_P | PTE_RESERVED),
    };
    const uint64_t to[] = {
        IOAPIC | PTE_RAM, IOAPIC | PTE_RAM, IOAPIC | PTE_P | PTE_U, IOAPIC | PTE_P | PTE_W, 0,
        LAPIC | PTE_RAM, of(frames[3], PTE_RAM), of(frames[3], PTE_P | PTE_U),
    };
    const uint64_t from[] = {
        of(frames[2], PTE_RAM), of(frames[3], PTE_RAM), of(frames[2], PTE_P | PTE_U), 0,
    };
    uint64_t page = below(3);
    uint64_t entry = page == 0   ? code[below(ARRAY_SIZE(code))]
                     : page == 1 ? to[below(ARRAY_SIZE(to))]
                                 : from[below(ARRAY_SIZE(from))];

    if (wild && below(4) == 0)
        entry = (below(2) ? HOLE : below(8192) << 12) | PTE_RAM;
    pages[below(2)][page] = entry;
}

static void change_directory(void)
{
    const uint64_t entries[] = {
        of(pages[0], PTE_RAM), of(pages[1], PTE_RAM), of(pages[1], PTE_RAM), 0,
        of(pages[0], PTE_P | PTE_U), of(pages[0], PTE_RAM | PTE_RESERVED),
        REGION | PTE_RAM | PTE_LARGE,
    };
    volatile uint64_t *entry = &guest_pd[REGION >> 21];

    *entry = wild && below(4) == 0 ? below(8192) << 12 | below(256) | PTE_P
                                   : entries[below(ARRAY_SIZE(entries))];
}

static void change_descriptors(void)
{
    static const uint64_t segments[] = {
        0x00cff3000000ffff, 0x00aff30000000fff, 0x00cf73000000ffff, 0x0040f3000000000f,
        0x00cffb000000ffff, 0x00cff7000000ffff, 0x0000890000000067, 0x00affb000000ffff,
    };

    change_gdt[CHANGING / 8] = segments[below(ARRAY_SIZE(segments))];
    *guest_gate(CHANGING_GATE) = gate ^ below(2) << (41 + below(7)); /* type, DPL, P */
    if (wild && below(8) == 0)
        change_gdt[below(ARRAY_SIZE(change_gdt))] ^= 1ull << below(64);
}

static void change_messages(void)
{
    switch (below(8)) {
    case 0:
        wrmsr(X2APIC_ICR, ICR_NMI | ICR_ASSERT);
        break;
    case 1:
        *(volatile uint32_t *)IOAPIC = 0x10 + (uint32_t)below(48);
        break;
    case 2:
    case 3:
        change_eoi_word = (uint32_t)below(4);
        break;
    default:
        wrmsr(X2APIC_ICR, ICR_ASSERT | (INTERRUPT + (uint32_t)below(16)));
    }
}

static void change(void)
{
    uint32_t set = change_plan.set;

    switch (change_plan.kinds & 1u << below(6)) {
    case CHANGE_CODE:
        change_put_code(wild && below(4) == 0 ? noise : change_instruction(set, below(1024)));
        break;
    case CHANGE_PAGES:
        change_pages();
        break;
    case CHANGE_DIRECTORY:
        change_directory();
        break;
    case CHANGE_DATA:
        frames[2 + below(2)][below(512)] = noise;
        break;
    case CHANGE_DESCRIPTORS:
        change_descriptors();
        break;
    case CHANGE_MESSAGES:
        change_messages();
        break;
    default:
        return;
    }
    change_count++;
    for (uint64_t i = below(pace); i; i--)
        barrier();
}

void change_run(void)
{
    uint64_t last = 0, since = rdtsc();

    for (;;) {
        change();
        if (change_trials != last) {
            last = change_trials;
            since = rdtsc();
        } else if (rdtsc() - since > patience) {
            change_stuck = true;
            wrmsr(X2APIC_ICR, ICR_NMI | ICR_ASSERT);
            since = rdtsc();
        }
    }
}

void change_init(const struct mullion_flat_info *info)
{
    wild = guest_option(info, "wild", 0);
    noise = guest_option(info, "seed", 1);
    pace = guest_option(info, "pace", 128);
    patience = info->tsc_hz / 100;
    gate = *guest_gate(CHANGING_GATE);
    memset(frames, INT3, sizeof(frames));
    memset((void *)(uintptr_t)REGION, INT3, 4 * 4096);
    change_reset();
    /* what an instruction of two halves may reach must not end the VM: nothing is there */
    for (uint64_t i = info->memory >> 21; i < ARRAY_SIZE(guest_pd); i++)
        guest_pd[i] &= i == IOAPIC >> 21 ? ~0ull : 0;
}
