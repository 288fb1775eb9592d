/* SPDX-License-Identifier: MIT */
/* Creation, its failures, the end of a VM and its restart (build host). */
/* sources: kernel/manifest.c kernel/vm.c kernel/vm_build.c kernel/vm_alloc.c kernel/vm_life.c
 * kernel/vm_stop.c kernel/vcpu.c kernel/pt.c kernel/pt_change.c kernel/pt_host.c kernel/pt_read.c
 * kernel/page.c tests/unit/host_stubs.c */
/* flags: -Dvsniprintf=vsnprintf */
#include "tests/unit/life_case.h"

#define LONG_ENOUGH (2 * NS_PER_SECOND)

static struct vm *create(const struct boot_vm *config)
{
    struct vm *vm;

    assert_int_equal(vm_create(config, &vm), 0);
    return vm;
}

static struct vm *started(uint32_t restart)
{
    struct vm *vm = create(define("a", 2, NULL));

    definitions[0].restart = restart;
    assert_int_equal(vm_start(vm), 0);
    return vm;
}

/* Each step, at its first and at its last time: nothing stays, and the next try succeeds. */
static void a_creation_that_fails_half_way(void **state)
{
    static const struct {
        const char *name;
        unsigned times;
    } steps[] = {
        { "console", 1 }, { "apicv", 1 },  { "map", 1 },    { "vm", 1 },     { "memory", 1 },
        { "vcpu", 3 },    { "guest state", 3 }, { "policy", 3 }, { "device", 2 }, { "load", 1 },
    };
    struct boot_vm *config = define("a", 0, (const uint16_t[]){ 1, 2, 3, 0 });
    uint64_t before = free_pages();
    struct vm *vm;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        for (unsigned after = 0; after < steps[i].times; after++) {
            failing = steps[i].name;
            failing_after = after;
            assert_int_equal(vm_create(config, &vm), -ENOMEM);
            assert_null(failing);
            assert_null(vm_find("a"));
            assert_int_equal(steps_open, 0);
            assert_int_equal(free_pages(), before);
            for (uint32_t cpu = 0; cpu < CPUS; cpu++)
                assert_null(queues[cpu].head);
        }
    }
    assert_int_equal(vm_destroy(create(config)), 0);
    assert_int_equal(free_pages(), before);
}

/* Every allocation of a creation, one after the other. */
static void memory_runs_out(void **state)
{
    struct boot_vm *config = define("a", 2, NULL);
    hpa_t pages[64], page;
    unsigned kept = 0;
    struct vm *vm;
    int err = -ENOMEM;

    (void)state;
    while (kept < ARRAY_SIZE(pages))
        pages[kept++] = page_alloc(PAGE_ORDER_4K + 1);
    while ((page = page_alloc(PAGE_ORDER_4K)) != PAGE_NONE)
        ;
    while (err) {
        uint64_t before = free_pages();

        err = vm_create(config, &vm);
        assert_true(err == 0 || err == -ENOMEM);
        if (!err)
            break;
        assert_int_equal(free_pages(), before);
        assert_int_equal(steps_open, 0);
        assert_true(kept > 0);
        page_free(pages[--kept], PAGE_ORDER_4K + 1);
    }
    assert_true(kept < ARRAY_SIZE(pages) - 3);
}

static void names_and_slots(void **state)
{
    struct vm *vm;

    (void)state;
    create(define("a", 1, NULL));
    assert_int_equal(vm_create(&definitions[0], &vm), -EEXIST);
    for (uint32_t i = 1; i < VM_MAX; i++) {
        snprintf(definitions[1].name, sizeof(definitions[1].name), "vm%u", i);
        definitions[1].vcpu_count = 1;
        create(&definitions[1]);
    }
    assert_null(vm_get(VM_MAX));
    snprintf(definitions[1].name, sizeof(definitions[1].name), "more");
    assert_int_equal(vm_create(&definitions[1], &vm), -ENOSPC);
}

static void from_start_to_end(void **state)
{
    uint64_t before = free_pages(), ready;
    struct vm *vm = started(BOOT_RESTART_NEVER);

    (void)state;
    ready = free_pages();
    assert_int_equal(vm->state, VM_RUNNING);
    assert_int_equal(vm->vcpus[0]->state, VCPU_RUNNABLE);
    assert_int_equal(vm->vcpus[1]->state, VCPU_WAIT_SIPI);
    assert_int_equal(vm_start(vm), -EBUSY);
    assert_int_equal(vm_destroy(vm), -EBUSY);
    vm_exit(vm, 7, "done");
    vm_reset(vm, "too late");
    assert_int_equal(vm_kill(vm), -ESRCH);
    assert_true(vm->vcpus[0]->requests & vm->vcpus[1]->requests & VCPU_REQ_STOP);
    vm_vcpu_left(vm->vcpus[1]);
    assert_int_equal(vm->state, VM_STOPPING);
    assert_int_equal(vm_destroy(vm), -EBUSY);
    vm_vcpu_left(vm->vcpus[0]);
    assert_int_equal(vm->state, VM_ENDED);
    assert_int_equal(vm->end, VM_END_EXIT);
    assert_int_equal(vm->exit_status, 7);
    assert_string_equal(vm->reason, "done");
    assert_int_equal(all_ended, 1);
    assert_int_equal(steps_open, 0);
    assert_true(free_pages() > ready); /* all but the record */
    assert_int_equal(vm_start(vm), 0);
    assert_int_equal(vm->launches, 2);
    assert_int_equal(vm->exit_status, 0);
    assert_int_equal(free_pages(), ready);
    vm_fail(vm, NULL, "because of %u", 5u);
    leave(vm);
    assert_string_equal(vm->reason, "because of 5");
    assert_int_equal(vm->exit_status, 128 + VM_END_FAILED);
    assert_int_equal(vm_destroy(vm), 0);
    assert_int_equal(free_pages(), before);
}

