/* SPDX-License-Identifier: MIT */
/* Fuzzer: any bytes as a manifest; what is accepted is then checked against small machines. */
/* sources: boot/manifest.c boot/manifest_reader.c boot/manifest_vm.c boot/manifest_course.c
 * boot/manifest_value.c boot/manifest_check.c boot/manifest_path.c */
/* flags: -lyaml */
#include <stdlib.h>
#include <string.h>

#include "boot/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is promised of every accepted VM. */
static void check_vm(const struct manifest_vm *entry)
{
    const struct boot_vm *vm = &entry->vm;
    char path[MANIFEST_PATH_MAX + 16];

    if (vm->vcpu_count == 0 || vm->vcpu_count > BOOT_VCPUS_MAX || vm->memory == 0 ||
        vm->memory % 4096 != 0 || entry->at.line == 0 || vm->name[0] == '\0' ||
        memchr(entry->parts.cmdline, '\0', sizeof(entry->parts.cmdline)) == NULL)
        abort();
    for (unsigned i = 0; vm->exclusive && i < vm->vcpu_count; i++) {
        if (vm->cpus[i] == 0)
            abort();
    }
    if (manifest_esp_path(entry->kernel, path, sizeof(path)) != 0 ||
        strncmp(path, "\\mullion\\", 9) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct manifest manifest;
    struct manifest_machine machine = {.cpus = 2, .memory = 1ull << 30};
    struct manifest_error error;

    if (manifest_parse((const char *)data, size, &manifest, &error) != 0) {
        if (error.text[0] == '\0')
            abort();
        return 0;
    }
    for (unsigned i = 0; i < manifest.count; i++)
        check_vm(&manifest.vms[i]);
    manifest_check(&manifest, &machine, &error);
    return 0;
}
