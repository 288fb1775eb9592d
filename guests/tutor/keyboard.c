/* SPDX-License-Identifier: MIT */
/*
 * The i8042 keyboard controller and a US keyboard. The controller translates the keyboard's codes
 * to "set 1": one byte when a key goes down, the same with bit 7 when it goes up. Source: IBM PS/2
 * technical reference, "Keyboard and Auxiliary Device Controller".
 */
#include "guests/tutor/console.h"
#include "guests/tutor/devices.h"
#include "guests/tutor/io.h"
#include "guests/tutor/trap.h"

#define I8042_DATA 0x60
#define I8042_STATUS 0x64
#define I8042_COMMAND 0x64
#define KEYBOARD_LINE 1

#define STATUS_OUTPUT_FULL 0x01
#define STATUS_INPUT_FULL 0x02
#define COMMAND_WRITE_CONFIG 0x60
#define COMMAND_ENABLE_KEYBOARD 0xAE
#define CONFIG_INTERRUPT 0x01
#define CONFIG_SYSTEM 0x04
#define CONFIG_MOUSE_OFF 0x20
#define CONFIG_TRANSLATE 0x40

#define CODE_EXTENDED 0xE0
#define CODE_RELEASED 0x80
#define CODE_KEY 0x7F
#define CODE_CTRL 0x1D
#define CODE_LEFT_SHIFT 0x2A
#define CODE_RIGHT_SHIFT 0x36

#define WAIT_POLLS 10000 /* a controller that is not there never gets ready */

/* The character of each code; zero where the key has none. */
static const char plain[] = "\0\033"
                            "1234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] = "\0\033"
                              "!@#$%^&*()_+\b\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
_Static_assert(sizeof(plain) == sizeof(shifted), "the two layouts have the same keys");

static struct {
    bool shift, ctrl, extended;
} keys;

static void keyboard_code(uint8_t code)
{
    bool down = !(code & CODE_RELEASED);
    uint8_t key = code & CODE_KEY;
    char c;

    if (key == CODE_CTRL) {
        keys.ctrl = down;
    } else if (key == CODE_LEFT_SHIFT || key == CODE_RIGHT_SHIFT) {
        keys.shift = down;
    } else if (down && key < sizeof(plain)) {
        c = (keys.shift ? shifted : plain)[key];
        if (keys.ctrl)
            c &= 0x1F;
        if (c)
            console_input(c);
    }
}

static void keyboard_interrupt(void)
{
    uint8_t code;

    if (!(inb(I8042_STATUS) & STATUS_OUTPUT_FULL))
        return;
    code = inb(I8042_DATA);
    if (keys.extended) /* arrows, right Ctrl and so on: not used here */
        keys.extended = false;
    else if (code == CODE_EXTENDED)
        keys.extended = true;
    else
        keyboard_code(code);
}

static void keyboard_send(uint16_t port, uint8_t value)
{
    for (unsigned i = 0; i < WAIT_POLLS && (inb(I8042_STATUS) & STATUS_INPUT_FULL); i++)
        ;
    outb(port, value);
}

void keyboard_init(void)
{
    keyboard_send(I8042_COMMAND, COMMAND_ENABLE_KEYBOARD);
    keyboard_send(I8042_COMMAND, COMMAND_WRITE_CONFIG);
    keyboard_send(I8042_DATA,
                  CONFIG_INTERRUPT | CONFIG_SYSTEM | CONFIG_MOUSE_OFF | CONFIG_TRANSLATE);
    /* A byte that was typed before would block the edge of the first interrupt. */
    for (unsigned i = 0; i < WAIT_POLLS && (inb(I8042_STATUS) & STATUS_OUTPUT_FULL); i++)
        (void)inb(I8042_DATA);
    trap_set_irq(KEYBOARD_LINE, keyboard_interrupt);
}
