/* SPDX-License-Identifier: MIT */
/*
 * Attack, by how=: 0: device registers with every size at every offset, which is harmless. What
 * no operating system does ends the VM: 1: instructions, 2: page tables, 3: the stack, 4: the
 * IDT in device memory; 5: an access across its end; 6: an SSE access.
 */
#include "guests/lib/guest.h"

#define IOAPIC 0xfec00000ull
#define LAPIC 0xfee00000ull
#define LARGE_PAGE 0x200000ull
#define OFFSETS 0x400u
#define VIRTUAL 0x40000000ull
extern uint64_t guest_pd[2048];

static uint64_t accesses;

#define TOUCH(type, address, value)                                                                \
    do {                                                                                           \
        *(volatile type *)(address) = (type)(value);                                               \
        (void)*(volatile type *)(address);                                                         \
        accesses += 2;                                                                             \
    } while (0)

static void touch_all(uint64_t base, uint64_t value)
{
    for (uint64_t a = base; a < base + OFFSETS; a++) {
        TOUCH(uint8_t, a, value);
        TOUCH(uint16_t, a, value);
        TOUCH(uint32_t, a, value);
        TOUCH(uint64_t, a, value);
    }
}

static void on_any(struct guest_frame *frame)
{
    (void)frame;
    wrmsr(X2APIC_EOI, 0);
}

static int all_sizes(const struct mullion_flat_info *info)
{
    touch_all(IOAPIC, 0);
    touch_all(IOAPIC, ~0ull);
    touch_all(LAPIC, 0);
    touch_all(LAPIC, ~0ull);
    guest_printf("%lu accesses\n", accesses);
    for (unsigned vector = 32; vector < 256; vector++)
        guest_on_vector(vector, on_any);
    guest_x2apic_on();
    wrmsr(X2APIC_TPR, 0);
    guest_sleep(info->tsc_hz / 1000);
    return 0;
}

static void forbidden(uint64_t how)
{
    static const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } idt = { 4095, IOAPIC };

    switch (how) {
    case 1:
        __asm__ volatile("call *%0" : : "r"(IOAPIC) : "memory");
        break;
    case 2:
        guest_pd[VIRTUAL / LARGE_PAGE] = IOAPIC | PTE_RAM;
        invlpg(VIRTUAL);
        (void)*(volatile uint32_t *)VIRTUAL;
        break;
    case 3:
        __asm__ volatile("movq %0, %%rsp; ud2" : : "r"(IOAPIC + 2048) : "memory");
        break;
    case 4:
        __asm__ volatile("lidt %0; ud2" : : "m"(idt) : "memory");
        break;
    case 5:
        (void)*(volatile uint64_t *)(IOAPIC + 4092);
        break;
    default:
        __asm__ volatile("movups (%0), %%xmm0" : : "r"(IOAPIC) : "memory");
        break;
    }
}

int guest_main(const struct mullion_flat_info *info)
{
    uint64_t how = guest_option(info, "how", 0);

    if (!how)
        return all_sizes(info);
    guest_printf("attack %lu\n", how);
    forbidden(how);
    guest_printf("survived\n");
    return 0;
}
