/* SPDX-License-Identifier: MIT */
/*
 * The keys of one VM in the manifest: a table, and a reader for each key that checks its value.
 * Pure: runs in the UEFI loader and on the build host.
 */
#include <inttypes.h>
#include <string.h>

#include "boot/manifest_reader.h"
#include "boot/manifest_value.h"

#define KEYS_MAX 16
#define MIB      (UINT64_C(1) << 20)
#define GIB      (UINT64_C(1) << 30)
#define PAGE     4096u

/* Memory that a VM of a kind can have, and why no less or more. */
static const struct kind_limits {
    uint64_t min, max;
    const char *why_min, *why_max;
} kind_limits[] = {
    [BOOT_VM_LINUX] = {32 * MIB, 32 * GIB, "Linux does not start in less",
                       "guest-physical addresses have 36 bits"},
    [BOOT_VM_MULTIBOOT] = {4 * MIB, 3 * GIB, "its PC has that much at least",
                           "it starts in 32-bit mode, and devices lie above that"},
    [BOOT_VM_FLAT] = {2 * MIB, 3 * GIB, "its image is loaded at 1 MiB",
                      "it starts in 32-bit mode, and devices lie above that"},
};

static const char *const kind_words[] = {"linux", "multiboot", "flat", NULL};

static int read_name(struct reader *r, struct manifest_vm *entry, const struct key *key,
                     const yaml_node_t *value)
{
    static const char *const taken[] = {"mullion", "monitor", "serial", "log", NULL};
    const char *text = reader_string(value);

    if (text == NULL || !value_name(text, BOOT_NAME_MAX))
        return reader_refuse_value(r, value, key);
    /* Log files and consoles go by the VM's name. */
    if (value_word(text, taken) >= 0)
        return reader_refuse(r, value, "name: \"%s\" is the hypervisor's own", text);
    for (const struct manifest_vm *other = r->manifest->vms; other < entry; other++) {
        if (strcmp(other->vm.name, text) == 0)
            return reader_refuse(r, value, "name: \"%s\" is taken by the VM in line %u", text,
                                 other->at.line);
    }
    strcpy(entry->vm.name, text);
    return 0;
}

static int read_word(struct reader *r, const struct key *key, const yaml_node_t *value,
                     const char *const *words, uint32_t base, uint32_t *out)
{
    const char *text = reader_plain(value);
    int index = text != NULL ? value_word(text, words) : -1;

    if (index < 0)
        return reader_refuse_plain(r, value, key);
    *out = base + (uint32_t)index;
    return 0;
}

static int read_kind(struct reader *r, struct manifest_vm *entry, const struct key *key,
                     const yaml_node_t *value)
{
    return read_word(r, key, value, kind_words, BOOT_VM_LINUX, &entry->vm.kind);
}

static int read_restart(struct reader *r, struct manifest_vm *entry, const struct key *key,
                        const yaml_node_t *value)
{
    static const char *const words[] = {"never", "on-failure", "always", NULL};

    return read_word(r, key, value, words, BOOT_RESTART_NEVER, &entry->vm.restart);
}

static int read_backing(struct reader *r, struct manifest_vm *entry, const struct key *key,
                        const yaml_node_t *value)
{
    static const char *const words[] = {"eager", "demand-4k", "demand-2m", NULL};

    return read_word(r, key, value, words, BOOT_BACKING_EAGER, &entry->vm.backing);
}

static int read_apicv(struct reader *r, struct manifest_vm *entry, const struct key *key,
                      const yaml_node_t *value)
{
    static const char *const words[] = {"auto", "on", "off", NULL};

    return read_word(r, key, value, words, BOOT_AUTO, &entry->vm.apicv);
}

static const char *const truth_words[] = {"false", "true", NULL};

static int read_autostart(struct reader *r, struct manifest_vm *entry, const struct key *key,
                          const yaml_node_t *value)
{
    return read_word(r, key, value, truth_words, 0, &entry->vm.autostart);
}

