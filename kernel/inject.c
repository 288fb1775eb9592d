/* SPDX-License-Identifier: MIT */
/*
 * Exceptions that the hypervisor raises in a guest (root mode), and how they combine with an
 * event whose delivery they interrupted. Source: SDM 3A, "Interrupt 8--Double Fault Exception".
 */
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

#define DR6_CAUSES (DR6_B0 | DR6_B1 | DR6_B2 | DR6_B3 | DR6_BS)

enum class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static enum class class_of(const struct vevent *event)
{
    if (event->type != VEVENT_EXCEPTION)
        return BENIGN;
    switch (event->vector) {
    case VECTOR_DE:
    case VECTOR_TS:
    case VECTOR_NP:
    case VECTOR_SS:
    case VECTOR_GP:
        return CONTRIBUTORY;
    case VECTOR_PF:
        return PAGE_FAULT;
    case VECTOR_DF:
        return DOUBLE_FAULT;
    default:
        return BENIGN;
    }
}

static void inject(struct vcpu *v, struct vevent event)
{
    enum class first = class_of(&v->event), second = class_of(&event);

    if (first == DOUBLE_FAULT && second != BENIGN) {
        vm_fail(v->vm, v, "triple fault");
        return;
    }
    if ((first == CONTRIBUTORY && second == CONTRIBUTORY) ||
        (first == PAGE_FAULT && (second == CONTRIBUTORY || second == PAGE_FAULT)))
        event = (struct vevent){
            .type = VEVENT_EXCEPTION, .vector = VECTOR_DF, .has_error_code = true
        };
    v->event = event;
}

void vcpu_inject_exception(struct vcpu *v, uint8_t vector)
{
    inject(v, (struct vevent){ .type = VEVENT_EXCEPTION, .vector = vector });
}

void vcpu_inject_error(struct vcpu *v, uint8_t vector, uint32_t error_code)
{
    /* real mode pushes no error code (SDM 3C, "VM-Entry Interruption-Information Field") */
    bool pushes = backend->get(v, VREG_CR0) & CR0_PE;

    inject(v, (struct vevent){ .type = VEVENT_EXCEPTION,
                               .vector = vector,
                               .has_error_code = pushes,
                               .error_code = error_code });
}

void vcpu_inject_debug(struct vcpu *v, uint64_t dr6)
{
    /* What MOV SS had held back comes with it, and must not come again. No shadow outlives the
     * delivery, and an entry with one and TF would be refused while no #DB is pending (SDM 3C,
     * "Checks on Guest Non-Register State"). */
    dr6 |= backend->get(v, VREG_PENDING_DEBUG) & DR6_CAUSES;
    backend->set(v, VREG_PENDING_DEBUG, 0);
    vcpu_end_shadow(v);
    /* B0-B3 are cleared first (SDM 3B, "Debug Status Register"); DR7.GD is off in the handler. */
    dr6 |= backend->get(v, VREG_DR6) & ~(uint64_t)(DR6_B0 | DR6_B1 | DR6_B2 | DR6_B3);
    backend->set(v, VREG_DR6, dr6);
    backend->set(v, VREG_DR7, backend->get(v, VREG_DR7) & ~DR7_GD);
    vcpu_inject_exception(v, VECTOR_DB);
}
