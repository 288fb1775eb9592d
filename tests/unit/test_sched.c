/* SPDX-License-Identifier: MIT */
/* Turns of the vCPUs that share a CPU, and the barriers between VMs (build host). */
/* sources: kernel/manifest.c kernel/vm.c kernel/vm_build.c kernel/vm_alloc.c kernel/vm_life.c
 * kernel/vm_stop.c kernel/vcpu.c kernel/pt.c kernel/pt_change.c kernel/pt_host.c kernel/pt_read.c
 * kernel/page.c tests/unit/host_stubs.c */
/* flags: -Dvsniprintf=vsnprintf */
#include "tests/unit/life_case.h"

static jmp_buf after;
static unsigned passes;           /* of the loop that are left */
static char order[64];            /* the VMs that ran, and | for a barrier between VMs */
static const struct vm *handled;  /* by each pass of the house */
static uint64_t slice;            /* of the vCPU that ran last */

static void house(void)
{
    if (passes-- == 0)
        longjmp(after, 1);
    if (handled)
        sched_touched(handled);
}

static void between_vms(void)
{
    order[strlen(order)] = '|';
}

static void guest(struct vcpu *v)
{
    assert_ptr_equal(here->current, v);
    order[strlen(order)] = v->vm->name[0];
    slice = v->slice_end;
    if (v->requests & VCPU_REQ_STOP)
        v->state = VCPU_STOPPED;
}

static const char *loop(unsigned count)
{
    passes = count;
    memset(order, 0, sizeof(order));
    if (!setjmp(after))
        sched_loop();
    return order;
}

static struct vm *start(const char *name)
{
    struct vm *vm;

    assert_int_equal(vm_create(define(name, 1, NULL), &vm), 0);
    assert_int_equal(vm_start(vm), 0);
    return vm;
}

/* All on CPU 0, where the house is. */
static int one_cpu(void **state)
{
    setup(state);
    for (uint32_t i = 1; i < CPUS; i++)
        cpus[i].state = CPU_ABSENT;
    handled = NULL;
    guest_runs = guest;
    keeps_house = house;
    barrier = between_vms;
    return 0;
}

static void alone(void **state)
{
    (void)state;
    assert_string_equal(loop(3), ""); /* idle */
    start("a");
    assert_string_equal(loop(3), "aaa");
    assert_int_equal(slice, VTIMER_OFF);
}

static void in_turn(void **state)
{
    struct vm *b;

    (void)state;
    start("a");
    b = start("b");
    start("c");
    assert_string_equal(loop(7), "|a|c|b|a|c|b|a"); /* c has been loaded at its creation */
    assert_int_equal(slice, now + SLICE_NS);
    b->vcpus[0]->state = VCPU_HALTED; /* without requests: nothing to do */
    b->vcpus[0]->requests = 0;
    assert_string_equal(loop(4), "|c|a|c|a");
    vcpu_request(b->vcpus[0], VCPU_REQ_IRQ);
    assert_string_equal(loop(3), "|c|b|a");
}

static void one_ends(void **state)
{
    struct vm *a = start("a");

    (void)state;
    start("b");
    assert_int_equal(vm_kill(a), 0);
    assert_string_equal(loop(4), "|a|bbb");
    assert_int_equal(a->state, VM_ENDED);
}

/* Nobody else runs on this CPU, but the house has shown another VM's console there. */
static void the_house_handles_other_vms(void **state)
{
    struct vm *a = start("a"), *b = start("b");

    (void)state;
    b->vcpus[0]->state = VCPU_HALTED;
    b->vcpus[0]->requests = 0;
    assert_string_equal(loop(3), "|aaa");
    handled = b;
    assert_string_equal(loop(3), "|a|a|a");
    handled = a;
    assert_string_equal(loop(3), "aaa");
}

#define ON_ONE_CPU(name) cmocka_unit_test_setup_teardown(name, one_cpu, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ONE_CPU(alone),
        ON_ONE_CPU(in_turn),
        ON_ONE_CPU(one_ends),
        ON_ONE_CPU(the_house_handles_other_vms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
