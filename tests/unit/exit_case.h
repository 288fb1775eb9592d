/* SPDX-License-Identifier: MIT */
/* What tests of the exit dispatch share: handlers for the kinds whose files they do not link
 * (build host). */
#ifndef TESTS_UNIT_EXIT_CASE_H
#define TESTS_UNIT_EXIT_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/irq.h"
#include "kernel/mce.h"
#include "kernel/trap.h"
#include "tests/unit/fake_backend.h"

static struct vcpu *const v = &fake.vcpus[0];
static enum verdict verdict; /* of the kinds whose handlers live elsewhere */
static unsigned interrupts, nmis, machine_checks;

static enum verdict scripted(struct vcpu *vcpu, struct vmexit *exit)
{
    (void)exit;
    assert_ptr_equal(vcpu, v);
    return verdict;
}
EXIT_HANDLER(EXIT_CPUID, scripted);
EXIT_HANDLER(EXIT_HYPERCALL, scripted);
EXIT_HANDLER(EXIT_IO, scripted);
EXIT_HANDLER(EXIT_MSR_READ, scripted);
EXIT_HANDLER(EXIT_MSR_WRITE, scripted);
EXIT_HANDLER(EXIT_CR, scripted);
EXIT_HANDLER(EXIT_MEMORY, scripted);
EXIT_HANDLER(EXIT_RDPMC, scripted);

void irq_dispatch(unsigned vector)
{
    interrupts += vector == 0xf0;
}

void irq_nmi(void)
{
    nmis++;
}

void irq_machine_check(void)
{
    machine_checks++;
}

static int setup(void **state)
{
    (void)state;
    fake_create(PAGE_2M, BOOT_BACKING_EAGER);
    verdict = VERDICT_NEXT;
    interrupts = nmis = machine_checks = 0;
    return 0;
}

static int once(void **state)
{
    (void)state;
    exit_init();
    return 0;
}

#endif
