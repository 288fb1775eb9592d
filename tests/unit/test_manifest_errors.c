/* SPDX-License-Identifier: MIT */
/* Manifests with one error of each kind, and its place (build host). */
/* sources: boot/manifest.c boot/manifest_reader.c boot/manifest_vm.c boot/manifest_course.c
 * boot/manifest_value.c boot/manifest_check.c boot/manifest_path.c */
/* flags: -lyaml */
#include "tests/unit/manifest_text.h"

/* One wrong manifest: where the error is, and a part of what it says. */
struct wrong {
    const char *text;
    unsigned line, column;
    const char *says;
};

static void refuse_each(const struct wrong *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct wrong *w = &cases[i];

        if (parse(w->text) == 0)
            fail_msg("accepted:\n%s", w->text);
        if (strstr(error.text, w->says) == NULL || error.at.line != w->line ||
            error.at.column != w->column)
            fail_msg("%u:%u: %s\nbut %u:%u and \"%s\" expected for:\n%s", error.at.line,
                     error.at.column, error.text, w->line, w->column, w->says, w->text);
    }
}
#define REFUSE_EACH(cases) refuse_each(cases, sizeof(cases) / sizeof((cases)[0]))

static void wrong_structure(void **state)
{
    static const struct wrong cases[] = {
        {"", 0, 0, "empty"},
        {"just words\n", 1, 1, "expected keys and values"},
        {"vms: []\n", 1, 1, "\"version\" is missing"},
        {"version: 1\n", 1, 1, "\"vms\" is missing"},
        {"version: 2\nvms: []\n", 1, 10, "version: expected 1"},
        {"version: '1'\nvms: []\n", 1, 10, "of this format, without quotes"},
        {"version: 1\nvms: []\n", 2, 6, "expected a list of VMs"},
        {"version: 1\nvms: {a: b}\n", 2, 6, "expected a list of VMs"},
        {"version: 1\nvms:\n  - 7\n", 3, 5, "expected keys and values"},
        {"version: 1\nversion: 1\nvms: []\n", 2, 1, "given twice (first in line 1)"},
        {"version: 1\nboard: x\nvms: []\n", 2, 1, "unknown key \"board\""},
        {HEAD FLAT "---\nversion: 1\n", 9, 1, "one document"},
        {HEAD FLAT "    colour: red\n", 8, 5, "unknown key \"colour\""},
        {HEAD FLAT "    memory: 9M\n", 8, 5, "\"memory\" is given twice (first in line 6)"},
        {HEAD FLAT "    [1]: 9M\n", 8, 5, "unknown key"},
        {HEAD "  - kind: flat\n    cpus: 1\n    memory: 8M\n    kernel: a\n", 3, 5,
         "\"name\" is missing"},
        {HEAD "  - name: a\n    cpus: 1\n    memory: 8M\n    kernel: a\n", 3, 5,
         "\"kind\" is missing: expected linux, multiboot or flat"},
        {HEAD "  - name: a\n   kind: flat\n", 4, 4, "did not find expected"},
        {HEAD "  - name: a\n\tkind: flat\n", 4, 1, "found a tab character"},
        {HEAD "  - name: *b\n", 3, 11, "undefined alias"},
    };

    (void)state;
    REFUSE_EACH(cases);
}

