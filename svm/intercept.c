/* SPDX-License-Identifier: MIT */
/*
 * Which ports and MSRs of a VM cause exits (root mode): all of them, until told otherwise.
 * Source: APM 2, "I/O Permissions Map", "MSR Intercepts".
 */
#include <errno.h>
#include <string.h>

#include "kernel/log.h"
#include "kernel/page.h"
#include "svm/svm.h"

#define IOPM_ORDER 2u /* three pages of four */
#define MSRPM_ORDER 1u
#define MSR_RANGE 0x2000u

/* Two bits for each MSR, reads below writes. */
static const uint32_t msr_ranges[] = { 0, 0xc0000000, 0xc0010000 };

int svm_vm_init(struct vm *vm)
{
    struct svm_vm *x = vm_alloc(vm, sizeof(*x));
    hpa_t iopm, msrpm;

    if (!x)
        return -ENOMEM;
    iopm = page_alloc(IOPM_ORDER);
    if (iopm == PAGE_NONE)
        return -ENOMEM;
    msrpm = page_alloc(MSRPM_ORDER);
    if (msrpm == PAGE_NONE) {
        page_free(iopm, IOPM_ORDER);
        return -ENOMEM;
    }
    x->iopm = page_ptr(iopm);
    x->msrpm = page_ptr(msrpm);
    memset(x->iopm, 0xff, IOPM_SIZE);
    memset(x->msrpm, 0xff, MSRPM_SIZE);
    vm->backend = x;
    return 0;
}

void svm_vm_fini(struct vm *vm)
{
    struct svm_vm *x = svm_vm_of(vm);

    if (!x)
        return;
    page_free(page_hpa(x->iopm), IOPM_ORDER);
    page_free(page_hpa(x->msrpm), MSRPM_ORDER);
    vm->backend = NULL;
}

static void set_bits(uint8_t *map, uint32_t bit, uint8_t mask, uint8_t value)
{
    uint8_t *byte = &map[bit / 8];

    *byte = (uint8_t)((*byte & ~(mask << (bit & 7))) | value << (bit & 7));
}

void svm_intercept_port(struct vm *vm, uint16_t port, uint32_t count, bool on)
{
    for (uint32_t i = 0; i < count && port + i <= UINT16_MAX; i++)
        set_bits(svm_vm_of(vm)->iopm, port + i, 1, on);
}

void svm_intercept_msr(struct vm *vm, uint32_t msr, unsigned how)
{
    for (uint32_t range = 0; range < ARRAY_SIZE(msr_ranges); range++) {
        uint32_t index = msr - msr_ranges[range];
        if (index < MSR_RANGE) {
            set_bits(svm_vm_of(vm)->msrpm, (range * MSR_RANGE + index) * 2, 3, (uint8_t)how);
            return;
        }
    }
    panic("MSR 0x%x has no bits in the map", msr);
}
_Static_assert(VINTERCEPT_READ == 1 && VINTERCEPT_WRITE == 2, "order of the bits in the map");
