/* SPDX-License-Identifier: MIT */
/*
 * Which ports and MSRs of a VM cause exits (root mode): all ports, and all MSRs but those that are
 * passed through.
 * Source: APM 2, "I/O Permissions Map", "MSR Intercepts".
 */
#include <errno.h>

#include "kernel/log.h"
#include "kernel/page.h"
#include "svm/svm.h"

#define MSR_RANGE   0x2000u
#define MSRPM_ORDER 1u
_Static_assert(MSRPM_SIZE == PAGE_SIZE << MSRPM_ORDER, "size of the MSR permissions map");

/* Two bits for each MSR, reads below writes. */
static const uint32_t msr_ranges[] = { 0, 0xc0000000, 0xc0010000 };

int svm_vm_init(struct vm *vm)
{
    vm->backend = page_alloc_ones(MSRPM_ORDER);
    return vm->backend ? 0 : -ENOMEM;
}

void svm_vm_fini(struct vm *vm)
{
    if (vm->backend)
        page_free(page_hpa(vm->backend), MSRPM_ORDER);
    vm->backend = NULL;
}

void svm_intercept_msr(struct vm *vm, uint32_t msr, unsigned how)
{
    for (uint32_t range = 0; range < ARRAY_SIZE(msr_ranges); range++) {
        uint32_t index = msr - msr_ranges[range];
        if (index < MSR_RANGE) {
            uint8_t *map = vm->backend, *byte = &map[(range * MSR_RANGE + index) / 4];
            unsigned shift = index % 4 * 2;
            *byte = (uint8_t)((*byte & ~(3u << shift)) | how << shift);
            return;
        }
    }
    panic("MSR 0x%x has no bits in the map", msr);
}
_Static_assert(VINTERCEPT_READ == 1 && VINTERCEPT_WRITE == 2, "order of the bits in the map");
