/* SPDX-License-Identifier: MIT */
/* See tests/unit/fake_vm.h (build host). */
#include "tests/unit/fake_vm.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/vlapic.h"
#include "kernel/time.h"

/* Host TSC of a guest time: neither equal nor proportional, so that mixing them up shows. */
#define TSC_START 1000u
#define TSC_PER_NS 3u
#define TIMER_CALLS_MAX 1000000u /* in one fake_advance: more is a storm */
#define DESCRIBE_SIZE 200

struct fake_vm fake;
static struct intc_state intc;

static void fake_line(struct vm *vm, unsigned gsi, bool level)
{
    assert_ptr_equal(vm, &fake.vm);
    assert_true(gsi < FAKE_LINES);
    if (level && !fake.lines[gsi])
        fake.rises[gsi]++;
    fake.lines[gsi] = level;
    if (fake.line_hook)
        fake.line_hook(vm, gsi, level);
}

static const struct intc_ops fake_intc = {.line = fake_line};

static void fake_add(const struct vdev_type *type)
{
    struct vdev *dev = calloc(1, sizeof(*dev));

    assert_non_null(dev);
    assert_true(type->state_size <= PAGE_SIZE);
    dev->type = type;
    dev->vm = &fake.vm;
    dev->state = type->state_size ? calloc(1, type->state_size) : NULL;
    dev->next = fake.vm.devices;
    fake.vm.devices = dev;
    assert_int_equal(type->init(dev), 0);
}

void fake_create(enum machine machine, uint64_t memory)
{
    memset(&fake, 0, sizeof(fake));
    memset(&intc, 0, sizeof(intc));
    snprintf(fake.vm.name, sizeof(fake.vm.name), "test");
    fake.ram = calloc(1, memory);
    assert_non_null(fake.ram);
    fake.vm.memory = memory;
    fake.vm.config = &fake.config;
    fake.vm.intc = &fake_intc;
    fake.vm.vcpu_count = 1;
    fake.vm.vcpus[0] = &fake.vcpu;
    fake.vcpu.vm = &fake.vm;
    SET_FOREACH(type, vdev)
        if ((*type)->machines & machine)
            fake_add(*type);
}

void fake_destroy(void)
{
    while (fake.vm.devices) {
        struct vdev *dev = fake.vm.devices;

        fake.vm.devices = dev->next;
        if (dev->type->fini)
            dev->type->fini(dev);
        free(dev->state);
        free(dev);
    }
    free(fake.ram);
    fake.ram = NULL;
}

struct vdev *fake_device(const char *name)
{
    for (struct vdev *dev = fake.vm.devices; dev; dev = dev->next)
        if (strcmp(dev->type->name, name) == 0)
            return dev;
    return NULL;
}

static uint64_t fake_tsc(uint64_t ns)
{
    return TSC_START + ns * TSC_PER_NS;
}

static struct vtimer *fake_first_timer(void)
{
    struct vtimer *first = NULL;

    for (struct vtimer *t = fake.vcpu.timers; t; t = t->next)
        if (t->deadline != VTIMER_OFF && (!first || t->deadline < first->deadline))
            first = t;
    return first;
}

void fake_advance(uint64_t ns)
{
    uint64_t end = fake.now_ns + ns;
    struct vtimer *timer;

    for (unsigned i = 0; (timer = fake_first_timer()) && timer->deadline <= fake_tsc(end); i++) {
        assert_true(i < TIMER_CALLS_MAX);
        if (timer->deadline > fake_tsc(fake.now_ns))
            fake.now_ns = (timer->deadline - TSC_START + TSC_PER_NS - 1) / TSC_PER_NS;
        timer->deadline = VTIMER_OFF;
        fake.timer_calls++;
        timer->fn(timer);
    }
    fake.now_ns = end;
}

uint64_t fake_in(uint16_t port, unsigned size)
{
    const struct io_range *range = iobus_find(&fake.vm.pio, port, size);
    uint64_t ones = BIT(8 * size) - 1;

    return (range ? range->read(range->dev, port - range->base, size) : ones) & ones;
}

