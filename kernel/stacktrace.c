/* SPDX-License-Identifier: MIT */
/* Stack traces of root mode, printed by a panic. */
#include "kernel/stacktrace.h"

#include "kernel/hostmap.h"
#include "kernel/log.h"

#define TRACE_WORDS_MAX 2048u /* no stack is larger */
#define TRACE_LINES_MAX 24u

extern const char __text_start[], __rodata_start[];

/* Generated when the image is linked: functions by ascending address, and their names. */
struct symbol {
    uint32_t offset; /* from the start of the image's code */
    uint32_t name;   /* offset into symbol_names */
};
extern const struct symbol symbol_table[] __attribute__((weak));
extern const uint32_t symbol_count __attribute__((weak));
extern const char symbol_names[] __attribute__((weak));

static bool in_text(uint64_t address)
{
    return address >= (uint64_t)(uintptr_t)__text_start &&
           address < (uint64_t)(uintptr_t)__rodata_start;
}

const char *symbol_find(uint64_t address, uint64_t *offset)
{
    if (!&symbol_count || !in_text(address))
        return NULL;
    uint64_t in = address - (uint64_t)(uintptr_t)__text_start;
    uint32_t low = 0, high = symbol_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (symbol_table[middle].offset <= in)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    *offset = in - symbol_table[low - 1].offset;
    return symbol_names + symbol_table[low - 1].name;
}

static void print_line(uint64_t address)
{
    uint64_t offset = 0;
    const char *name = symbol_find(address, &offset);

    log_printf("  %016lx %s+%#lx\n", address, name ? name : "?", offset);
}

/* Does a call instruction end here? Near calls: E8 rel32; FF /2 with 0, 1 or 4 bytes more. */
static bool after_call(uint64_t address)
{
    const uint8_t *p = (const uint8_t *)(uintptr_t)address;

    if (!in_text(address) || !in_text(address - 7))
        return false;
    return p[-5] == 0xe8 || p[-2] == 0xff || p[-3] == 0xff || p[-6] == 0xff || p[-7] == 0xff;
}

/* RSP may be anything: a page that is not mapped ends the walk. */
static bool readable(uint64_t address)
{
    struct pt_leaf leaf;
    return pt_lookup(hostmap_pt(), address, &leaf);
}

void stacktrace_print(uint64_t rip, uint64_t rsp)
{
    unsigned lines = 0;
    uint64_t address = ALIGN_UP(rsp, 8ull);

    log_printf("stack:\n");
    if (rip)
        print_line(rip);
    /* After an overflow RSP is below the stack. */
    if (!readable(address))
        address = ALIGN_UP(address, PAGE_SIZE);
    for (unsigned i = 0; i < TRACE_WORDS_MAX && lines < TRACE_LINES_MAX; i++, address += 8) {
        if ((i == 0 || address % PAGE_SIZE == 0) && !readable(address))
            return;
        uint64_t word = *(const uint64_t *)(uintptr_t)address;
        if (after_call(word)) {
            print_line(word);
            lines++;
        }
    }
}
