/* SPDX-License-Identifier: MIT */
/*
 * The keyboard controller at ports 0x60 and 0x64, interrupt 1, with a keyboard and no mouse.
 * Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device
 * Controller". Runs in root mode.
 */
#include <stdio.h>

#include "drivers/vkeyboard.h"
#include "kernel/vdev.h"

#define I8042_DATA 0x60
#define I8042_COMMAND 0x64
#define I8042_GSI 1
#define I8042_RAM 32u

#define STATUS_OUTPUT_FULL 0x01u
#define STATUS_SYSTEM 0x04u
#define STATUS_COMMAND 0x08u /* the last write went to the command port */
#define STATUS_UNLOCKED 0x10u

/* The first byte of its RAM is the command byte. */
#define CONFIG_INTERRUPT 0x01u
#define CONFIG_SYSTEM 0x04u
#define CONFIG_KEYBOARD_OFF 0x10u
#define CONFIG_MOUSE_OFF 0x20u
#define CONFIG_TRANSLATE 0x40u
#define CONFIG_DEFAULT (CONFIG_INTERRUPT | CONFIG_SYSTEM | CONFIG_MOUSE_OFF | CONFIG_TRANSLATE)

#define COMMAND_READ_RAM 0x20 /* to 0x3F */
#define COMMAND_WRITE_RAM 0x60 /* to 0x7F */
#define COMMAND_TEST_MOUSE 0xA9
#define COMMAND_SELF_TEST 0xAA
#define COMMAND_TEST_KEYBOARD 0xAB
#define COMMAND_KEYBOARD_OFF 0xAD
#define COMMAND_KEYBOARD_ON 0xAE
#define COMMAND_READ_INPUT 0xC0
#define COMMAND_READ_OUTPUT 0xD0
#define COMMAND_WRITE_OUTPUT 0xD1
#define COMMAND_WRITE_KEYBOARD 0xD2 /* as if the keyboard had sent it */
#define COMMAND_WRITE_MOUSE_BUFFER 0xD3
#define COMMAND_WRITE_MOUSE 0xD4
#define COMMAND_READ_TEST 0xE0
#define COMMAND_PULSE 0xF0 /* to 0xFF: zero bits pulse outputs */
#define RAM_COMMAND_MASK 0xE0u

#define REPLY_SELF_TEST 0x55
#define REPLY_KEYBOARD_GOOD 0x00
#define REPLY_MOUSE_CLOCK_LOW 0x01 /* nobody is there */
#define INPUT_UNLOCKED 0x80
#define OUTPUT_NO_RESET 0x01u
#define OUTPUT_A20 0x02u
#define OUTPUT_KEYBOARD_FULL 0x10u

struct i8042 {
    uint8_t ram[I8042_RAM];
    uint8_t command;   /* waits for its byte at the data port; 0: none */
    uint8_t output;    /* the byte for the guest */
    bool full;         /* there is one */
    bool reply_waits;  /* of the controller itself */
    uint8_t reply;
    bool releasing;    /* translation has seen KEYBOARD_RELEASE */
    bool refused;      /* the monitor waits for room */
    bool to_command;   /* STATUS_COMMAND */
    struct keyboard keyboard;
};

/* The next byte of the keyboard as the guest shall see it; false: none. */
static bool i8042_keyboard_byte(struct i8042 *i8042, uint8_t *byte)
{
    if (i8042->ram[0] & CONFIG_KEYBOARD_OFF)
        return false;
    while (keyboard_next(&i8042->keyboard, byte)) {
        if (!(i8042->ram[0] & CONFIG_TRANSLATE))
            return true;
        if (*byte != KEYBOARD_RELEASE) {
            *byte = (uint8_t)(keyboard_translate(*byte) | (i8042->releasing ? 0x80 : 0));
            i8042->releasing = false;
            return true;
        }
        i8042->releasing = true;
    }
    return false;
}

/* Moves the next byte to the output buffer. The line falls between two bytes: it is an edge. */
static void i8042_update(struct vdev *dev)
{
    struct i8042 *i8042 = dev->state;

    if (!i8042->full) {
        vdev_irq(dev, I8042_GSI, false);
        if (i8042->reply_waits) {
            i8042->output = i8042->reply;
            i8042->reply_waits = false;
            i8042->full = true;
        } else {
            i8042->full = i8042_keyboard_byte(i8042, &i8042->output);
        }
    }
    vdev_irq(dev, I8042_GSI, i8042->full && (i8042->ram[0] & CONFIG_INTERRUPT));
}

static void i8042_reply(struct i8042 *i8042, uint8_t byte)
{
    i8042->reply = byte;
    i8042->reply_waits = true;
}

static bool i8042_key(struct vdev *dev, char character)
{
    struct i8042 *i8042 = dev->state;

    if (!keyboard_type(&i8042->keyboard, character)) {
        i8042->refused = true;
        return false;
    }
    i8042_update(dev);
    return true;
}

static uint64_t data_read(struct vdev *dev, uint64_t offset, unsigned size)
{
    struct i8042 *i8042 = dev->state;
    uint8_t value = i8042->output;

    (void)offset, (void)size;
    i8042->full = false;
    i8042_update(dev);
    if (i8042->refused && keyboard_empty(&i8042->keyboard)) {
        i8042->refused = false;
        vdev_console_ready(dev);
    }
    return value;
}

