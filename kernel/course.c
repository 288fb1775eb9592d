/* SPDX-License-Identifier: MIT */
/*
 * CPUID leaves for coursework (root mode): exits and cycles, in total and by the hardware's exit
 * reason. The leaf numbers come from the manifest (boot/bootinfo.h). A reason that the vendor's
 * manual does not define gives EDX = FFFFFFFFh; one that cannot occur here gives zeros.
 */
#include "kernel/policy.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"

#define UNDEFINED_REASON 0xffffffffu

enum figure { EXITS, CYCLES };

static uint64_t sum(const struct vm *vm, enum figure figure, uint32_t reason, bool all)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        const struct vcpu_stats *s = &vm->vcpus[i]->stats;
        if (figure == EXITS)
            total += all ? s->all.exits : s->by_code[reason].exits;
        else
            total += all ? s->all.cycles : s->by_code[reason].cycles;
    }
    return total;
}

static struct cpuid_regs answer(enum figure figure, uint64_t value)
{
    if (figure == EXITS)
        return (struct cpuid_regs){ .eax = (uint32_t)value };
    return (struct cpuid_regs){ .ebx = (uint32_t)(value >> 32), .ecx = (uint32_t)value };
}

static struct cpuid_regs by_reason(const struct vm *vm, enum figure figure, uint32_t reason)
{
    if (reason >= backend->exit_codes || !backend->exit_name(reason))
        return (struct cpuid_regs){ .edx = UNDEFINED_REASON };
    if (!backend->exit_enabled(reason))
        return (struct cpuid_regs){ 0 };
    return answer(figure, sum(vm, figure, reason, false));
}

bool course_leaf(struct vcpu *v, uint32_t leaf, struct cpuid_regs *out)
{
    const struct boot_course_leaves *c = &v->vm->config->course;
    uint32_t reason = (uint32_t)v->gpr[RCX];

    if (leaf == c->total_exits)
        *out = answer(EXITS, sum(v->vm, EXITS, 0, true));
    else if (leaf == c->total_cycles)
        *out = answer(CYCLES, sum(v->vm, CYCLES, 0, true));
    else if (leaf == c->exits_by_reason)
        *out = by_reason(v->vm, EXITS, reason);
    else if (leaf == c->cycles_by_reason)
        *out = by_reason(v->vm, CYCLES, reason);
    else
        return false;
    return true;
}