static int read_host_figures(struct reader *r, struct manifest_vm *entry, const struct key *key,
                             const yaml_node_t *value)
{
    return read_word(r, key, value, truth_words, 0, &entry->vm.host_figures);
}

static int read_memory(struct reader *r, struct manifest_vm *entry, const struct key *key,
                       const yaml_node_t *value)
{
    const struct kind_limits *limits = &kind_limits[entry->vm.kind];
    const char *kind = kind_words[entry->vm.kind - BOOT_VM_LINUX];
    const char *text = reader_plain(value);
    uint64_t size;

    if (text == NULL || !value_size(text, &size) || size % PAGE != 0)
        return reader_refuse_plain(r, value, key);
    if (size < limits->min)
        return reader_refuse(r, value, "memory: a %s VM has at least %" PRIu64 "M: %s", kind,
                             limits->min / MIB, limits->why_min);
    if (size > limits->max)
        return reader_refuse(r, value, "memory: a %s VM has at most %" PRIu64 "G: %s", kind,
                             limits->max / GIB, limits->why_max);
    entry->vm.memory = size;
    entry->memory_at = reader_mark(value);
    return 0;
}

static int read_cpu_list(struct reader *r, struct manifest_vm *entry, const struct key *key,
                         const yaml_node_t *list)
{
    struct boot_vm *vm = &entry->vm;

    for (const yaml_node_item_t *item = list->data.sequence.items.start;
         item < list->data.sequence.items.top; item++) {
        const yaml_node_t *node = yaml_document_get_node(r->document, *item);
        const char *text = reader_plain(node);
        uint64_t cpu;

        if (text == NULL || !value_number(text, UINT16_MAX, &cpu))
            return reader_refuse_plain(r, node, key);
        if (cpu == 0)
            return reader_refuse(r, node, "cpus: CPU 0 keeps house and is never exclusive");
        if (vm->vcpu_count == BOOT_VCPUS_MAX)
            return reader_refuse(r, node, "cpus: a VM has at most %d vCPUs", BOOT_VCPUS_MAX);
        for (unsigned i = 0; i < vm->vcpu_count; i++) {
            if (vm->cpus[i] == cpu)
                return reader_refuse(r, node, "cpus: CPU %" PRIu64 " is in the list twice", cpu);
        }
        vm->cpus[vm->vcpu_count++] = (uint16_t)cpu;
    }
    vm->exclusive = 1;
    return vm->vcpu_count > 0 ? 0 : reader_refuse_value(r, list, key);
}

static int read_cpus(struct reader *r, struct manifest_vm *entry, const struct key *key,
                     const yaml_node_t *value)
{
    const char *text;
    uint64_t count;

    entry->cpus_at = reader_mark(value);
    if (value->type == YAML_SEQUENCE_NODE)
        return read_cpu_list(r, entry, key, value);
    text = reader_plain(value);
    if (text == NULL || !value_number(text, UINT16_MAX, &count) || count == 0)
        return reader_refuse_plain(r, value, key);
    if (count > BOOT_VCPUS_MAX)
        return reader_refuse(r, value, "cpus: a VM has at most %d vCPUs", BOOT_VCPUS_MAX);
    entry->vm.vcpu_count = (uint32_t)count;
    return 0;
}

static int read_path(struct reader *r, const struct key *key, const yaml_node_t *value, char *out,
                     size_t size, struct manifest_mark *at)
{
    const char *text = reader_string(value);
    char on_esp[MANIFEST_PATH_MAX + 16];

    *at = reader_mark(value);
    if (text == NULL || !value_path(text, size) ||
        manifest_esp_path(text, on_esp, sizeof(on_esp)) != 0)
        return reader_refuse(r, value, "%s: expected %s, shorter than %u characters", key->name,
                             key->expected, (unsigned)size);
    strcpy(out, text);
    return 0;
}

static int read_kernel(struct reader *r, struct manifest_vm *entry, const struct key *key,
                       const yaml_node_t *value)
{
    return read_path(r, key, value, entry->kernel, sizeof(entry->kernel), &entry->kernel_at);
}

