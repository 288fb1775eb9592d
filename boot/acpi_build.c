/* SPDX-License-Identifier: MIT */
/* ACPI tables for a guest; see acpi_build.h. Chapters are those of ACPI 6.5. Pure. */
#include "boot/acpi_build.h"

#include <string.h>

#include "boot/acpi.h"
#include "boot/aml.h"
#include "boot/machine.h"
#include "boot/machine_build.h"

#define PACKED __attribute__((packed))

/* Generic address structure (5.2.3.2) */
struct PACKED gas {
    uint8_t space, bits, offset, access;
    uint64_t address;
};
#define GAS_BYTE_PORT(port) { 1, 8, 0, 1, (port) }

/* 5.2.9; only what hardware-reduced ACPI uses has a name */
struct PACKED fadt {
    struct acpi_header header;
    uint32_t facs, dsdt;
    uint8_t reserved1[65];
    uint16_t boot_arch;
    uint8_t reserved2;
    uint32_t flags;
    struct gas reset;
    uint8_t reset_value;
    uint16_t arm_boot_arch;
    uint8_t minor_version;
    uint64_t x_facs, x_dsdt;
    struct gas fixed_hardware[8];
    struct gas sleep_control, sleep_status;
    uint8_t hypervisor[8];
};
_Static_assert(sizeof(struct fadt) == 276, "FADT revision 6");
#define FADT_BOOT_NO_VGA (1u << 2)
#define FADT_BOOT_NO_ASPM (1u << 4)
#define FADT_WBINVD (1u << 0)
#define FADT_POWER_BUTTON (1u << 4) /* not a fixed one: a control method device, or none */
#define FADT_SLEEP_BUTTON (1u << 5)
#define FADT_RESET_REG_SUP (1u << 10)
#define FADT_HW_REDUCED_ACPI (1u << 20)

/* 5.2.12 */
struct PACKED madt {
    struct acpi_header header;
    uint32_t lapic;
    uint32_t flags;
};
#define MADT_PCAT_COMPAT 1u
struct PACKED madt_lapic {
    uint8_t type, length, uid, apic_id;
    uint32_t flags;
};
struct PACKED madt_lapic_nmi {
    uint8_t type, length, uid;
    uint16_t flags;
    uint8_t lint;
};
#define MADT_LAPIC_NMI 4u
#define MADT_ALL_CPUS 0xffu

#define TABLES_MAX 2u
#define ACPI_ALIGN 16u

struct builder {
    const struct boot_vm *vm;
    uint64_t base;
    uint8_t *bytes;
    size_t size, used;
    bool full;
    uint32_t tables[TABLES_MAX]; /* what the root tables point to */
    unsigned table_count;
};

static void put(struct builder *b, const void *from, size_t size)
{
    if (size > b->size - b->used) {
        b->full = true;
        return;
    }
    memcpy(b->bytes + b->used, from, size);
    b->used += size;
}

static uint8_t checksum(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;

    while (size--)
        sum = (uint8_t)(sum + *bytes++);
    return (uint8_t)(0 - sum);
}

static struct acpi_header header(const char *signature, uint8_t revision)
{
    struct acpi_header h = {
        .revision = revision,
        .oem_id = { 'M', 'U', 'L', 'L', 'I', 'O' },
        .oem_table_id = { 'M', 'U', 'L', 'L', 'I', 'O', 'N', ' ' },
        .oem_revision = 1,
        .creator_id = 0x4e4c554d, /* "MULN" */
        .creator_revision = 1,
    };

    memcpy(h.signature, signature, sizeof(h.signature));
    return h;
}

static size_t begin(struct builder *b)
{
    size_t aligned = (b->used + ACPI_ALIGN - 1) & ~(size_t)(ACPI_ALIGN - 1);

    b->full |= aligned > b->size;
    if (!b->full)
        b->used = aligned;
    return b->used;
}

/* Completes the table that began at `at`: length and checksum. Its guest address. */
static uint32_t end(struct builder *b, size_t at)
{
    struct acpi_header h;

    if (b->full)
        return 0;
    memcpy(&h, b->bytes + at, sizeof(h));
    h.length = (uint32_t)(b->used - at);
    h.checksum = 0;
    memcpy(b->bytes + at, &h, sizeof(h));
    h.checksum = checksum(b->bytes + at, h.length);
    memcpy(b->bytes + at, &h, sizeof(h));
    return (uint32_t)(b->base + at);
}

static uint32_t build_dsdt(struct builder *b)
{
    static const uint8_t s5[] = { MACHINE_SLEEP_TYPE_S5, 0 };
    struct acpi_header h = header("DSDT", 2);
    size_t at = begin(b);
    struct aml aml;

    put(b, &h, sizeof(h));
    aml = (struct aml){ .bytes = b->bytes + b->used, .size = b->size - b->used };
    aml_name_package(&aml, "_S5_", s5, sizeof(s5));
    aml_open_scope(&aml, "\\_SB_");
    dsdt_devices(&aml, b->vm->vcpu_count);
    aml_close(&aml);
    b->used += aml.used;
    b->full |= aml.full;
    return end(b, at);
}