void fake_out(uint16_t port, unsigned size, uint64_t value)
{
    const struct io_range *range = iobus_find(&fake.vm.pio, port, size);

    if (range)
        range->write(range->dev, port - range->base, size, value & (BIT(8 * size) - 1));
}

uint8_t in8(uint16_t port)
{
    return (uint8_t)fake_in(port, 1);
}

void out8(uint16_t port, uint8_t value)
{
    fake_out(port, 1, value);
}

const char *fake_describe(const char *name)
{
    static char text[DESCRIBE_SIZE];
    struct vdev *dev = fake_device(name);

    assert_non_null(dev);
    text[0] = '\0';
    if (dev->type->describe)
        dev->type->describe(dev, text, sizeof(text));
    assert_true(strlen(text) < sizeof(text) - 1);
    return text;
}

/* What kernel/ offers to devices. */

uint64_t vdev_now_ns(const struct vdev *dev)
{
    (void)dev;
    return fake.now_ns;
}

uint64_t vdev_tsc_at(const struct vdev *dev, uint64_t guest_ns)
{
    (void)dev;
    return fake_tsc(guest_ns);
}

uint64_t vdev_wallclock(const struct vdev *dev)
{
    (void)dev;
    return FAKE_WALLCLOCK + fake.now_ns / NS_PER_S;
}

void vtimer_init(struct vtimer *timer, struct vcpu *vcpu, void (*fn)(struct vtimer *), void *owner)
{
    assert_ptr_equal(vcpu, &fake.vcpu);
    *timer = (struct vtimer){VTIMER_OFF, fn, owner, vcpu, vcpu->timers, false};
    vcpu->timers = timer;
}

void vtimer_set(struct vtimer *timer, uint64_t deadline)
{
    timer->deadline = deadline;
}

void vdev_console_put(struct vdev *dev, uint8_t byte)
{
    (void)dev;
    fake.console[fake.console_length++ % FAKE_CONSOLE_SIZE] = (char)byte;
}

void vdev_console_attach(struct vdev *dev, bool (*input)(struct vdev *dev, uint8_t byte))
{
    assert_null(fake.input);
    fake.input = input;
    fake.input_dev = dev;
}

void vdev_console_ready(struct vdev *dev)
{
    (void)dev;
    fake.ready_calls++;
}

void vdev_power_attach(struct vdev *dev, bool (*press)(struct vdev *dev))
{
    fake.press = press;
    fake.press_dev = dev;
}

void vdev_keyboard_attach(struct vdev *dev, bool (*key)(struct vdev *dev, char character))
{
    fake.key = key;
    fake.key_dev = dev;
}

void vdev_screen_attach(struct vdev *dev,
                        void (*snapshot)(struct vdev *dev, char *buffer, size_t size))
{
    fake.snapshot = snapshot;
    fake.snapshot_dev = dev;
}

int gmem_read(struct vm *vm, gpa_t gpa, void *to, size_t size)
{
    if (gpa > vm->memory || size > vm->memory - gpa)
        return -EFAULT;
    memcpy(to, fake.ram + gpa, size);
    return 0;
}

void vm_exit(struct vm *vm, int32_t status, const char *reason)
{
    assert_ptr_equal(vm, &fake.vm);
    fake.exits++;
    fake.status = status;
    fake.reason = reason;
}

void vm_reset(struct vm *vm, const char *reason)
{
    assert_ptr_equal(vm, &fake.vm);
    fake.resets++;
    fake.reason = reason;
}

void vm_mark(struct vm *vm, uint64_t number)
{
    assert_ptr_equal(vm, &fake.vm);
    fake.marks++;
    fake.mark = number;
}

struct intc_state *intc_state_get(struct vm *vm)
{
    vm->intc_state = &intc;
    return &intc;
}

void vlapic_extint(struct vm *vm, bool asserted)
{
    assert_ptr_equal(vm, &fake.vm);
    assert_int_not_equal(asserted, fake.extint);
    fake.extint = asserted;
    fake.extint_changes++;
}

void log_printf(const char *format, ...)
{
    (void)format;
}
