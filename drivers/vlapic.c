/* SPDX-License-Identifier: MIT */
/*
 * Local APIC of a vCPU: the device and its modes (root mode). SDM 3A, chapter 11,
 * "Advanced Programmable Interrupt Controller (APIC)". Registers are in vlapic_regs.c, priorities
 * in vlapic_irq.c, messages in vlapic_icr.c, the timer in vlapic_timer.c.
 */
#include "drivers/vlapic.h"

#include <errno.h>
#include <stdio.h>

#include "boot/machine.h"
#include "drivers/vioapic.h"
#include "kernel/vdev.h"

/* Where this CPU's running vCPU sees its APIC by MMIO; NULL: it does not. */
static struct vlapic *decoded(uint64_t offset, unsigned size)
{
    struct vlapic *apic = vlapic_of(this_cpu()->current);

    if (!vlapic_enabled(apic) || vlapic_x2apic(apic) || size != 4 || offset & 0xf)
        return NULL;
    return apic;
}

static uint64_t lapic_read(struct vdev *dev, uint64_t offset, unsigned size)
{
    struct vlapic *apic = decoded(offset, size);

    (void)dev;
    return apic ? vlapic_mmio_read(apic, offset) : ~0ull;
}

static void lapic_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct vlapic *apic = decoded(offset, size);

    (void)dev;
    if (apic)
        vlapic_mmio_write(apic, offset, (uint32_t)value);
}

/* SDM 3A, "x2APIC State Transitions", 11.12.5: only along the edges of figure 11-27. */
static int base_write(struct vlapic *apic, uint64_t value)
{
    uint64_t modes = APIC_BASE_EN | APIC_BASE_EXTD;
    uint64_t from = apic->base & modes;
    uint64_t to = value & modes;

    if ((value & APIC_BASE_ADDRESS) != MACHINE_LAPIC_BASE) {
        if (vm_may_log(apic->vcpu->vm))
            log_printf("%s: local APIC can't move to 0x%llx\n", apic->vcpu->vm->name,
                       (unsigned long long)(value & APIC_BASE_ADDRESS));
        return -EINVAL;
    }
    if (value & ~(APIC_BASE_ADDRESS | APIC_BASE_BSP | modes) || to == APIC_BASE_EXTD ||
        (from == modes && to == APIC_BASE_EN) || (!from && to == modes))
        return -EINVAL;
    __atomic_store_n(&apic->base, (apic->base & ~modes) | to, __ATOMIC_RELAXED);
    if (from && !to)
        vlapic_registers_reset(apic);
    else if (from != to)
        vlapic_identify(apic);
    if (from != to && (apic->vcpu->vm->apicv || __atomic_load_n(&apic->extint, __ATOMIC_ACQUIRE)))
        vcpu_request(apic->vcpu, VCPU_REQ_IRQ);
    return 0;
}

static int vlapic_msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    struct vlapic *apic = vlapic_of(vcpu);

    if (msr == MSR_IA32_TSC_DEADLINE)
        *value = apic->tsc_deadline;
    else if (msr == MSR_IA32_APIC_BASE)
        *value = apic->base;
    else
        return vlapic_x2apic_read(apic, msr, value);
    return 0;
}

static int vlapic_msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    struct vlapic *apic = vlapic_of(vcpu);

    if (likely(msr >= MSR_IA32_X2APIC_BASE))
        return vlapic_x2apic_write(apic, msr, value);
    if (unlikely(msr == MSR_IA32_APIC_BASE))
        return base_write(apic, value);
    vlapic_deadline_set(apic, value);
    return 0;
}

static uint64_t vlapic_cr8_read(struct vcpu *vcpu)
{
    return vlapic_load(vlapic_of(vcpu), LAPIC_TPR) >> 4;
}

static int vlapic_cr8_write(struct vcpu *vcpu, uint64_t value)
{
    if (value > 0xf)
        return -EINVAL;
    vlapic_set_tpr(vlapic_of(vcpu), (uint32_t)value << 4);
    return 0;
}

static void vlapic_reset(struct vcpu *vcpu)
{
    vlapic_registers_reset(vlapic_of(vcpu));
}

static void vlapic_handoff(struct vcpu *vcpu, enum intc_handoff how)
{
    struct vlapic *apic = vlapic_of(vcpu);

    if (how == INTC_HANDOFF_X2APIC) {
        __atomic_store_n(&apic->base, apic->base | APIC_BASE_EXTD, __ATOMIC_RELAXED);
        vlapic_identify(apic);
    } else {
        vlapic_virtual_wire(apic);
    }
}

