/* SPDX-License-Identifier: MIT */
/* The manifest and the guest images that it names, into bootinfo. Runs in the UEFI loader. */
#include <stdlib.h>
#include <string.h>

#include "boot/guest_image.h"
#include "boot/loader.h"
#include "boot/machine_build.h"
#include "boot/manifest.h"

#define MANIFEST_PATH "\\mullion\\manifest.yaml"

/* An image that several VMs name is read once. */
struct loaded {
    struct loaded *next;
    struct file file;
    char path[MANIFEST_PATH_MAX + 16];
};

static void fatal_in_manifest(const struct manifest_error *error)
{
    if (error->at.line == 0)
        say_fatal("%s: %s", MANIFEST_PATH, error->text);
    say_fatal("%s:%u:%u: %s", MANIFEST_PATH, error->at.line, error->at.column, error->text);
}

static struct manifest *read_manifest(void)
{
    struct manifest *manifest = memory_borrow(sizeof(*manifest), "the manifest");
    struct manifest_error error;
    struct file file;

    if (!file_read(MANIFEST_PATH, false, &file))
        say_fatal("%s is missing: it says which VMs there are (docs/manifest.md)", MANIFEST_PATH);
    if (manifest_parse((const char *)file.data, file.size, manifest, &error) != 0)
        fatal_in_manifest(&error);
    return manifest;
}

/* The file for a path of the manifest, kept for the hypervisor. */
static const struct file *load(struct loaded **list, const char *path, struct manifest_mark at)
{
    struct loaded *item = calloc(1, sizeof(*item));

    if (item == NULL || manifest_esp_path(path, item->path, sizeof(item->path)) != 0)
        say_fatal("no memory for the name of %s", path);
    for (const struct loaded *other = *list; other != NULL; other = other->next) {
        if (strcmp(other->path, item->path) == 0) {
            free(item);
            return &other->file;
        }
    }
    if (!file_read(item->path, true, &item->file))
        say_fatal("%s:%u:%u: expected a file that is on the ESP; there is no %s", MANIFEST_PATH,
                  at.line, at.column, item->path);
    item->next = *list;
    *list = item;
    return &item->file;
}

static void load_part(struct loaded **list, const char *path, struct manifest_mark at,
                      struct guest_file *out)
{
    const struct file *file = load(list, path, at);

    *out = (struct guest_file){file->data, file->size, (uint64_t)(uintptr_t)file->data};
}

static void load_parts(struct loaded **list, struct manifest_vm *entry)
{
    struct guest_parts *parts = &entry->parts;

    for (uint32_t i = 0; i < parts->module_count; i++)
        load_part(list, parts->modules[i].name, entry->modules_at[i], &parts->modules[i].file);
    if (entry->initrd[0] != '\0')
        load_part(list, entry->initrd, entry->initrd_at, &parts->initrd.file);
    load_part(list, entry->kernel, entry->kernel_at, &parts->kernel);
}

/* The machine is described once; the hypervisor copies it whenever the VM is built. */
static void load_vm(struct loaded **list, struct manifest_vm *entry)
{
    struct boot_vm *vm = &entry->vm;
    struct guest_report report;
    struct machine_build build = {.vm = vm, .parts = &entry->parts, .report = &report};
    int result;

    load_parts(list, entry);
    build.bytes = memory_keep(MACHINE_TABLES_SIZE, PAGE, "a VM's tables");
    build.hpa = (uint64_t)(uintptr_t)build.bytes;
    result = guest_image_digest(vm, &entry->parts, &report);
    if (result == 0)
        result = machine_build(&build);
    if (result != 0)
        say_fatal("%s:%u:%u: %s (VM %s): %s", MANIFEST_PATH, entry->kernel_at.line,
                  entry->kernel_at.column, entry->kernel, vm->name, report.error);
    if (report.note[0] != '\0')
        say("mullion: %s (VM %s): %s\n", entry->kernel, vm->name, report.note);
}

void vms_load(struct bootinfo *info)
{
    struct manifest *manifest = read_manifest();
    struct boot_vm *vms = memory_keep(manifest->count * sizeof(*vms), PAGE, "the VM list");
    struct manifest_machine machine = {.cpus = info->cpu_count};
    struct manifest_error error;
    struct loaded *list = NULL;
    uint64_t end;

    for (unsigned i = 0; i < manifest->count; i++) {
        load_vm(&list, &manifest->vms[i]);
        vms[i] = manifest->vms[i].vm;
    }
    machine.memory = memory_usable(&end);
    if (manifest_check(manifest, &machine, &error) != 0)
        fatal_in_manifest(&error);
    info->vms = (uint64_t)(uintptr_t)vms;
    info->vm_count = manifest->count;
}
