/* SPDX-License-Identifier: MIT */
/*
 * All that a virtual device needs. A device is one file in drivers/ that ends with VDEV(type);
 * drivers/vnull.c is the template. Every callback runs with the VM's lock held, timers included.
 */
#ifndef KERNEL_VDEV_H
#define KERNEL_VDEV_H

#include "kernel/iobus.h"
#include "kernel/log.h"
#include "kernel/set.h"
#include "kernel/types.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"

enum machine { MACHINE_LINUX = 1, MACHINE_PC = 2, MACHINE_FLAT = 4, MACHINE_ANY = 7 };

/* The machine that a kind of guest gets (enum boot_vm_kind). */
static inline enum machine machine_of(uint32_t kind)
{
    return kind == BOOT_VM_LINUX ? MACHINE_LINUX : kind == BOOT_VM_MULTIBOOT ? MACHINE_PC
                                                                             : MACHINE_FLAT;
}

struct vdev;

#define VDEV_ORDER_MAX 3u

struct vdev_type {
    const char *name;
    unsigned machines;  /* mask of enum machine: where it exists */
    unsigned order;     /* devices with a lower number are created first: 0 (usual) to 3 */
    size_t state_size;  /* zeroed state of one instance, at most 4 KiB */
    /* Registers ports, MMIO and console; 0 or a negative errno (the VM is not created). */
    int (*init)(struct vdev *dev);
    /* Gives back what init took besides its state; NULL: nothing. */
    void (*fini)(struct vdev *dev);
    /* Appends its state in words for the monitor's `devices` command; NULL: nothing to say. */
    void (*describe)(struct vdev *dev, char *buffer, size_t size);
};

struct vdev {
    const struct vdev_type *type;
    struct vm *vm;
    void *state;
    struct vdev *next;
};

SET_DECLARE(vdev, struct vdev_type);
#define VDEV(type_) SET_ADD(vdev, type_)

/* Registration, from init. */
static inline int vdev_ports(struct vdev *dev, uint16_t base, uint16_t count, io_read_fn read,
                             io_write_fn write)
{
    return iobus_add(&dev->vm->pio, base, count, dev, read, write);
}
static inline int vdev_mmio(struct vdev *dev, gpa_t base, uint64_t size, io_read_fn read,
                            io_write_fn write)
{
    return iobus_add(&dev->vm->mmio, base, size, dev, read, write);
}

/* Drives the interrupt line `gsi` of the VM (PIC and I/O APIC pins). */
static inline void vdev_irq(struct vdev *dev, unsigned gsi, bool level)
{
    if (dev->vm->intc)
        dev->vm->intc->line(dev->vm, gsi, level);
}

/* Guest time in nanoseconds since the VM started, and the host TSC of such a time. */
uint64_t vdev_now_ns(const struct vdev *dev);
uint64_t vdev_tsc_at(const struct vdev *dev, uint64_t guest_ns);
/* Now, in seconds since 1970-01-01 UTC: the host's RTC at start-up and the TSC since. */
uint64_t vdev_wallclock(const struct vdev *dev);

/* Console of the VM (kernel/console.h): one device is its terminal. put: a byte to the screen.
 * The device's input callback gets what the user types; it returns false when it is full. */
void vdev_console_put(struct vdev *dev, uint8_t byte);
void vdev_console_attach(struct vdev *dev, bool (*input)(struct vdev *dev, uint8_t byte));
/* The device has room for input again. */
void vdev_console_ready(struct vdev *dev);

/* Power button pressed by the monitor: one device may take it; returns false: cannot. */
void vdev_power_attach(struct vdev *dev, bool (*press)(struct vdev *dev));

/* The VM's keyboard: the monitor sends it characters (US ASCII); `key` returns false when full. */
void vdev_keyboard_attach(struct vdev *dev, bool (*key)(struct vdev *dev, char character));
/* The VM's screen: writes its text to `buffer`, a line per row, NUL-terminated. */
void vdev_screen_attach(struct vdev *dev,
                        void (*snapshot)(struct vdev *dev, char *buffer, size_t size));

/* Guest memory, checked copies: 0 or -EFAULT (part outside RAM; nothing is copied then). */
int gmem_read(struct vm *vm, gpa_t gpa, void *to, size_t size);
int gmem_write(struct vm *vm, gpa_t gpa, const void *from, size_t size);

#endif
