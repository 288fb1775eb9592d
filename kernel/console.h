/* SPDX-License-Identifier: MIT */
/*
 * Consoles of VMs (root mode). Output of each VM is kept in a ring; one screen is on the physical
 * text devices at a time: a VM's console, the monitor or the log. Ctrl-A is the prefix that
 * switches. With the boot option `mux` all consoles also go out at once (kernel/console_mux.h).
 *
 * Any CPU puts output; CPU 0 shows it and takes input, in its housekeeping.
 */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include "kernel/lock.h"
#include "kernel/types.h"
#include "kernel/vdev.h"

#define CONSOLE_OUTPUT_SIZE (16u << 10) /* a power of two; oldest lost */
#define CONSOLE_INPUT_SIZE 1024u        /* a power of two; what does not fit is refused */
#define CONSOLE_KEYS_SIZE 256u          /* a power of two */
#define CONSOLE_PREFIX 0x01             /* Ctrl-A */

/* What one device of the VM takes over; called with the VM's lock held. */
struct console_hooks {
    struct vdev *terminal, *power, *keyboard, *screen;
    bool (*input)(struct vdev *dev, uint8_t byte);
    bool (*press)(struct vdev *dev);
    bool (*key)(struct vdev *dev, char character);
    void (*snapshot)(struct vdev *dev, char *buffer, size_t size);
};

struct vconsole {
    struct vm *vm;
    struct lock lock;    /* rank LOCK_RANK_CONSOLE: both rings */
    char *output;        /* CONSOLE_OUTPUT_SIZE bytes */
    uint64_t put;        /* bytes ever written to the ring */
    uint64_t shown;      /* of these seen on the screen */
    bool full;           /* the device took no more input and has not asked since */
    uint32_t in_head, in_tail;
    uint8_t input[CONSOLE_INPUT_SIZE];
    uint32_t key_head;   /* CPU 0 alone */
    uint32_t key_tail;   /* VM lock */
    char keys[CONSOLE_KEYS_SIZE];
    struct console_hooks hooks; /* VM lock; valid while the VM runs */
};

/* For kernel/vm.c. -ENOMEM. On CPU 0. */
int console_create(struct vm *vm);
void console_destroy(struct vm *vm);
/* The VM has ended and its devices are gone: says so on its screen. On CPU 0. */
void console_vm_ended(struct vm *vm);

/* Output of a VM. Any CPU, with or without the VM's lock. */
void console_put(struct vm *vm, uint8_t byte);

/* Gives what was typed to the VM's devices as far as they take it. VM lock held. */
void console_deliver(struct vconsole *console);
/* Queues what was typed for a VM; false: no room. */
bool console_type(struct vconsole *console, uint8_t byte);
/* Is there input that a device may take? On CPU 0. */
bool console_has_input(struct vconsole *console);

/* Queues a key for the VM's keyboard; false: no room. On CPU 0. */
bool console_type_key(struct vconsole *console, char key);

/* Copies output from *position on (or the oldest that is kept), advances it; 0: no more. */
size_t console_read(struct vconsole *console, uint64_t *position, char *buffer, size_t size);

/* What the output so far asks a terminal becomes NUL, which changes nothing there (ECMA-48,
 * 8.3.88): shown later or again, the answer would be typed to whoever reads then. */
void console_drop_queries(struct vconsole *console);

/* The screen: kernel/console_screen.c. All on CPU 0 unless stated. */

/* Takes what was typed on physical devices and gives input to VMs. */
void console_input(void);
/* Shows what the console on screen has put out. */
void console_poll(void);
/* Host TSC of the next pass that output or input wants; VTIMER_OFF: none. */
uint64_t console_deadline(void);

/* Puts a VM's console, the monitor or the log on screen. */
void console_show_vm(struct vm *vm);
void console_show_monitor(void);
void console_show_log(void);
/* The VM whose console is on screen; NULL: monitor or log. */
struct vm *console_on_screen(void);

/* From console_put, any CPU, no lock held but the VM's: there is output to be shown. */
void console_output_waits(struct vconsole *console);
/* This console goes away. */
void console_forget(struct vconsole *console);

/* Text of the monitor, to the physical devices and not to the log. */
void console_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void console_print_text(const char *text, size_t length);
/* The last lines of the log: kernel/console_log.c. */
void console_print_log(uint64_t lines);

#endif
