/* SPDX-License-Identifier: MIT */
/*
 * Which ports and MSRs of a VM cause exits (root mode): all ports, and all MSRs but those that are
 * passed through.
 * Source: SDM 3C, "I/O-Bitmap Addresses", "MSR-Bitmap Address".
 */
#include <errno.h>

#include "kernel/log.h"
#include "kernel/page.h"
#include "vmx/ept.h"
#include "vmx/vmx.h"

#define MSR_HIGH_FIRST 0xc0000000u
#define MSR_RANGE 0x2000u
/* Byte offsets in the MSR bitmap */
enum msr_bitmap_part { READ_LOW = 0, READ_HIGH = 1024, WRITE_LOW = 2048, WRITE_HIGH = 3072 };

int vmx_vm_init(struct vm *vm)
{
    struct vmx_vm *x = vm_alloc(vm, sizeof(*x));

    if (!x)
        return -ENOMEM;
    x->eptp = ept_pointer(&vm->nested);
    vm->backend = x;
    x->msr_bitmap = page_alloc_ones(PAGE_ORDER_4K);
    if (vm->apicv && (x->apicv_msr_bitmap = page_alloc_ones(PAGE_ORDER_4K)))
        vmx_apicv_open_msrs(x->apicv_msr_bitmap);
    return x->msr_bitmap && (x->apicv_msr_bitmap || !vm->apicv) ? 0 : -ENOMEM;
}

void vmx_vm_fini(struct vm *vm)
{
    struct vmx_vm *x = vmx_vm_of(vm);

    if (!x)
        return;
    page_zfree(x->msr_bitmap);
    page_zfree(x->apicv_msr_bitmap);
    vm->backend = NULL;
}

static void set_bit(uint8_t *bitmap, uint32_t bit, bool on)
{
    uint8_t mask = (uint8_t)(1u << (bit & 7));

    bitmap[bit / 8] = (uint8_t)(on ? bitmap[bit / 8] | mask : bitmap[bit / 8] & ~mask);
}

void vmx_bitmap_msr(void *map, uint32_t msr, unsigned how)
{
    uint8_t *bitmap = map;
    bool high = msr >= MSR_HIGH_FIRST;
    uint32_t index = high ? msr - MSR_HIGH_FIRST : msr;

    if (index >= MSR_RANGE)
        panic("MSR 0x%x has no bit in the bitmap", msr);
    set_bit(bitmap + (high ? READ_HIGH : READ_LOW), index, how & VINTERCEPT_READ);
    set_bit(bitmap + (high ? WRITE_HIGH : WRITE_LOW), index, how & VINTERCEPT_WRITE);
}

void vmx_intercept_msr(struct vm *vm, uint32_t msr, unsigned how)
{
    struct vmx_vm *x = vmx_vm_of(vm);

    vmx_bitmap_msr(x->msr_bitmap, msr, how);
    if (x->apicv_msr_bitmap)
        vmx_bitmap_msr(x->apicv_msr_bitmap, msr, how);
}
