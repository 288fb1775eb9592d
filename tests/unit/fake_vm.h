/* SPDX-License-Identifier: MIT */
/*
 * A VM for tests of devices (build host): guest RAM in an array, a clock that stands still until
 * the test moves it, and a record of what devices ask of the hypervisor.
 */
#ifndef TESTS_UNIT_FAKE_VM_H
#define TESTS_UNIT_FAKE_VM_H

#include "kernel/time.h"
#include "kernel/vdev.h"

#define FAKE_LINES 24
#define FAKE_CONSOLE_SIZE 4096u
#define FAKE_WALLCLOCK 1700000000ull /* Tue 2023-11-14 22:13:20 UTC, at guest time 0 */

#define NS_PER_US 1000ull
#define NS_PER_S 1000000000ull

struct fake_vm {
    struct vm vm;
    struct vcpu vcpu;
    struct boot_vm config;
    uint8_t *ram;
    uint64_t now_ns;

    bool lines[FAKE_LINES]; /* levels of interrupt lines, and how often each has risen */
    unsigned rises[FAKE_LINES];
    void (*line_hook)(struct vm *vm, unsigned gsi, bool level);
    bool extint;               /* INTR of the PIC */
    unsigned extint_changes;
    unsigned timer_calls;

    char console[FAKE_CONSOLE_SIZE]; /* what the guest has sent, modulo the size */
    size_t console_length;
    unsigned ready_calls;
    bool (*input)(struct vdev *dev, uint8_t byte);
    struct vdev *input_dev;
    bool (*press)(struct vdev *dev);
    struct vdev *press_dev;
    bool (*key)(struct vdev *dev, char character);
    struct vdev *key_dev;
    void (*snapshot)(struct vdev *dev, char *buffer, size_t size);
    struct vdev *snapshot_dev;

    unsigned exits, resets, marks;
    int32_t status;
    uint64_t mark;
    const char *reason;
};

extern struct fake_vm fake;

/* A VM with one vCPU and every device that is linked in and belongs to the machine. */
void fake_create(enum machine machine, uint64_t memory);
void fake_destroy(void);
struct vdev *fake_device(const char *name);
/* Moves the clock and runs what becomes due on the way, each timer at its own time. */
void fake_advance(uint64_t ns);

/* Port accesses as the exit handler makes them; a port without a device reads as all ones. */
uint64_t fake_in(uint16_t port, unsigned size);
void fake_out(uint16_t port, unsigned size, uint64_t value);
uint8_t in8(uint16_t port);
void out8(uint16_t port, uint8_t value);
/* What the device says about itself. */
const char *fake_describe(const char *name);

#endif