static int read_initrd(struct reader *r, struct manifest_vm *entry, const struct key *key,
                       const yaml_node_t *value)
{
    return read_path(r, key, value, entry->initrd, sizeof(entry->initrd), &entry->initrd_at);
}

static int read_modules(struct reader *r, struct manifest_vm *entry, const struct key *key,
                        const yaml_node_t *value)
{
    struct guest_parts *parts = &entry->parts;

    if (value->type != YAML_SEQUENCE_NODE)
        return reader_refuse(r, value, "modules: expected a list of paths, such as [env.txt]");
    for (const yaml_node_item_t *item = value->data.sequence.items.start;
         item < value->data.sequence.items.top; item++) {
        const yaml_node_t *node = yaml_document_get_node(r->document, *item);
        int result;

        if (parts->module_count == GUEST_MODULES_MAX)
            return reader_refuse(r, node, "modules: a VM has at most %d modules",
                                 GUEST_MODULES_MAX);
        result = read_path(r, key, node, parts->modules[parts->module_count].name,
                           GUEST_MODULE_NAME_MAX, &entry->modules_at[parts->module_count]);
        if (result != 0)
            return result;
        parts->module_count++;
    }
    return 0;
}

static int read_cmdline(struct reader *r, struct manifest_vm *entry, const struct key *key,
                        const yaml_node_t *value)
{
    const char *text = reader_string(value);

    if (text == NULL || !value_line(text, GUEST_CMDLINE_MAX))
        return reader_refuse_value(r, value, key);
    strcpy(entry->parts.cmdline, text);
    return 0;
}

/* The kind comes first among those that depend on it. */
static const struct key vm_keys[] = {
    {"name", true, 0, "small letters, digits and inner hyphens, at most 31", read_name},
    {"kind", true, 0, "linux, multiboot or flat", read_kind},
    {"cpus", true, 0,
     "a list of physical CPUs, such as [1, 2] (exclusive), or a number of vCPUs, such as 1 "
     "(shared)",
     read_cpus},
    {"memory", true, 0, "a size such as 512M, 1G or 65536K, a multiple of 4K", read_memory},
    {"kernel", true, 0, "a relative path with forward slashes", read_kernel},
    {"initrd", false, 1u << BOOT_VM_LINUX, "a relative path with forward slashes", read_initrd},
    {"modules", false, 1u << BOOT_VM_MULTIBOOT, "a relative path with forward slashes",
     read_modules},
    {"cmdline", false, 0, "one line of at most 1023 printable ASCII characters", read_cmdline},
    {"restart", false, 0, "never, on-failure or always", read_restart},
    {"backing", false, 0, "eager, demand-4k or demand-2m", read_backing},
    {"apicv", false, 0, "auto, on or off", read_apicv},
    {"autostart", false, 0, "true or false", read_autostart},
    {"host_figures", false, 0, "true or false", read_host_figures},
    {"course_leaves", false, 0, "a table of CPUID leaves", manifest_read_course_leaves},
};
_Static_assert(ARRAY_SIZE(vm_keys) <= KEYS_MAX, "reader_mapping's result must fit");

int manifest_read_vm(struct reader *r, struct manifest_vm *entry, const yaml_node_t *node)
{
    struct pair found[KEYS_MAX];
    int result = reader_mapping(r, node, "vm", vm_keys, ARRAY_SIZE(vm_keys), found);

    entry->at = reader_mark(node);
    entry->vm.autostart = 1;
    for (size_t i = 0; i < ARRAY_SIZE(vm_keys) && result == 0; i++) {
        const struct key *key = &vm_keys[i];

        if (found[i].value == NULL)
            continue;
        if (key->kinds != 0 && (key->kinds & 1u << entry->vm.kind) == 0)
            return reader_refuse(r, found[i].key, "%s: a %s VM has none", key->name,
                                 kind_words[entry->vm.kind - BOOT_VM_LINUX]);
        result = key->read(r, entry, key, found[i].value);
    }
    return result;
}