static uint64_t status_read(struct vdev *dev, uint64_t offset, unsigned size)
{
    const struct i8042 *i8042 = dev->state;

    (void)offset, (void)size;
    return STATUS_UNLOCKED | (i8042->full ? STATUS_OUTPUT_FULL : 0) |
           (i8042->ram[0] & CONFIG_SYSTEM ? STATUS_SYSTEM : 0) |
           (i8042->to_command ? STATUS_COMMAND : 0);
}

static void i8042_write_ram(struct i8042 *i8042, unsigned at, uint8_t value)
{
    at %= I8042_RAM;
    i8042->ram[at] = at ? value : value | CONFIG_MOUSE_OFF;
}

/* The second byte of a command. */
static void i8042_argument(struct vdev *dev, uint8_t value)
{
    struct i8042 *i8042 = dev->state;
    uint8_t command = i8042->command;

    i8042->command = 0;
    if ((command & RAM_COMMAND_MASK) == COMMAND_WRITE_RAM)
        i8042_write_ram(i8042, command, value);
    else if (command == COMMAND_WRITE_KEYBOARD)
        i8042_reply(i8042, value);
    else if (command == COMMAND_WRITE_OUTPUT && !(value & OUTPUT_NO_RESET))
        vm_reset(dev->vm, "keyboard controller output port");
    /* What is for the mouse goes nowhere. */
}

static void data_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct i8042 *i8042 = dev->state;

    (void)offset, (void)size;
    i8042->to_command = false;
    if (i8042->command) {
        i8042_argument(dev, (uint8_t)value);
    } else {
        i8042->ram[0] &= (uint8_t)~CONFIG_KEYBOARD_OFF; /* sending opens the line again */
        keyboard_command(&i8042->keyboard, (uint8_t)value);
    }
    i8042_update(dev);
}

/* Commands without a second byte. */
static void i8042_simple_command(struct vdev *dev, uint8_t command)
{
    struct i8042 *i8042 = dev->state;

    switch (command) {
    case COMMAND_TEST_MOUSE:
        i8042_reply(i8042, REPLY_MOUSE_CLOCK_LOW);
        break;
    case COMMAND_SELF_TEST:
        i8042->ram[0] |= CONFIG_SYSTEM;
        i8042_reply(i8042, REPLY_SELF_TEST);
        break;
    case COMMAND_TEST_KEYBOARD:
        i8042_reply(i8042, REPLY_KEYBOARD_GOOD);
        break;
    case COMMAND_KEYBOARD_OFF:
        i8042->ram[0] |= CONFIG_KEYBOARD_OFF;
        break;
    case COMMAND_KEYBOARD_ON:
        i8042->ram[0] &= (uint8_t)~CONFIG_KEYBOARD_OFF;
        break;
    case COMMAND_READ_INPUT:
        i8042_reply(i8042, INPUT_UNLOCKED);
        break;
    case COMMAND_READ_OUTPUT:
        i8042_reply(i8042, OUTPUT_NO_RESET | OUTPUT_A20 | (i8042->full ? OUTPUT_KEYBOARD_FULL : 0));
        break;
    case COMMAND_READ_TEST:
        i8042_reply(i8042, 0);
        break;
    default: /* many exist, and a controller ignores those that it doesn't have */
        break;
    }
}

static void command_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct i8042 *i8042 = dev->state;
    uint8_t command = (uint8_t)value;

    (void)offset, (void)size;
    i8042->to_command = true;
    i8042->command = 0;
    if (command >= COMMAND_PULSE) {
        if (!(command & OUTPUT_NO_RESET))
            vm_reset(dev->vm, "keyboard controller");
    } else if ((command & RAM_COMMAND_MASK) == COMMAND_READ_RAM) {
        i8042_reply(i8042, i8042->ram[command % I8042_RAM]);
    } else if ((command & RAM_COMMAND_MASK) == COMMAND_WRITE_RAM ||
               (command >= COMMAND_WRITE_OUTPUT && command <= COMMAND_WRITE_MOUSE)) {
        i8042->command = command;
    } else {
        i8042_simple_command(dev, command);
    }
    i8042_update(dev);
}

static int i8042_init(struct vdev *dev)
{
    struct i8042 *i8042 = dev->state;
    int error;

    i8042->ram[0] = CONFIG_DEFAULT;
    keyboard_reset(&i8042->keyboard);
    error = vdev_ports(dev, I8042_DATA, 1, data_read, data_write);
    if (!error)
        error = vdev_ports(dev, I8042_COMMAND, 1, status_read, command_write);
    if (!error)
        vdev_keyboard_attach(dev, i8042_key);
    return error;
}

static void i8042_describe(struct vdev *dev, char *buffer, size_t size)
{
    const struct i8042 *i8042 = dev->state;

    snprintf(buffer, size, "command byte 0x%02x, output %s, %u scan codes wait", i8042->ram[0],
             i8042->full ? "full" : "empty", i8042->keyboard.keys.count);
}

static const struct vdev_type vi8042 = {
    .name = "i8042",
    .machines = MACHINE_PC,
    .state_size = sizeof(struct i8042),
    .init = i8042_init,
    .describe = i8042_describe,
};
VDEV(vi8042);
