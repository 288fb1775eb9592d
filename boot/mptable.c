/* SPDX-License-Identifier: MIT */
/*
 * MP configuration table of a PC guest (Intel, MultiProcessor Specification 1.4, chapter 4), for
 * kernels that read no ACPI. Pure.
 */
#include <string.h>

#include "boot/machine.h"
#include "boot/machine_build.h"

#define PACKED __attribute__((packed))

struct PACKED mp_floating {
    char signature[4];
    uint32_t table;
    uint8_t length, revision, checksum; /* length in units of 16 bytes */
    uint8_t features[5];
};

struct PACKED mp_header {
    char signature[4];
    uint16_t length;
    uint8_t revision, checksum;
    char oem_id[8], product_id[12];
    uint32_t oem_table;
    uint16_t oem_size, entries;
    uint32_t lapic;
    uint16_t extended_length;
    uint8_t extended_checksum, reserved;
};

enum mp_entry { MP_PROCESSOR = 0, MP_BUS = 1, MP_IOAPIC = 2, MP_IO_INTERRUPT = 3,
                MP_LOCAL_INTERRUPT = 4 };
enum mp_interrupt { MP_INT = 0, MP_NMI = 1, MP_EXTINT = 3 };

struct PACKED mp_processor {
    uint8_t type, apic_id, apic_version, flags;
    uint32_t signature, features;
    uint32_t reserved[2];
};
#define MP_CPU_ENABLED 1u
#define MP_CPU_BSP 2u
#define MP_LAPIC_VERSION 0x14u
#define MP_CPU_FEATURES 0x201u /* FPU and APIC, as CPUID.1:EDX */

struct PACKED mp_bus {
    uint8_t type, id;
    char name[6];
};

struct PACKED mp_ioapic {
    uint8_t type, id, version, flags;
    uint32_t address;
};
#define MP_IOAPIC_VERSION 0x20u

struct PACKED mp_irq {
    uint8_t type, interrupt;
    uint16_t flags; /* 0: as the bus has it */
    uint8_t bus, source, apic, pin;
};
#define MP_ALL_LAPICS 0xffu

#define ISA_BUS 0u
#define ISA_IRQS 16u
#define ISA_CASCADE 2u

struct mp {
    uint8_t *bytes;
    size_t size, used;
    uint16_t entries;
};

static void put(struct mp *mp, const void *entry, size_t size)
{
    if (size > mp->size - mp->used) {
        mp->size = 0; /* full: nothing fits any more */
        mp->used = 0;
        return;
    }
    memcpy(mp->bytes + mp->used, entry, size);
    mp->used += size;
    mp->entries++;
}

static uint8_t checksum(const void *from, size_t size)
{
    const uint8_t *bytes = from;
    uint8_t sum = 0;

    while (size--)
        sum = (uint8_t)(sum + *bytes++);
    return (uint8_t)(0 - sum);
}

static void put_processors(struct mp *mp, const struct boot_vm *vm)
{
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        struct mp_processor cpu = {
            .type = MP_PROCESSOR,
            .apic_id = (uint8_t)i,
            .apic_version = MP_LAPIC_VERSION,
            .flags = MP_CPU_ENABLED | (i == 0 ? MP_CPU_BSP : 0),
            .features = MP_CPU_FEATURES,
        };

        put(mp, &cpu, sizeof(cpu));
    }
}

static void put_interrupts(struct mp *mp, uint8_t ioapic)
{
    struct mp_irq extint = { MP_LOCAL_INTERRUPT, MP_EXTINT, 0, ISA_BUS, 0, MP_ALL_LAPICS, 0 };
    struct mp_irq nmi = { MP_LOCAL_INTERRUPT, MP_NMI, 0, ISA_BUS, 0, MP_ALL_LAPICS, 1 };

    for (uint8_t irq = 0; irq < ISA_IRQS; irq++) {
        uint8_t pin = irq == 0 ? (uint8_t)MACHINE_GSI_PIT : irq;
        struct mp_irq entry = { MP_IO_INTERRUPT, MP_INT, 0, ISA_BUS, irq, ioapic, pin };

        if (irq != ISA_CASCADE)
            put(mp, &entry, sizeof(entry));
    }
    put(mp, &extint, sizeof(extint));
    put(mp, &nmi, sizeof(nmi));
}

size_t mptable_build(const struct boot_vm *vm, uint64_t base, void *buffer, size_t size)
{
    const size_t start = sizeof(struct mp_floating) + sizeof(struct mp_header);
    struct mp mp = { .bytes = buffer, .size = size, .used = start };
    uint8_t ioapic_id = (uint8_t)machine_ioapic_id(vm->vcpu_count);
    struct mp_bus isa = { MP_BUS, ISA_BUS, { 'I', 'S', 'A', ' ', ' ', ' ' } };
    struct mp_ioapic ioapic = { MP_IOAPIC, ioapic_id, MP_IOAPIC_VERSION, 1,
                                (uint32_t)MACHINE_IOAPIC_BASE };
    struct mp_floating floating = { { '_', 'M', 'P', '_' }, (uint32_t)(base + sizeof(floating)),
                                    1, 4, 0, { 0 } };
    struct mp_header *header = (struct mp_header *)((uint8_t *)buffer + sizeof(floating));

    if (size < start)
        return 0;
    put_processors(&mp, vm);
    put(&mp, &isa, sizeof(isa));
    put(&mp, &ioapic, sizeof(ioapic));
    put_interrupts(&mp, ioapic_id);
    if (!mp.size)
        return 0;
    floating.checksum = checksum(&floating, sizeof(floating));
    memcpy(buffer, &floating, sizeof(floating));
    *header = (struct mp_header){ .signature = { 'P', 'C', 'M', 'P' },
                                  .length = (uint16_t)(mp.used - sizeof(floating)),
                                  .revision = 4,
                                  .oem_id = { 'M', 'U', 'L', 'L', 'I', 'O', 'N', ' ' },
                                  .product_id = "PC          ", /* 12 characters, no NUL */
                                  .entries = mp.entries,
                                  .lapic = (uint32_t)MACHINE_LAPIC_BASE };
    header->checksum = checksum(header, header->length);
    return mp.used;
}
