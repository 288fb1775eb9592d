/* SPDX-License-Identifier: MIT */
/*
 * The physical PS/2 keyboard (root mode), US layout, as bytes of the host's input stream. The
 * controller translates to scan code set 1, so that one table serves every keyboard.
 */
#include "kernel/hostcon.h"
#include "kernel/irq.h"
#include "kernel/x86.h"

#define KBC_DATA                0x60
#define KBC_STATUS              0x64
#define KBC_COMMAND             0x64
#define KBC_ABSENT              0xff
#define STATUS_OUTPUT_FULL      0x01
#define STATUS_INPUT_FULL       0x02
#define STATUS_AUX              0x20
#define COMMAND_READ_CONFIG     0x20
#define COMMAND_WRITE_CONFIG    0x60
#define COMMAND_ENABLE_KEYBOARD 0xae
#define CONFIG_INTERRUPT        0x01
#define CONFIG_DISABLED         0x10
#define CONFIG_TRANSLATE        0x40
#define KEYBOARD_IRQ            1u

#define SCAN_RELEASE     0x80u
#define SCAN_EXTENDED    0xe0u
#define SCAN_CTRL        0x1d
#define SCAN_LEFT_SHIFT  0x2a
#define SCAN_RIGHT_SHIFT 0x36
#define SCAN_CAPS_LOCK   0x3a

#define WAIT_POLLS 10000
#define DRAIN_MOST 32

/* By scan code; 0: no character. */
static const char plain[] =
    "\0\0331234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] =
    "\0\033!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

static bool shift, ctrl, caps, extended, irq_works;

static bool kbd_wait(uint8_t mask, uint8_t value)
{
    for (int i = 0; i < WAIT_POLLS; i++)
        if ((x86_in8(KBC_STATUS) & mask) == value)
            return true;
    return false;
}

static bool kbd_command(uint8_t command)
{
    x86_out8(KBC_COMMAND, command);
    return kbd_wait(STATUS_INPUT_FULL, 0);
}

static void kbd_drain(void)
{
    for (int i = 0; i < DRAIN_MOST && (x86_in8(KBC_STATUS) & STATUS_OUTPUT_FULL); i++)
        (void)x86_in8(KBC_DATA);
}

/* Firmware has initialised controller and keyboard; only the mode is ours. */
static bool kbd_probe(void)
{
    if (x86_in8(KBC_STATUS) == KBC_ABSENT)
        return false;
    kbd_drain();
    if (!kbd_command(COMMAND_READ_CONFIG) || !kbd_wait(STATUS_OUTPUT_FULL, STATUS_OUTPUT_FULL))
        return false;
    uint8_t config = x86_in8(KBC_DATA);
    config = (uint8_t)((config | CONFIG_INTERRUPT | CONFIG_TRANSLATE) & ~CONFIG_DISABLED);
    if (!kbd_command(COMMAND_WRITE_CONFIG))
        return false;
    x86_out8(KBC_DATA, config);
    return kbd_wait(STATUS_INPUT_FULL, 0) && kbd_command(COMMAND_ENABLE_KEYBOARD);
}

static void kbd_press(unsigned code)
{
    if (code >= sizeof plain - 1)
        return;
    bool letter = plain[code] >= 'a' && plain[code] <= 'z';
    char c = (shift != (caps && letter)) ? shifted[code] : plain[code];
    if (ctrl && letter)
        c = (char)(plain[code] - 'a' + 1);
    if (c)
        hostcon_input((uint8_t)c);
}

static void kbd_scan(uint8_t byte)
{
    bool press = !(byte & SCAN_RELEASE);
    unsigned code = byte & ~SCAN_RELEASE;

    if (byte == SCAN_EXTENDED) {
        extended = true;
        return;
    }
    if (code == SCAN_CTRL)
        ctrl = press;
    else if (!extended && (code == SCAN_LEFT_SHIFT || code == SCAN_RIGHT_SHIFT))
        shift = press;
    else if (!extended && code == SCAN_CAPS_LOCK)
        caps ^= press;
    else if (!extended && press)
        kbd_press(code);
    extended = false;
}

static void kbd_receive(void)
{
    for (int i = 0; i < DRAIN_MOST; i++) {
        uint8_t status = x86_in8(KBC_STATUS);
        if (status == KBC_ABSENT || !(status & STATUS_OUTPUT_FULL))
            return;
        uint8_t byte = x86_in8(KBC_DATA);
        if (!(status & STATUS_AUX))
            kbd_scan(byte);
    }
}

static void kbd_interrupt(void *arg)
{
    (void)arg;
    kbd_receive();
}

static void kbd_poll(void)
{
    if (!irq_works)
        kbd_receive();
}

static bool kbd_start(void)
{
    irq_works = irq_connect_isa(KEYBOARD_IRQ, "keyboard", kbd_interrupt, NULL) >= 0;
    kbd_receive(); /* a full buffer would never raise the edge */
    return irq_works;
}

static const struct hostcon kbd_console = {
    .name = "keyboard",
    .early = false,
    .probe = kbd_probe,
    .poll = kbd_poll,
    .start = kbd_start,
};
SET_ADD(hostcon, kbd_console);
