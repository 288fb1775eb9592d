/* SPDX-License-Identifier: MIT */
/* Commands for the life of VMs and for their screens (root mode, CPU 0). */
#include <stdio.h>
#include <string.h>

#include "kernel/console.h"
#include "kernel/manifest.h"
#include "kernel/monitor.h"
#include "kernel/vm.h"
#include "kernel/vm_stop.h"

#define STOP_SECONDS 10u
#define STOP_SECONDS_MAX 3600u
#define SCREEN_SIZE 4096u
#define MIB (1ull << 20)

static void print_vm(const struct vm *vm)
{
    static const char *const kinds[] = {
        [BOOT_VM_LINUX] = "linux", [BOOT_VM_MULTIBOOT] = "multiboot", [BOOT_VM_FLAT] = "flat",
    };
    const struct boot_vm *config = vm->config;

    console_print("%2lu  %-20s %-9s %-9s %5lu %6llu  ", (unsigned long)vm->id + 1, vm->name,
                  vm->state == VM_RUNNING && vm_stop_requested(vm) ? "stopping"
                                                                   : monitor_vm_state(vm),
                  config->kind < ARRAY_SIZE(kinds) ? kinds[config->kind] : "?",
                  (unsigned long)config->vcpu_count, (unsigned long long)(vm->memory / MIB));
    if (vm->state == VM_ENDED)
        console_print("status %ld: %s", (long)vm->exit_status, vm->reason);
    console_print("\n");
}

static void list(int count, char **words)
{
    (void)count;
    (void)words;
    console_print("no  name                 state     kind      vCPUs    MiB\n");
    for (uint32_t id = 0; id < VM_MAX; id++) {
        if (vm_get(id))
            print_vm(vm_get(id));
    }
    for (uint32_t i = 0; manifest_get(i); i++) {
        if (!vm_find(manifest_get(i)->name))
            console_print(" -  %-20s can be created\n", manifest_get(i)->name);
    }
}
MONITOR_COMMAND(list, "", "all VMs; the number is also the key after Ctrl-A", list);

static void start(int count, char **words)
{
    struct vm *vm = monitor_vm_in(count > 1 ? words[1] : NULL, MONITOR_IDLE);

    if (vm)
        monitor_result(vm->name, "started", vm_start(vm));
}
MONITOR_COMMAND(start, "VM", "start it", start);

static void stop(int count, char **words)
{
    struct vm *vm = monitor_vm_in(words[1], MONITOR_BUILT);
    uint64_t seconds = STOP_SECONDS;
    int err;

    if (!vm || (count > 2 && !monitor_number(words[2], &seconds)))
        return;
    seconds = MIN(seconds, STOP_SECONDS_MAX);
    err = vm_stop_request(vm, (unsigned)seconds * 1000);
    monitor_result(vm->name, vm_stop_requested(vm) ? "asked to stop" : "killed", err);
}
MONITOR_COMMAND(stop, "VM [SECONDS]", "press its power button; kill it after the time (10)", stop);

static void kill(int count, char **words)
{
    struct vm *vm = monitor_vm_in(count > 1 ? words[1] : NULL, MONITOR_BUILT);

    if (vm)
        monitor_result(vm->name, "killed", vm_kill(vm));
}
MONITOR_COMMAND(kill, "VM", "end it at once", kill);

static void create(int count, char **words)
{
    const struct boot_vm *config = count > 1 ? manifest_find(words[1]) : NULL;
    struct vm *vm;

    if (config)
        monitor_result(config->name, "created", vm_create(config, &vm));
    else
        console_print("which VM of the manifest? 'list' shows them\n");
}
MONITOR_COMMAND(create, "NAME", "create a VM of the manifest", create);

static void destroy(int count, char **words)
{
    struct vm *vm = monitor_vm_in(count > 1 ? words[1] : NULL, MONITOR_IDLE);
    char name[BOOT_NAME_MAX];

    if (!vm)
        return;
    memcpy(name, vm->name, sizeof(name)); /* the record goes away */
    monitor_result(name, "destroyed", vm_destroy(vm));
}
MONITOR_COMMAND(destroy, "VM", "remove a VM that does not run", destroy);

static void console(int count, char **words)
{
    struct vm *vm = monitor_vm(count > 1 ? words[1] : NULL);

    if (vm)
        console_show_vm(vm);
}
MONITOR_COMMAND(console, "VM", "show its console; Ctrl-A m comes back", console);

static void type(int count, char **words)
{
    struct vm *vm = monitor_vm(count > 1 ? words[1] : NULL);
    bool room = true;

    if (!vm)
        return;
    if (vm->state != VM_RUNNING || !vm->console->hooks.key) {
        console_print("%s: has no keyboard\n", vm->name);
        return;
    }
    for (int i = 2; i < count; i++) {
        for (const char *p = words[i]; *p && room; p++)
            room = console_type_key(vm->console, *p);
        room = room && console_type_key(vm->console, i + 1 < count ? ' ' : '\n');
    }
    if (!room)
        console_print("%s: does not read its keyboard\n", vm->name);
}
MONITOR_COMMAND(type, "VM TEXT...", "type on its keyboard, and Enter", type);

/* Without the empty rows at its end. */
static size_t text_length(const char *text)
{
    size_t length = strlen(text);

    while (length && (text[length - 1] == '\n' || text[length - 1] == ' '))
        length--;
    return length;
}

static void screen(int count, char **words)
{
    static char text[SCREEN_SIZE]; /* CPU 0 alone */
    struct vm *vm = monitor_vm(count > 1 ? words[1] : NULL);
    bool there;

    if (!vm)
        return;
    lock_acquire(&vm->lock);
    there = vm->state == VM_RUNNING && vm->console->hooks.snapshot;
    if (there)
        vm->console->hooks.snapshot(vm->console->hooks.screen, text, sizeof(text));
    lock_release(&vm->lock);
    if (!there) {
        console_print("%s: has no screen\n", vm->name);
        return;
    }
    console_print_text(text, text_length(text));
    console_print("\n");
}
MONITOR_COMMAND(screen, "VM", "show its screen as text", screen);
