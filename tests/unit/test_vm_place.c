/* SPDX-License-Identifier: MIT */
/* Which CPUs the VMs of a manifest get; one that does not fit starts nothing (build host). */
/* sources: kernel/manifest.c kernel/vm.c kernel/vm_build.c kernel/vm_alloc.c kernel/vm_life.c
 * kernel/vm_stop.c kernel/vcpu.c kernel/pt.c kernel/pt_change.c kernel/pt_host.c kernel/pt_read.c
 * kernel/page.c tests/unit/host_stubs.c */
/* flags: -Dvsniprintf=vsnprintf */
#include "tests/unit/life_case.h"

/* The CPU of a VM's vCPU. */
static uint32_t where(const char *name, uint32_t vcpu)
{
    return vm_find(name)->vcpus[vcpu]->cpu->index;
}

static void start(void)
{
    manifest_init(&boot);
    manifest_start();
}

static bool runs(const char *name)
{
    return vm_find(name) && vm_find(name)->state == VM_RUNNING;
}

static void shared_ones_spread(void **state)
{
    uint32_t count[CPUS] = { 0 };

    (void)state;
    define("a", 6, NULL);
    define("b", 2, NULL);
    start();
    for (uint32_t i = 0; i < 8; i++)
        count[i < 6 ? where("a", i) : where("b", i - 6)]++;
    for (uint32_t i = 0; i < CPUS; i++)
        assert_int_equal(count[i], 2);
}

/* Wherever in the file a list stands, and however many share what is left. */
static void a_list_later_keeps_its_cpus(void **state)
{
    (void)state;
    define("a", 3, NULL);
    define("b", 3, NULL);
    define("c", 0, (const uint16_t[]){ 3, 1, 0 });
    start();
    assert_true(runs("a") && runs("b") && runs("c"));
    for (uint32_t i = 0; i < 3; i++)
        assert_true(where("a", i) % 2 == 0 && where("b", i) % 2 == 0);
    assert_int_equal(where("c", 0), 3);
    assert_int_equal(where("c", 1), 1);
}

/* Its CPU stays free for it before it is created, and while it has ended. */
static void one_that_does_not_run_keeps_its_cpu(void **state)
{
    struct boot_vm *late = define("late", 0, (const uint16_t[]){ 2, 0 });
    struct vm *vm;

    (void)state;
    late->autostart = 0;
    define("a", 4, NULL);
    start();
    assert_null(vm_find("late"));
    assert_int_equal(vm_create(late, &vm), 0);
    assert_int_equal(vm_start(vm), 0);
    assert_int_equal(where("late", 0), 2);
    vm_exit(vm, 0, "ends");
    leave(vm);
    assert_int_equal(vm->state, VM_ENDED);
    assert_int_equal(vm_create(define("b", 4, NULL), &vm), 0);
    for (uint32_t i = 0; i < 4; i++)
        assert_true(where("a", i) != 2 && where("b", i) != 2);
    assert_int_equal(vm_start(vm_find("late")), 0);
    assert_int_equal(where("late", 0), 2);
}

static void cpu_0_is_always_there(void **state)
{
    (void)state;
    define("a", 2, NULL);
    define("b", 0, (const uint16_t[]){ 1, 2, 3, 0 });
    define("c", 1, NULL);
    start();
    assert_true(runs("a") && runs("b") && runs("c"));
    assert_int_equal(where("a", 0) + where("a", 1) + where("c", 0), 0);
}

static void cpus_that_did_not_start(void **state)
{
    (void)state;
    cpus[1].state = CPU_FAILED;
    cpus[3].state = CPU_ABSENT;
    define("a", 4, NULL);
    start();
    for (uint32_t i = 0; i < 4; i++)
        assert_true(where("a", i) % 2 == 0);
}

/* All are created before any starts: one that can't be takes the others along. */
static void a_manifest_that_does_not_fit_starts_nothing(void **state)
{
    uint64_t before;

    (void)state;
    cpus[2].state = CPU_FAILED;
    define("a", 1, NULL);
    define("b", 0, (const uint16_t[]){ 1, 2, 0 });
    define("c", 1, NULL);
    before = free_pages();
    start();
    assert_true(was_said("b: CPU 2 did not start"));
    assert_true(was_said("\"b\" could not be created: no VM is started"));
    assert_false(runs("a"));
    assert_null(vm_find("b"));
    assert_null(vm_find("c"));
    assert_int_equal(vm_destroy(vm_find("a")), 0);
    assert_int_equal(free_pages(), before);
    assert_null(queues[1].head);
}

static void no_backend_no_vms(void **state)
{
    const struct backend *before = backend;
    struct vm *vm;

    (void)state;
    backend = NULL;
    define("a", 1, NULL);
    start();
    assert_null(vm_find("a"));
    assert_int_equal(vm_create(manifest_get(0), &vm), -ENOTSUP); /* the monitor's way */
    assert_null(vm_find("a"));
    backend = before;
}

static void definitions_are_found(void **state)
{
    (void)state;
    assert_null(manifest_find("a"));
    define("a", 1, NULL);
    define("b", 1, NULL);
    manifest_init(&boot);
    assert_ptr_equal(manifest_find("b"), manifest_get(1));
    assert_string_equal(manifest_get(0)->name, "a");
    assert_null(manifest_get(2));
    assert_null(manifest_find("c"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(shared_ones_spread),
        CASE(a_list_later_keeps_its_cpus),
        CASE(one_that_does_not_run_keeps_its_cpu),
        CASE(cpu_0_is_always_there),
        CASE(cpus_that_did_not_start),
        CASE(a_manifest_that_does_not_fit_starts_nothing),
        CASE(no_backend_no_vms),
        CASE(definitions_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