static void one_that_never_ran_is_killed(void **state)
{
    struct vm *vm = create(define("a", 2, NULL));

    (void)state;
    assert_int_equal(vm_kill(vm), 0);
    leave(vm);
    assert_int_equal(vm->end, VM_END_KILLED);
    assert_int_equal(vm->launches, 0);
}

enum ending { DONE, STATUS, RESET, FAILED, KILLED, ENDINGS };

static void end_by(struct vm *vm, enum ending how)
{
    if (how == DONE || how == STATUS)
        vm_exit(vm, how == STATUS, "exit");
    else if (how == RESET)
        vm_reset(vm, "reset");
    else if (how == FAILED)
        vm_fail(vm, NULL, "failed");
    else
        assert_int_equal(vm_kill(vm), 0);
    leave(vm);
}

static void restart_policies(void **state)
{
    static const bool restarts[][ENDINGS] = {
        [BOOT_RESTART_NEVER] = { 0 },
        [BOOT_RESTART_ON_FAILURE] = { [STATUS] = true, [RESET] = true, [FAILED] = true },
        [BOOT_RESTART_ALWAYS] = { [DONE] = true, [STATUS] = true, [RESET] = true,
                                  [FAILED] = true },
    };

    (void)state;
    for (uint32_t policy = 0; policy < ARRAY_SIZE(restarts); policy++) {
        for (enum ending how = 0; how < ENDINGS; how++) {
            struct vm *vm = started(policy);
            unsigned ends = all_ended;

            now += LONG_ENOUGH;
            end_by(vm, how);
            assert_int_equal(vm->state, restarts[policy][how] ? VM_RUNNING : VM_ENDED);
            assert_int_equal(vm->launches, restarts[policy][how] ? 2 : 1);
            assert_int_equal(all_ended - ends, restarts[policy][how] ? 0 : 1);
            teardown(state);
            boot.vm_count = 0;
        }
    }
}

/* What ends at once would do so for ever. */
static void no_loop_of_restarts(void **state)
{
    struct vm *vm = started(BOOT_RESTART_ALWAYS);

    (void)state;
    now += LONG_ENOUGH;
    end_by(vm, RESET);
    assert_int_equal(vm->state, VM_RUNNING);
    now += NS_PER_SECOND - 1;
    end_by(vm, RESET);
    assert_int_equal(vm->state, VM_ENDED);
    assert_true(was_said("ended within a second: not restarted"));
}

static void a_restart_that_fails(void **state)
{
    struct vm *vm = started(BOOT_RESTART_ALWAYS);

    (void)state;
    now += LONG_ENOUGH;
    failing = "vcpu";
    failing_after = 1;
    end_by(vm, DONE);
    assert_int_equal(vm->state, VM_ENDED);
    assert_int_equal(steps_open, 0);
    assert_int_equal(all_ended, 1);
    assert_int_equal(vm_start(vm), 0); /* by the monitor */
}

static bool pressed;

static bool press(struct vdev *dev)
{
    (void)dev;
    pressed = true;
    return true;
}

static void asked_to_stop(void **state)
{
    struct vm *vm = started(BOOT_RESTART_ALWAYS);

    (void)state;
    vm->console->hooks.press = press;
    now += LONG_ENOUGH;
    pressed = false;
    assert_int_equal(vm_stop_request(vm, 5), 0);
    assert_true(pressed);
    assert_int_equal(vm_stop_deadline(), now + 5000000);
    end_by(vm, DONE); /* it obeys, and is not restarted */
    assert_int_equal(vm->state, VM_ENDED);
    vm_stop_check();
    assert_int_equal(vm_stop_deadline(), VTIMER_OFF);
    assert_int_equal(vm_stop_request(vm, 5), -ESRCH);

    assert_int_equal(vm_start(vm), 0); /* that was the run before */
    now += LONG_ENOUGH;
    end_by(vm, DONE);
    assert_int_equal(vm->state, VM_RUNNING);
}

static void does_not_stop(void **state)
{
    struct vm *vm = started(BOOT_RESTART_ALWAYS);

    (void)state;
    vm->console->hooks.press = press;
    assert_int_equal(vm_stop_request(vm, 5), 0);
    now += 4999999;
    vm_stop_check();
    assert_int_equal(vm->state, VM_RUNNING);
    now++;
    vm_stop_check();
    assert_int_equal(vm->state, VM_STOPPING);
    assert_int_equal(vm->end, VM_END_KILLED);
    vm_stop_check();
    leave(vm);
    assert_int_equal(vm->state, VM_ENDED);
}

static void without_a_power_button(void **state)
{
    struct vm *vm = started(BOOT_RESTART_ALWAYS);

    (void)state;
    assert_int_equal(vm_stop_request(vm, 5), 0);
    assert_int_equal(vm->end, VM_END_KILLED);
    leave(vm);
    assert_int_equal(vm->state, VM_ENDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_creation_that_fails_half_way),
        CASE(memory_runs_out),
        CASE(names_and_slots),
        CASE(from_start_to_end),
        CASE(one_that_never_ran_is_killed),
        CASE(restart_policies),
        CASE(no_loop_of_restarts),
        CASE(a_restart_that_fails),
        CASE(asked_to_stop),
        CASE(does_not_stop),
        CASE(without_a_power_button),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
