/* SPDX-License-Identifier: MIT */
/*
 * What the loader prepared for a VM, put into place each time that it is built: the guest-physical
 * map, what memory holds, the registers of vCPU 0 (root mode; life-cycle calls). The loader made
 * it, so an error in it is ours; but a VM is refused, rather than built beside what was checked.
 */
#include <errno.h>

#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/time.h"
#include "kernel/vdev.h"
#include "kernel/vm.h"
#include "kernel/x86_regs.h"

#define GPA_END (1ull << 36) /* any CPU with nested paging has so many address bits */
#define FLAT_LIMIT 0xffffffffu

typedef unsigned long long ull;

int vm_load_map(struct vm *vm)
{
    const struct boot_vm *config = vm->config;
    uint64_t ram = 0;
    int err = config->range_count <= BOOT_RANGES_MAX ? 0 : -EINVAL;

    for (uint32_t i = 0; i < config->range_count && !err; i++) {
        const struct boot_range *range = &config->ranges[i];

        err = range->gpa < GPA_END && range->size <= GPA_END - range->gpa
                  ? vm_map_add(vm, range->gpa, range->size, range->kind)
                  : -EINVAL;
        ram += range->kind == GP_MMIO ? 0 : range->size;
        if (err)
            log_printf("%s: bad range %u in the loader's map: 0x%llx, size 0x%llx, kind %u\n",
                       vm->name, i, (ull)range->gpa, (ull)range->size, range->kind);
    }
    if (!err && ram != config->memory) {
        log_printf("%s: the loader's map has 0x%llx bytes of RAM, not 0x%llx\n", vm->name,
                   (ull)ram, (ull)config->memory);
        err = -EINVAL;
    }
    vm->memory = config->memory;
    return err;
}

/* Where RAM is mapped no access ends in an exit: the device would never see it. */
static int check_devices(const struct vm *vm)
{
    for (uint32_t i = 0; i < vm->mmio.count; i++) {
        const struct io_range *io = &vm->mmio.ranges[i];
        const struct gp_region *region = vm_map_find(vm, io->base);

        if (!region || region->type != GP_MMIO || io->size > region->size ||
            io->base - region->base > region->size - io->size) {
            log_printf("%s: device %s at 0x%llx is not in the loader's map\n", vm->name,
                       io->dev->type->name, (ull)io->base);
            return -EINVAL;
        }
    }
    return 0;
}

/* Memory is clean when a VM gets it, so that what follows a segment's bytes is zero already. */
static int copy_segments(struct vm *vm)
{
    const struct boot_vm *config = vm->config;
    int err = config->segment_count <= BOOT_SEGMENTS_MAX ? 0 : -EINVAL;

    for (uint32_t i = 0; i < config->segment_count && !err; i++) {
        const struct boot_segment *s = &config->segments[i];

        err = gmem_write(vm, s->gpa, page_ptr(s->hpa), s->size);
        if (err)
            log_printf("%s: segment %u of the loader's, 0x%llx, size 0x%llx: error %d\n",
                       vm->name, i, (ull)s->gpa, (ull)s->size, err);
    }
    return err;
}

static void set_segments(struct vcpu *vcpu, const struct boot_start *start)
{
    static const enum vseg data[] = { VSEG_ES, VSEG_SS, VSEG_DS, VSEG_FS, VSEG_GS };
    struct vsegment segment = { start->code_selector, FLAT_LIMIT, start->code_access, 0 };
    struct vsegment gdtr = { .base = start->gdt_base, .limit = start->gdt_limit };

    backend->set_segment(vcpu, VSEG_CS, &segment);
    segment.selector = start->data_selector;
    segment.access = start->data_access;
    for (unsigned i = 0; i < ARRAY_SIZE(data); i++)
        backend->set_segment(vcpu, data[i], &segment);
    backend->set_segment(vcpu, VSEG_GDTR, &gdtr);
}

/* CR4 and EFER before CR0, which turns paging on. */
static void set_registers(struct vcpu *vcpu, const struct boot_start *start)
{
    vcpu_set(vcpu, VREG_CR4, start->cr4);
    vcpu_set(vcpu, VREG_CR3, start->cr3);
    vcpu_set(vcpu, VREG_EFER, start->efer);
    vcpu_set(vcpu, VREG_CR0, start->cr0);
    set_segments(vcpu, start);
    vcpu->gpr[RAX] = start->rax;
    vcpu->gpr[RBX] = start->rbx;
    vcpu->gpr[RSI] = start->rsi;
    vcpu_set(vcpu, VREG_RFLAGS, RFLAGS_FIXED1);
    vcpu_set(vcpu, VREG_RIP, start->rip);
}

/* Firmware that starts in x2APIC mode saves Linux every MMIO access to its APICs. */
static void hand_off(struct vm *vm)
{
    if (vm->config->kind == BOOT_VM_MULTIBOOT)
        vm->intc->handoff(vm->vcpus[0], INTC_HANDOFF_VIRTUAL_WIRE);
    for (uint32_t i = 0; vm->config->kind == BOOT_VM_LINUX && i < vm->vcpu_count; i++)
        vm->intc->handoff(vm->vcpus[i], INTC_HANDOFF_X2APIC);
}

int vm_load(struct vm *vm)
{
    const struct boot_vm *config = vm->config;
    uint64_t hz = time_tsc_hz();
    int err = check_devices(vm);

    if (!err)
        err = copy_segments(vm);
    if (!err && config->tsc_hz_gpa)
        err = gmem_write(vm, config->tsc_hz_gpa, &hz, sizeof(hz));
    if (err)
        return err;
    set_registers(vm->vcpus[0], &config->start);
    hand_off(vm);
    return 0;
}
