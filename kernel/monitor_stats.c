/* SPDX-License-Identifier: MIT */
/* Commands that look into VMs: exits, registers, memory, devices (root mode, CPU 0). */
#include <stdio.h>

#include "kernel/console.h"
#include "kernel/monitor.h"
#include "kernel/report.h"
#include "kernel/time.h"
#include "kernel/vdev.h"
#include "kernel/vm.h"

#define DUMP_DEFAULT 64u
#define DUMP_MAX 4096u
#define ROW 16u

typedef unsigned long long ull;

/* Of a VM that word `index` names, or its first. */
static struct vcpu *pick_vcpu(struct vm *vm, int count, char **words, int index)
{
    uint64_t id = 0;

    if (count > index && !monitor_number(words[index], &id))
        return NULL;
    if (id < vm->vcpu_count)
        return vm->vcpus[id];
    console_print("%s: has no vCPU %llu now\n", vm->name, (ull)id);
    return NULL;
}

static uint64_t exits_of(const struct vm *vm, const struct vcpu *v, unsigned code, uint64_t *cycles)
{
    if (!v)
        return report_exits(vm, code, cycles);
    *cycles = v->stats.by_code[code].cycles;
    return v->stats.by_code[code].exits;
}

static void print_count(const char *name, uint64_t exits, uint64_t cycles)
{
    console_print("  %-28s %12llu %16llu %10llu\n", name, (ull)exits, (ull)cycles,
                  (ull)(exits ? cycles / exits : 0));
}

static void print_exits(const struct vm *vm, const struct vcpu *v)
{
    uint64_t exits, cycles, all = 0, all_cycles = 0;

    if (v)
        console_print("%s, vCPU %lu:\n", vm->name, (unsigned long)v->id);
    else
        console_print("%s:\n", vm->name);
    console_print("  %-28s %12s %16s %10s\n", "exit", "count", "cycles", "average");
    for (unsigned code = 0; code < backend->exit_codes; code++) {
        exits = exits_of(vm, v, code, &cycles);
        if (exits)
            print_count(report_exit_name(code), exits, cycles);
        all += exits;
        all_cycles += cycles;
    }
    print_count("all", all, all_cycles);
}

static void stats(int count, char **words)
{
    struct vcpu *v = NULL;
    struct vm *vm;

    if (count > 1) {
        vm = monitor_vm(words[1]);
        if (vm && (count < 3 || (v = pick_vcpu(vm, count, words, 2))))
            print_exits(vm, v);
        return;
    }
    for (uint32_t id = 0; id < VM_MAX; id++) {
        if (vm_get(id))
            print_exits(vm_get(id), NULL);
    }
}
MONITOR_COMMAND(stats, "[VM [VCPU]]", "exits by reason, with TSC cycles", stats);

static void report_loaded(struct vcpu *v, void *arg)
{
    (void)arg;
    report_vcpu(v);
}

static void regs(int count, char **words)
{
    struct vm *vm = monitor_vm_in(words[1], MONITOR_BUILT);
    struct vcpu *v = vm ? pick_vcpu(vm, count, words, 2) : NULL;

    /* The VM may end while this waits: nothing of the vCPU is touched afterwards. */
    if (v)
        vcpu_call(v, report_loaded, NULL);
}
MONITOR_COMMAND(regs, "VM [VCPU]", "registers, last exits, code and stack, into the log", regs);

static void print_row(gpa_t gpa, const uint8_t *bytes, size_t length)
{
    char hex[ROW * 3 + 1], text[ROW + 1];

    for (size_t i = 0; i < length; i++) {
        sniprintf(hex + i * 3, 4, " %02x", bytes[i]);
        text[i] = bytes[i] >= ' ' && bytes[i] < 0x7f ? (char)bytes[i] : '.';
    }
    text[length] = '\0';
    console_print("%012llx %-48s  %s\n", (ull)gpa, hex, text);
}

static void dump_memory(struct vm *vm, gpa_t gpa, uint64_t size)
{
    uint8_t row[ROW];

    for (uint64_t done = 0; done < size; done += ROW) {
        size_t length = (size_t)MIN(size - done, (uint64_t)ROW);
        int err;

        lock_acquire(&vm->lock);
        err = gmem_read(vm, gpa + done, row, length);
        lock_release(&vm->lock);
        if (err) {
            console_print("%012llx is no memory of %s\n", (ull)(gpa + done), vm->name);
            return;
        }
        print_row(gpa + done, row, length);
    }
}

static void dump(int count, char **words)
{
    struct vm *vm = monitor_vm_in(words[1], MONITOR_BUILT);
    uint64_t gpa = 0, size = DUMP_DEFAULT;

    if (!vm || (count > 2 && !monitor_number(words[2], &gpa)) ||
        (count > 3 && !monitor_number(words[3], &size)))
        return;
    dump_memory(vm, gpa, MIN(size, (uint64_t)DUMP_MAX));
}
MONITOR_COMMAND(dump, "VM [ADDRESS [LENGTH]]", "guest-physical memory", dump);

static void print_ranges(const struct iobus *bus, const struct vdev *dev, const char *kind)
{
    for (uint32_t i = 0; i < bus->count; i++) {
        const struct io_range *r = &bus->ranges[i];
        if (r->dev == dev)
            console_print("    %s %llx to %llx\n", kind, (ull)r->base,
                          (ull)(r->base + r->size - 1));
    }
}

static void print_device(struct vdev *dev)
{
    char text[200] = "";

    lock_acquire(&dev->vm->lock);
    if (dev->type->describe)
        dev->type->describe(dev, text, sizeof(text));
    lock_release(&dev->vm->lock);
    console_print("  %-10s %s\n", dev->type->name, text);
    print_ranges(&dev->vm->pio, dev, "ports");
    print_ranges(&dev->vm->mmio, dev, "memory");
}

static void devices(int count, char **words)
{
    struct vm *vm;

    if (count < 2) {
        SET_FOREACH(p, vdev)
            console_print("  %-10s in%s%s%s\n", (*p)->name,
                          (*p)->machines & MACHINE_LINUX ? " linux" : "",
                          (*p)->machines & MACHINE_PC ? " multiboot" : "",
                          (*p)->machines & MACHINE_FLAT ? " flat" : "");
        return;
    }
    vm = monitor_vm_in(words[1], MONITOR_BUILT);
    for (struct vdev *dev = vm ? vm->devices : NULL; dev; dev = dev->next)
        print_device(dev);
}
MONITOR_COMMAND(devices, "[VM]", "kinds of device, or a VM's with their state", devices);
