/* SPDX-License-Identifier: MIT */
/* Fills in the copy of kernel/trampoline.S (root mode, boot CPU). */
#include "kernel/trampoline.h"

#include <string.h>

#include "kernel/log.h"

extern const char trampoline_start[], trampoline_end[], trampoline_params[];
extern const char trampoline_code32[], trampoline_code64[], trampoline_gdt[];

struct __attribute__((packed)) trampoline_params {
    uint16_t pad;
    uint16_t gdt_limit;
    uint32_t gdt_base;
    uint32_t far32_offset;
    uint16_t far32_selector, pad32;
    uint32_t far64_offset;
    uint16_t far64_selector, pad64;
    uint64_t cr3, stack, fn, arg;
};

static struct trampoline_params *params_in(void *page)
{
    return (void *)((char *)page + (trampoline_params - trampoline_start));
}

void trampoline_copy(void *page, hpa_t hpa, hpa_t root)
{
    struct trampoline_params *params = params_in(page);
    uint32_t base = (uint32_t)hpa;

    assert_bug(hpa < (1u << 20) && root <= UINT32_MAX);
    assert_bug(trampoline_end - trampoline_params == sizeof *params);
    memcpy(page, trampoline_start, (size_t)(trampoline_end - trampoline_start));
    params->gdt_base = base + (uint32_t)(trampoline_gdt - trampoline_start);
    params->far32_offset = base + (uint32_t)(trampoline_code32 - trampoline_start);
    params->far64_offset = base + (uint32_t)(trampoline_code64 - trampoline_start);
    params->cr3 = root;
}

void trampoline_aim(void *page, uint64_t stack, void (*fn)(void *arg), void *arg)
{
    struct trampoline_params *params = params_in(page);

    params->stack = stack;
    params->fn = (uint64_t)(uintptr_t)fn;
    params->arg = (uint64_t)(uintptr_t)arg;
}
