/* SPDX-License-Identifier: MIT */
/* Every mode of the processor, there and back, with exits in each: see trip.S. */
#include "guests/lib/guest.h"

#define BLOB 0x9000u
#define BLOB_LIMIT 0xffffu
#define LARGE_PAGE32 0x87u
#define ALIAS_ENTRY 1u /* of the page directory: 4 MiB */
#define PDPTE_P 1u
#define IOAPIC_VERSION 0x170020u
#define ROUNDS 3u
enum { COMPATIBILITY, PROTECTED, PAGING_32, PAGING_PAE, PAGING_PAE_AGAIN, PROBES };

struct probe {
    uint32_t cpuid, ioapic, port;
};

void modes_trip(void);
extern const uint8_t modes_blob[], modes_blob_end[];
extern uint64_t guest_pd[2048];
struct probe modes_seen[PROBES];
uint8_t modes_bytes[4096] __attribute__((aligned(4096)));
uint32_t modes_pd32[1024] __attribute__((aligned(4096)));
uint64_t modes_pdpt[4] __attribute__((aligned(32)));
static uint32_t table32[1024] __attribute__((aligned(4096)));

static void make_tables(void)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(modes_pd32); i++)
        modes_pd32[i] = i << 22 | LARGE_PAGE32;
    table32[0] = (uint32_t)(uintptr_t)modes_bytes | (uint32_t)PTE_RAM;
    modes_pd32[ALIAS_ENTRY] = (uint32_t)(uintptr_t)table32 | (uint32_t)PTE_RAM;
    for (unsigned i = 0; i < ARRAY_SIZE(modes_pdpt); i++)
        modes_pdpt[i] = (uint64_t)(uintptr_t)(guest_pd + 512 * i) | PDPTE_P;
}

static void check_round(unsigned round)
{
    volatile uint8_t *blob = (uint8_t *)(uintptr_t)BLOB;
    volatile uint32_t *seen = (volatile uint32_t *)(uintptr_t)BLOB;
    uint32_t vendor = cpuid(0, 0).ebx;

    memset(modes_seen, 0, sizeof(modes_seen));
    memset(modes_bytes, 0x10, 2);
    modes_bytes[2] = (uint8_t)(0x20 + round);
    memcpy((void *)(uintptr_t)BLOB, modes_blob, (size_t)(modes_blob_end - modes_blob));
    blob[BLOB_LIMIT] = 0x55;
    modes_trip();
    for (unsigned i = 0; i < PROBES; i++) {
        guest_check_equal(modes_seen[i].cpuid, vendor);
        guest_check_equal(modes_seen[i].ioapic, IOAPIC_VERSION);
        guest_check_equal(modes_seen[i].port, 0x20 + round);
    }
    guest_check_equal(table32[0] & 0x20, 0x20); /* accessed */
    guest_check_equal(seen[0], vendor);
    guest_check_equal(seen[1], IOAPIC_VERSION);
    guest_check_equal(seen[2], vendor & 0xff); /* the byte at offset 0: seen[0] itself */
    guest_check_equal(seen[3] & 0xffff, 1);
    guest_check_equal(seen[4], vendor);
    guest_check_equal(seen[5], 0x3c3c3c3c);
    guest_check_equal(blob[24], 1);
    guest_check_equal(blob[25], 2);
}

int guest_main(const struct mullion_flat_info *info)
{
    (void)info;
    make_tables();
    for (unsigned round = 0; round < ROUNDS; round++)
        check_round(round);
    guest_printf("%u times through compatibility, protected, 32-bit paging, PAE, 16-bit and real "
                 "mode\n", ROUNDS);
    return 0;
}