static void vlapic_eoi_exit(struct vcpu *vcpu, uint8_t vector)
{
    vioapic_eoi(vcpu->vm, vector);
}

/* Which interrupt comes next is asked in one of two ways; all else is the same. */
#define VLAPIC_OPS                                                                                 \
    .line = vioapic_line, .msr_read = vlapic_msr_read, .msr_write = vlapic_msr_write,              \
    .pv_eoi_msr = vlapic_pv_eoi_msr, .cr8_read = vlapic_cr8_read, .cr8_write = vlapic_cr8_write,   \
    .reset = vlapic_reset, .handoff = vlapic_handoff, .eoi_exit = vlapic_eoi_exit,                 \
    .write_exit = vlapic_write_exit

static const struct intc_ops vlapic_ops = {
    .has = vlapic_has,
    .wakes = vlapic_has,
    .take = vlapic_take,
    VLAPIC_OPS,
};
static const struct intc_ops vlapic_apicv_ops = {
    .has = vlapic_apicv_has,
    .wakes = vlapic_apicv_wakes,
    .take = vlapic_apicv_take,
    VLAPIC_OPS,
};

struct intc_state *intc_state_get(struct vm *vm)
{
    if (!vm->intc_state)
        vm->intc_state = vm_alloc(vm, sizeof(struct intc_state));
    return vm->intc_state;
}

static int vlapic_attach(struct vcpu *vcpu)
{
    struct vlapic *apic = vm_alloc(vcpu->vm, sizeof(*apic));

    if (!apic)
        return -ENOMEM;
    apic->page = vm_page_alloc();
    if (!apic->page)
        return -ENOMEM;
    apic->vcpu = vcpu;
    apic->base = MACHINE_LAPIC_BASE | APIC_BASE_EN | (vcpu->id == 0 ? APIC_BASE_BSP : 0);
    vcpu->lapic = apic;
    vlapic_timer_init(apic);
    vlapic_registers_reset(apic);
    return 0;
}

static void vlapic_fini(struct vdev *dev)
{
    for (uint32_t i = 0; i < dev->vm->vcpu_count; i++) {
        struct vcpu *vcpu = dev->vm->vcpus[i];

        if (vcpu && vcpu->lapic) {
            vm_page_free(vlapic_of(vcpu)->page);
            vcpu->lapic = NULL;
        }
    }
    dev->vm->intc = NULL;
    dev->vm->intc_state = NULL;
}

static int vlapic_init(struct vdev *dev)
{
    int error = intc_state_get(dev->vm) ? 0 : -ENOMEM;

    for (uint32_t i = 0; !error && i < dev->vm->vcpu_count; i++)
        error = vlapic_attach(dev->vm->vcpus[i]);
    if (!error)
        error = vdev_mmio(dev, MACHINE_LAPIC_BASE, MACHINE_APIC_SIZE, lapic_read, lapic_write);
    if (error)
        vlapic_fini(dev);
    else
        dev->vm->intc = dev->vm->apicv ? &vlapic_apicv_ops : &vlapic_ops;
    return error;
}

static void vlapic_describe(struct vdev *dev, char *buffer, size_t size)
{
    size_t used = 0;

    for (uint32_t i = 0; i < dev->vm->vcpu_count && used < size; i++) {
        struct vlapic *apic = vlapic_of(dev->vm->vcpus[i]);
        int n = snprintf(buffer + used, size - used, "[%u] %s svr=%x tpr=%x in service=%u%s ",
                         (unsigned)i,
                         apic->hardware        ? "x2APIC by hardware"
                         : vlapic_x2apic(apic) ? "x2APIC"
                                               : "xAPIC",
                         (unsigned)vlapic_load(apic, LAPIC_SVR),
                         (unsigned)vlapic_load(apic, LAPIC_TPR), vlapic_served(apic),
                         vlapic_requested(apic) ? " pending" : "");
        used += n > 0 ? (size_t)n : 0;
    }
}

static const struct vdev_type vlapic_type = {
    .name = "lapic",
    .machines = MACHINE_ANY,
    .order = 0,
    .init = vlapic_init,
    .fini = vlapic_fini,
    .describe = vlapic_describe,
};
VDEV(vlapic_type);
