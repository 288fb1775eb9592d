/* SPDX-License-Identifier: MIT */
/* Manifest text to VMs, and VMs against the machine (build host). */
/* sources: boot/manifest.c boot/manifest_reader.c boot/manifest_vm.c boot/manifest_course.c
 * boot/manifest_value.c boot/manifest_check.c boot/manifest_path.c */
/* flags: -lyaml */
#include "tests/unit/manifest_text.h"

static void all_keys(void **state)
{
    const struct boot_vm *vm = &manifest.vms[0].vm;

    (void)state;
    accept("version: 1\n"
           "vms:\n"
           "  - name: debian-12\n"
           "    kind: linux\n"
           "    cpus: [1, 3]\n"
           "    memory: 512M\n"
           "    kernel: ../.cache/linux/vmlinuz\n"
           "    initrd: initrd.img\n"
           "    cmdline: console=ttyS0 quiet\n"
           "    restart: on-failure\n"
           "    backing: demand-2m\n"
           "    apicv: on\n"
           "    autostart: false\n"
           "    host_figures: true\n"
           "    course_leaves: {total_exits: 0x4fffffff, total_cycles: 0x4FFFFFFE,\n"
           "                    cycles_by_reason: 0x40000200}\n"
           "  - {name: student, kind: multiboot, cpus: 1, memory: 65536K, kernel: k.elf,\n"
           "     modules: [env.txt, 'a b/c d']}\n");
    assert_int_equal(manifest.count, 2);
    assert_string_equal(vm->name, "debian-12");
    assert_int_equal(vm->kind, BOOT_VM_LINUX);
    assert_int_equal(vm->vcpu_count, 2);
    assert_int_equal(vm->exclusive, 1);
    assert_int_equal(vm->cpus[0], 1);
    assert_int_equal(vm->cpus[1], 3);
    assert_int_equal(vm->memory, 512 * MIB);
    assert_string_equal(manifest.vms[0].kernel, "../.cache/linux/vmlinuz");
    assert_string_equal(manifest.vms[0].initrd, "initrd.img");
    assert_string_equal(manifest.vms[0].parts.cmdline, "console=ttyS0 quiet");
    assert_int_equal(vm->restart, BOOT_RESTART_ON_FAILURE);
    assert_int_equal(vm->backing, BOOT_BACKING_DEMAND_2M);
    assert_int_equal(vm->apicv, BOOT_ON);
    assert_int_equal(vm->autostart, 0);
    assert_int_equal(vm->host_figures, 1);
    assert_int_equal(vm->course.total_exits, 0x4fffffff);
    assert_int_equal(vm->course.total_cycles, 0x4ffffffe);
    assert_int_equal(vm->course.exits_by_reason, 0);
    assert_int_equal(vm->course.cycles_by_reason, 0x40000200);
    vm = &manifest.vms[1].vm;
    assert_int_equal(vm->exclusive, 0);
    assert_int_equal(vm->vcpu_count, 1);
    assert_int_equal(vm->memory, 64 * MIB);
    assert_int_equal(manifest.vms[1].parts.module_count, 2);
    assert_string_equal(manifest.vms[1].parts.modules[1].name, "a b/c d");
}

static void defaults(void **state)
{
    const struct boot_vm *vm = &manifest.vms[0].vm;

    (void)state;
    accept(HEAD FLAT);
    assert_int_equal(vm->autostart, 1);
    assert_int_equal(vm->host_figures, 0); /* default deny */
    assert_int_equal(vm->restart, BOOT_RESTART_NEVER);
    assert_int_equal(vm->backing, BOOT_BACKING_EAGER);
    assert_int_equal(vm->apicv, BOOT_AUTO);
    assert_string_equal(manifest.vms[0].parts.cmdline, "");
    accept(HEAD FLAT "    cmdline: ''\n");
}

static const char *check(const char *text, unsigned cpus, uint64_t mib)
{
    struct manifest_machine machine = {.cpus = cpus, .memory = mib * MIB};

    accept(text);
    return manifest_check(&manifest, &machine, &error) == 0 ? "" : error.text;
}

static void machine_cpus(void **state)
{
    static const char two[] = HEAD
        "  - {name: a, kind: flat, cpus: [1], memory: 8M, kernel: a}\n"
        "  - {name: b, kind: flat, cpus: [2, 1], memory: 8M, kernel: a}\n";

    (void)state;
    assert_string_equal(check(HEAD FLAT FLAT_B, 1, 1024), "");
    assert_string_equal(check(CPUS("[1]"), 2, 1024), "");
    assert_non_null(strstr(check(CPUS("[1]"), 1, 1024), "the last of this machine's 1 is CPU 0"));
    assert_non_null(strstr(check(CPUS("[4]"), 4, 1024), "machine's 4 is CPU 3"));
    assert_int_equal(error.at.line, 5);
    assert_non_null(strstr(check(CPUS("[64]"), 200, 1024), "machine's 64 is"));
    assert_non_null(strstr(check(two, 4, 1024), "CPU 1 is exclusive to a (line 3)"));
    assert_int_equal(error.at.line, 4);
}

static void machine_memory(void **state)
{
    static const char defined[] = HEAD
        "  - {name: a, kind: flat, cpus: 1, memory: 512M, kernel: a, autostart: false}\n"
        "  - {name: b, kind: flat, cpus: 1, memory: 512M, kernel: a}\n";

    (void)state;
    assert_string_equal(check(HEAD FLAT FLAT_B, 1, 80), "");
    assert_non_null(strstr(check(HEAD FLAT FLAT_B, 1, 60), "b asks for 8 MiB"));
    assert_non_null(strstr(error.text, "has 60 MiB free"));
    assert_int_equal(error.at.line, 11);
    assert_string_equal(check(defined, 1, 600), "");
    assert_non_null(strstr(check(defined, 1, 512), "a asks for 512 MiB"));
}

static void esp_paths(void **state)
{
    static const struct {
        const char *path, *on_esp;
    } cases[] = {
        {"vmlinuz", "\\mullion\\vmlinuz"},
        {"a/b c/d", "\\mullion\\a\\b c\\d"},
        {"./a//b/./c", "\\mullion\\a\\b\\c"},
        {"../../build/x", "\\mullion\\build\\x"},
        {"a/../../b", "\\mullion\\b"},
        {"a/b/../c", "\\mullion\\a\\c"},
        {".cache/..x/...", "\\mullion\\.cache\\..x\\..."},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(manifest_esp_path(cases[i].path, out, sizeof(out)), 0);
        assert_string_equal(out, cases[i].on_esp);
    }
    assert_int_not_equal(manifest_esp_path("..", out, sizeof(out)), 0);
    assert_int_not_equal(manifest_esp_path("a", out, 9), 0);
    assert_int_not_equal(manifest_esp_path("a", out, 10), 0);
    assert_int_equal(manifest_esp_path("a", out, 11), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_keys),
        cmocka_unit_test(defaults),
        cmocka_unit_test(machine_cpus),
        cmocka_unit_test(machine_memory),
        cmocka_unit_test(esp_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
