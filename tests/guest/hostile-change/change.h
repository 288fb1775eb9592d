/* SPDX-License-Identifier: MIT */
/* Between the CPU that executes and the one that changes what it executes (guest). */
#ifndef TESTS_GUEST_HOSTILE_CHANGE_CHANGE_H
#define TESTS_GUEST_HOSTILE_CHANGE_CHANGE_H

#include "guests/lib/guest.h"

/* A large page of its own, split: what is executed, its operands at RDI and RSI. */
#define REGION 0x400000ull
#define CODE (REGION + 2048)
#define TO (REGION + 0x1000)
#define FROM (REGION + 0x2000)

#define CODE64 8u
#define DATA_KERNEL 16u
#define CODE32 24u
#define CODE64_USER 35u
#define DATA_USER 43u
#define CODE32_USER 75u
#define CHANGING 80u /* a descriptor that changes */
#define CHANGING_GATE 0x80u
#define INTERRUPT 0x50u

enum change_kind {
    CHANGE_CODE = 1,        /* the instruction */
    CHANGE_PAGES = 2,       /* the entries that map it and its operands */
    CHANGE_DIRECTORY = 4,   /* the entry above these */
    CHANGE_DATA = 8,        /* memory operands */
    CHANGE_DESCRIPTORS = 16, /* a segment, a gate */
    CHANGE_MESSAGES = 32,   /* interrupts, NMIs, I/O APIC, the word that stands for an EOI */
};
/* Instructions that fit one another: any may follow the exit of any other. */
enum change_set { SET_DEVICE, SET_PORT, SET_SYSTEM, SETS };

struct change_plan {
    uint32_t kinds; /* mask of enum change_kind; 0: stand still */
    uint32_t set;
};
extern volatile struct change_plan change_plan;
extern volatile uint64_t change_count, change_trials; /* changes made; trials begun */
extern volatile uint32_t change_eoi_word;
extern volatile bool change_stuck; /* the NMI that comes ends a trial */
extern uint64_t change_gdt[11];

/* Eight bytes that begin with one of the set's instructions and end with INT3. */
uint64_t change_instruction(uint32_t set, uint64_t random);
/* Puts it where the CPUs find it. */
void change_put_code(uint64_t code);
/* All is mapped and present again. */
void change_reset(void);
/* CPU 1's: never returns. */
void change_run(void);
void change_init(const struct mullion_flat_info *info);

#endif
