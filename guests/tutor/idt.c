/* SPDX-License-Identifier: MIT */
/* The interrupt table: vector n leads to stub n of isr.S. */
#include "guests/tutor/io.h"
#include "guests/tutor/trap.h"

/* SDM 3A, "IDT Descriptors". An interrupt gate also switches interrupts off on entry. */
struct idt_gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t zero;
    uint8_t type;
    uint16_t offset_high;
} __attribute__((packed));

#define GATE_INTERRUPT_32 0x0E
#define GATE_PRESENT 0x80

extern const uint8_t isr_stubs[TRAP_VECTORS][TRAP_STUB_SIZE];

static struct idt_gate idt[TRAP_VECTORS];

void idt_init(void)
{
    const struct cpu_table_pointer pointer = {
        .limit = sizeof(idt) - 1,
        .base = (uint32_t)idt,
    };

    for (unsigned vector = 0; vector < TRAP_VECTORS; vector++) {
        uint32_t stub = (uint32_t)isr_stubs[vector];

        idt[vector] = (struct idt_gate){
            .offset_low = (uint16_t)stub,
            .selector = GDT_CODE,
            .type = GATE_PRESENT | GATE_INTERRUPT_32,
            .offset_high = (uint16_t)(stub >> 16),
        };
    }
    cpu_load_idt(&pointer);
}