static uint32_t build_fadt(struct builder *b, uint32_t dsdt)
{
    size_t at = begin(b);
    struct fadt fadt = {
        .header = header("FACP", 6),
        .dsdt = dsdt,
        .boot_arch = FADT_BOOT_NO_VGA | FADT_BOOT_NO_ASPM,
        .flags = FADT_WBINVD | FADT_POWER_BUTTON | FADT_SLEEP_BUTTON | FADT_RESET_REG_SUP |
                 FADT_HW_REDUCED_ACPI,
        .reset = GAS_BYTE_PORT(MACHINE_RESET_PORT),
        .reset_value = MACHINE_RESET_VALUE,
        .minor_version = 5,
        .x_dsdt = dsdt,
        .sleep_control = GAS_BYTE_PORT(MACHINE_SLEEP_CONTROL_PORT),
        .sleep_status = GAS_BYTE_PORT(MACHINE_SLEEP_STATUS_PORT),
        .hypervisor = "Mullion",
    };

    put(b, &fadt, sizeof(fadt));
    return end(b, at);
}

static void madt_pc(struct builder *b)
{
    struct acpi_madt_override pit = { ACPI_MADT_OVERRIDE, sizeof(pit), 0, 0, MACHINE_GSI_PIT, 0 };
    struct madt_lapic_nmi nmi = { MADT_LAPIC_NMI, sizeof(nmi), MADT_ALL_CPUS, 0, 1 };

    put(b, &pit, sizeof(pit));
    put(b, &nmi, sizeof(nmi));
}

static uint32_t build_madt(struct builder *b, bool pc)
{
    size_t at = begin(b);
    struct madt madt = { header("APIC", 5), (uint32_t)MACHINE_LAPIC_BASE,
                         pc ? MADT_PCAT_COMPAT : 0 };
    struct acpi_madt_ioapic ioapic = { ACPI_MADT_IOAPIC, sizeof(ioapic),
                                  (uint8_t)machine_ioapic_id(b->vm->vcpu_count), 0,
                                  (uint32_t)MACHINE_IOAPIC_BASE, 0 };

    put(b, &madt, sizeof(madt));
    for (uint32_t i = 0; i < b->vm->vcpu_count; i++) {
        struct madt_lapic lapic = { ACPI_MADT_LOCAL_APIC, sizeof(lapic), (uint8_t)i,
                                    (uint8_t)i, ACPI_MADT_CPU_ENABLED };

        put(b, &lapic, sizeof(lapic));
    }
    put(b, &ioapic, sizeof(ioapic));
    if (pc)
        madt_pc(b);
    return end(b, at);
}

static uint32_t build_root(struct builder *b, const char *signature, bool wide)
{
    struct acpi_header h = header(signature, 1);
    size_t at = begin(b);

    put(b, &h, sizeof(h));
    for (unsigned i = 0; i < b->table_count; i++) {
        uint64_t pointer = b->tables[i];

        put(b, &pointer, wide ? sizeof(uint64_t) : sizeof(uint32_t));
    }
    return end(b, at);
}

static void build_rsdp(struct builder *b, uint32_t rsdt, uint32_t xsdt)
{
    struct acpi_rsdp rsdp = {
        .oem_id = { 'M', 'U', 'L', 'L', 'I', 'O' },
        .revision = 2,
        .rsdt = rsdt,
        .length = sizeof(rsdp),
        .xsdt = xsdt,
    };

    memcpy(rsdp.signature, "RSD PTR ", sizeof(rsdp.signature));
    rsdp.checksum = checksum((const uint8_t *)&rsdp, ACPI_RSDP_V1_SIZE);
    rsdp.extended_checksum = checksum((const uint8_t *)&rsdp, sizeof(rsdp));
    memcpy(b->bytes, &rsdp, sizeof(rsdp));
}

size_t acpi_build(const struct boot_vm *vm, uint64_t base, void *buffer, size_t size)
{
    bool pc = vm->kind == BOOT_VM_MULTIBOOT;
    struct builder b = { .vm = vm, .base = base, .bytes = buffer, .size = size,
                         .used = sizeof(struct acpi_rsdp) };
    uint32_t rsdt, xsdt;

    if (size < sizeof(struct acpi_rsdp))
        return 0;
    if (!pc)
        b.tables[b.table_count++] = build_fadt(&b, build_dsdt(&b));
    b.tables[b.table_count++] = build_madt(&b, pc);
    rsdt = build_root(&b, "RSDT", false);
    xsdt = build_root(&b, "XSDT", true);
    build_rsdp(&b, rsdt, xsdt);
    return b.full ? 0 : b.used;
}

void machine_acpi(struct machine_build *build)
{
    void *page = machine_table(build, MACHINE_ACPI_GPA, MACHINE_PAGE);

    if (acpi_build(build->vm, MACHINE_ACPI_GPA, page, MACHINE_PAGE) == 0)
        build->full = true;
}