static void wrong_values(void **state)
{
    static const struct wrong cases[] = {
        {HEAD "  - name: A\n    kind: flat\n    cpus: 1\n    memory: 8M\n    kernel: a\n", 3, 11,
         "name: expected small letters"},
        {HEAD "  - name: mullion\n    kind: flat\n    cpus: 1\n    memory: 8M\n    kernel: a\n", 3,
         11, "the hypervisor's own"},
        {HEAD "  - name: serial\n    kind: flat\n    cpus: 1\n    memory: 8M\n    kernel: a\n", 3,
         11, "the hypervisor's own"},
        {HEAD "  - name: log\n    kind: flat\n    cpus: 1\n    memory: 8M\n    kernel: a\n", 3,
         11, "the hypervisor's own"},
        {HEAD FLAT FLAT, 8, 11, "taken by the VM in line 3"},
        {HEAD "  - name: a\n    kind: bsd\n    cpus: 1\n    memory: 8M\n    kernel: a\n", 4, 11,
         "kind: expected linux, multiboot or flat"},
        {HEAD FLAT "    restart: sometimes\n", 8, 14, "restart: expected never"},
        {HEAD FLAT "    backing: lazy\n", 8, 14, "backing: expected eager"},
        {HEAD FLAT "    apicv: true\n", 8, 12, "apicv: expected auto, on or off"},
        {HEAD FLAT "    autostart: yes\n", 8, 16, "autostart: expected true or false"},
        {HEAD FLAT "    host_figures: 1\n", 8, 19, "host_figures: expected true or false"},
        {HEAD FLAT "    autostart: 'true'\n", 8, 16, "true or false, without quotes"},
        {HEAD FLAT "    cmdline:\n", 8, 13, "cmdline: expected one line"},
        {HEAD FLAT "    cmdline: \"a\\nb\"\n", 8, 14, "cmdline: expected one line"},
        {HEAD FLAT "    cmdline: \"a\\0b\"\n", 8, 14, "cmdline: expected one line"},
        {HEAD FLAT "    cmdline: [a]\n", 8, 14, "cmdline: expected one line"},
        {HEAD FLAT "    initrd: a\n", 8, 5, "initrd: a flat VM has none"},
        {HEAD LINUX "    modules: [a]\n", 8, 5, "modules: a linux VM has none"},
        {HEAD LINUX "    initrd: /a\n", 8, 13, "initrd: expected a relative path"},
        {HEAD LINUX "    initrd: a\\b\n", 8, 13, "initrd: expected a relative path"},
        {HEAD LINUX "    initrd: ..\n", 8, 13, "initrd: expected a relative path"},
        {HEAD LINUX "    initrd:\n", 8, 12, "initrd: expected a relative path"},
        {HEAD FLAT "    course_leaves: 7\n", 8, 20, "expected keys and values"},
        {HEAD FLAT "    course_leaves: {exits: 0x4fffffff}\n", 8, 21, "unknown key \"exits\""},
        {HEAD FLAT "    course_leaves: {total_exits: 0x40000001}\n", 8, 34,
         "total_exits: expected a CPUID leaf"},
        {HEAD FLAT "    course_leaves: {total_exits: 1342177279}\n", 8, 34, "a CPUID leaf"},
        {HEAD FLAT "    course_leaves: {total_exits: 0x4fffffff, total_cycles: 0x4fffffff}\n", 8,
         60, "is used twice"},
    };

    (void)state;
    REFUSE_EACH(cases);
}

#define MEMORY(kind, size)                                                                         \
    HEAD "  - name: a\n    kind: " kind "\n    cpus: 1\n    memory: " size "\n    kernel: a\n"

static void wrong_memory(void **state)
{
    static const struct wrong cases[] = {
        {MEMORY("flat", "8"), 6, 13, "memory: expected a size"},
        {MEMORY("flat", "8m"), 6, 13, "memory: expected a size"},
        {MEMORY("flat", "8MB"), 6, 13, "memory: expected a size"},
        {MEMORY("flat", "-8M"), 6, 13, "memory: expected a size"},
        {MEMORY("flat", "'8M'"), 6, 13, "a multiple of 4K, without quotes"},
        {MEMORY("flat", "9002K"), 6, 13, "multiple of 4K"},
        {MEMORY("flat", "99999999999999999999G"), 6, 13, "memory: expected a size"},
        {MEMORY("flat", "17179869184G"), 6, 13, "memory: expected a size"},
        {MEMORY("flat", "1M"), 6, 13, "at least 2M: its image is loaded at 1 MiB"},
        {MEMORY("linux", "16M"), 6, 13, "at least 32M"},
        {MEMORY("multiboot", "4G"), 6, 13, "at most 3G"},
        {MEMORY("linux", "64G"), 6, 13, "at most 32G"},
    };

    (void)state;
    REFUSE_EACH(cases);
    accept(MEMORY("flat", "2M"));
    accept(MEMORY("flat", "3G"));
}

