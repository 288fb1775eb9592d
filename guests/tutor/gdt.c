/* SPDX-License-Identifier: MIT */
/*
 * The segment table. Segments can't be switched off in protected mode, so there are two that
 * cover all 4 GiB and paging does the work. The loader's table may be anywhere (Multiboot
 * Specification, 3.2), which is why the kernel brings its own.
 */
#include "guests/tutor/io.h"
#include "guests/tutor/trap.h"

/* SDM 3A, "Segment Descriptors" and "Code- and Data-Segment Types". */
#define SEGMENT_BASE_0_LIMIT_4G 0x000F00000000FFFFull
#define SEGMENT_CODE_READ (0xAull << 40)
#define SEGMENT_DATA_WRITE (0x2ull << 40)
#define SEGMENT_NOT_SYSTEM (1ull << 44)
#define SEGMENT_PRESENT (1ull << 47)
#define SEGMENT_32BIT (1ull << 54)
#define SEGMENT_LIMIT_IN_PAGES (1ull << 55)
#define SEGMENT_FLAT                                                                  \
    (SEGMENT_BASE_0_LIMIT_4G | SEGMENT_NOT_SYSTEM | SEGMENT_PRESENT | SEGMENT_32BIT | \
     SEGMENT_LIMIT_IN_PAGES)

/* Not const: loading a segment register sets the "accessed" bit in the table. */
static uint64_t gdt[] = {
    [0] = 0, /* the null selector */
    [GDT_CODE / 8] = SEGMENT_FLAT | SEGMENT_CODE_READ,
    [GDT_DATA / 8] = SEGMENT_FLAT | SEGMENT_DATA_WRITE,
};

void gdt_init(void)
{
    const struct cpu_table_pointer pointer = {
        .limit = sizeof(gdt) - 1,
        .base = (uint32_t)gdt,
    };

    cpu_load_gdt(&pointer, GDT_DATA);
}
