/* SPDX-License-Identifier: MIT */
/* The VM's side of consoles (root mode): rings, and the calls of devices. */
#include "kernel/console.h"

#include <errno.h>
#include <string.h>

#include "kernel/console_mux.h"
#include "kernel/option.h"
#include "kernel/page.h"
#include "kernel/vm.h"

#define OUTPUT_ORDER 2u
_Static_assert(CONSOLE_OUTPUT_SIZE == PAGE_SIZE << OUTPUT_ORDER, "ring of output");
_Static_assert(sizeof(struct vconsole) <= PAGE_SIZE, "struct vconsole");
#define ENQ 0x05 /* a terminal answers it */
#define ESC 0x1b

static bool mux_on; /* set before the first VM runs */

int console_create(struct vm *vm)
{
    struct vconsole *c = page_zalloc();
    hpa_t output = page_alloc(OUTPUT_ORDER);

    if (!c || output == PAGE_NONE) {
        page_zfree(c);
        if (output != PAGE_NONE)
            page_free(output, OUTPUT_ORDER);
        return -ENOMEM;
    }
    c->vm = vm;
    c->output = page_ptr(output);
    lock_init(&c->lock, LOCK_RANK_CONSOLE, "console");
    mux_on = option_has("mux");
    vm->console = c;
    return 0;
}

void console_destroy(struct vm *vm)
{
    struct vconsole *c = vm->console;

    console_forget(c);
    vm->console = NULL;
    page_free(page_hpa(c->output), OUTPUT_ORDER);
    page_zfree(c);
}

static char *kept(struct vconsole *c, uint64_t position)
{
    return &c->output[position % CONSOLE_OUTPUT_SIZE];
}

static uint64_t oldest(const struct vconsole *c)
{
    return c->put > CONSOLE_OUTPUT_SIZE ? c->put - CONSOLE_OUTPUT_SIZE : 0;
}

void console_put(struct vm *vm, uint8_t byte)
{
    struct vconsole *c = vm->console;
    char text = (char)byte;

    lock_acquire(&c->lock);
    if (mux_on)
        mux_write((uint8_t)(MUX_CONSOLES + vm->id), &text, 1);
    *kept(c, c->put++) = text;
    lock_release(&c->lock);
    console_output_waits(c);
}

size_t console_read(struct vconsole *c, uint64_t *position, char *buffer, size_t size)
{
    size_t length = 0;

    lock_acquire(&c->lock);
    *position = MAX(*position, oldest(c));
    while (length < size && *position < c->put)
        buffer[length++] = *kept(c, (*position)++);
    lock_release(&c->lock);
    return length;
}

/* Device Attributes and Device Status Report (ECMA-48, 8.3.24 and 8.3.35), DECID of the VT100. */
static bool is_query(char introducer, char last)
{
    return introducer == '[' ? last == 'c' || last == 'n' : introducer == ESC && last == 'Z';
}

void console_drop_queries(struct vconsole *c)
{
    uint64_t start = 0;  /* of an escape sequence */
    char introducer = 0; /* ESC or [ within one */

    lock_acquire(&c->lock);
    for (uint64_t at = oldest(c); at < c->put; at++) {
        char byte = *kept(c, at);
        if (byte == ENQ)
            *kept(c, at) = '\0';
        while (is_query(introducer, byte) && start <= at)
            *kept(c, start++) = '\0';
        if (byte == ESC)
            start = at;
        if (byte == ESC || (byte == '[' && introducer == ESC))
            introducer = byte;
        else if (byte >= (introducer == ESC ? ' ' : '@'))
            introducer = 0;
    }
    lock_release(&c->lock);
}

bool console_type(struct vconsole *c, uint8_t byte)
{
    bool room;

    lock_acquire(&c->lock);
    room = c->in_head - c->in_tail < CONSOLE_INPUT_SIZE;
    if (room)
        c->input[c->in_head++ % CONSOLE_INPUT_SIZE] = byte;
    lock_release(&c->lock);
    return room;
}

bool console_type_key(struct vconsole *c, char key)
{
    if (c->key_head - c->key_tail == CONSOLE_KEYS_SIZE)
        return false;
    c->keys[c->key_head % CONSOLE_KEYS_SIZE] = key;
    __atomic_store_n(&c->key_head, c->key_head + 1, __ATOMIC_RELEASE);
    return true;
}

bool console_has_input(struct vconsole *c)
{
    return (c->in_head != c->in_tail && !c->full) || c->key_head != c->key_tail;
}

static bool next_input(struct vconsole *c, uint8_t *byte)
{
    bool some;

    lock_acquire(&c->lock);
    some = c->in_head != c->in_tail;
    if (some)
        *byte = c->input[c->in_tail % CONSOLE_INPUT_SIZE];
    lock_release(&c->lock);
    return some;
}

static bool give(const struct console_hooks *hooks, uint8_t byte)
{
    if (hooks->input)
        return hooks->input(hooks->terminal, byte);
    if (hooks->key)
        return hooks->key(hooks->keyboard, (char)byte);
    return true; /* nobody will ever take it */
}

static void deliver_keys(struct vconsole *c)
{
    while (c->key_tail != __atomic_load_n(&c->key_head, __ATOMIC_ACQUIRE) &&
           (!c->hooks.key ||
            c->hooks.key(c->hooks.keyboard, c->keys[c->key_tail % CONSOLE_KEYS_SIZE])))
        c->key_tail++;
}

void console_deliver(struct vconsole *c)
{
    uint8_t byte;

    /* The VM's lock makes this the only reader, so that the byte stays the next one. */
    while (!c->full && next_input(c, &byte)) {
        if (!give(&c->hooks, byte))
            c->full = true;
        else
            c->in_tail++;
    }
    deliver_keys(c);
}

void vdev_console_put(struct vdev *dev, uint8_t byte)
{
    console_put(dev->vm, byte);
}

void vdev_console_attach(struct vdev *dev, bool (*input)(struct vdev *dev, uint8_t byte))
{
    struct vconsole *c = dev->vm->console;

    c->hooks.terminal = dev;
    c->hooks.input = input;
    c->full = false;
}

void vdev_console_ready(struct vdev *dev)
{
    dev->vm->console->full = false;
    console_deliver(dev->vm->console);
}

void vdev_power_attach(struct vdev *dev, bool (*press)(struct vdev *dev))
{
    dev->vm->console->hooks.power = dev;
    dev->vm->console->hooks.press = press;
}

void vdev_keyboard_attach(struct vdev *dev, bool (*key)(struct vdev *dev, char character))
{
    dev->vm->console->hooks.keyboard = dev;
    dev->vm->console->hooks.key = key;
}

void vdev_screen_attach(struct vdev *dev,
                        void (*snapshot)(struct vdev *dev, char *buffer, size_t size))
{
    dev->vm->console->hooks.screen = dev;
    dev->vm->console->hooks.snapshot = snapshot;
}