static void wrong_cpus(void **state)
{
    static const struct wrong cases[] = {
        {CPUS("0"), 5, 11, "cpus: expected a list"},
        {CPUS("17"), 5, 11, "at most 16 vCPUs"},
        {CPUS("-1"), 5, 11, "cpus: expected a list"},
        {CPUS("two"), 5, 11, "cpus: expected a list"},
        {CPUS("[]"), 5, 11, "cpus: expected a list"},
        {CPUS("[0]"), 5, 12, "CPU 0 keeps house"},
        {CPUS("'1'"), 5, 11, "such as 1 (shared), without quotes"},
        {CPUS("[1, x]"), 5, 15, "cpus: expected a list"},
        {CPUS("[1, [2]]"), 5, 15, "cpus: expected a list"},
        {CPUS("[1, 2, 1]"), 5, 18, "twice"},
        {CPUS("[65536]"), 5, 12, "cpus: expected a list"},
        {CPUS("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]"), 5, 51, "at most 16"},
    };

    (void)state;
    REFUSE_EACH(cases);
    accept(CPUS("16"));
}

static void too_many(void **state)
{
    static char text[16384];
    size_t used = (size_t)sprintf(text, HEAD);

    (void)state;
    for (int i = 0; i <= BOOT_VMS_MAX; i++)
        used += (size_t)sprintf(text + used, "  - {name: v%d, kind: flat, cpus: 1, memory: 8M, "
                                "kernel: a}\n", i);
    assert_int_not_equal(parse(text), 0);
    assert_non_null(strstr(error.text, "at most 32 VMs"));
    assert_int_equal(error.at.line, 3 + BOOT_VMS_MAX);
    assert_int_not_equal(parse(HEAD "  - {name: a, kind: multiboot, cpus: 1, memory: 8M, kernel: a,"
                               " modules: [a, b, c, d, e, f, g, h, i]}\n"), 0);
    assert_non_null(strstr(error.text, "at most 8 modules"));
}

static void too_long(void **state)
{
    static char text[MANIFEST_SIZE_MAX + 2];
    size_t used = (size_t)sprintf(text, HEAD FLAT "    cmdline: ");

    (void)state;
    memset(text + used, 'x', GUEST_CMDLINE_MAX - 1);
    accept(text);
    text[used + GUEST_CMDLINE_MAX - 1] = 'x';
    assert_int_not_equal(parse(text), 0);
    memset(text, '#', sizeof(text) - 1);
    assert_int_not_equal(parse(text), 0);
    assert_non_null(strstr(error.text, "the limit is 65536"));
}

static void odd_bytes(void **state)
{
    static const char latin1[] = "version: 1\nvms: \xff\n", nul[] = "version: 1\0\n";

    (void)state;
    assert_int_not_equal(parse_bytes(latin1, sizeof(latin1) - 1), 0);
    assert_non_null(strstr(error.text, "byte 16"));
    assert_int_not_equal(parse_bytes(nul, sizeof(nul) - 1), 0);
    accept("# with CR LF\r\nversion: 1\r\nvms:\r\n  - {name: a, kind: flat, cpus: 1, memory: 8M, "
           "kernel: a}\r\n");
    /* A list that holds itself. */
    assert_int_not_equal(parse("version: 1\nvms: &a [*a]\n"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_structure),
        cmocka_unit_test(wrong_values),
        cmocka_unit_test(wrong_memory),
        cmocka_unit_test(wrong_cpus),
        cmocka_unit_test(too_many),
        cmocka_unit_test(too_long),
        cmocka_unit_test(odd_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
