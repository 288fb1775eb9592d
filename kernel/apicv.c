/* SPDX-License-Identifier: MIT */
/*
 * APIC virtualisation has a switch, and this is the one place that decides (root mode). It is off
 * by default until a report from real hardware says that it is right.
 */
#include "kernel/apicv.h"

#include <errno.h>

#include "kernel/backend.h"
#include "kernel/log.h"
#include "kernel/option.h"
#include "kernel/vm.h"

static bool wanted(uint32_t wish)
{
    return wish == BOOT_ON || (wish == BOOT_AUTO && option_has("apicv=on"));
}

int apicv_decide(struct vm *vm)
{
    uint32_t wish = vm->config->apicv;

    vm->apicv = wanted(wish) && backend->apicv && backend->apicv->available() == 0;
    if (vm->apicv)
        log_printf("%s: APIC virtualisation in x2APIC mode\n", vm->name);
    else if (wish == BOOT_ON)
        log_printf("%s: refused: this processor can't do what its apicv: on asks for\n", vm->name);
    else if (wanted(wish))
        log_printf("%s: no APIC virtualisation on this processor\n", vm->name);
    return wish == BOOT_ON && !vm->apicv ? -ENOTSUP : 0;
}

void apicv_set(struct vcpu *v, void *page, uint8_t in_service)
{
    backend->apicv->set(v, page, in_service);
}

void apicv_raise(struct vcpu *v, uint8_t vector)
{
    backend->apicv->raise(v, vector);
}

void apicv_eoi_exits(struct vcpu *v, const uint64_t vectors[APICV_WORDS])
{
    backend->apicv->eoi_exits(v, vectors);
}
