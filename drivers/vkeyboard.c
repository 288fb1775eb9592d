/* SPDX-License-Identifier: MIT */
/*
 * The keyboard: scan codes and commands. Source: IBM PS/2 Hardware Interface Technical Reference,
 * "Keyboards (101- and 102-Key)": "Commands from the System", "Scan Codes". Runs in root mode.
 */
#include "drivers/vkeyboard.h"

#include <string.h>

#define COMMAND_LEDS 0xED
#define COMMAND_ECHO 0xEE
#define COMMAND_SCAN_SET 0xF0
#define COMMAND_IDENTIFY 0xF2
#define COMMAND_RATE 0xF3
#define COMMAND_ENABLE 0xF4
#define COMMAND_DISABLE 0xF5
#define COMMAND_DEFAULTS 0xF6
#define COMMAND_RESEND 0xFE
#define COMMAND_RESET 0xFF
#define REPLY_ACK 0xFA
#define REPLY_RESEND 0xFE
#define REPLY_PASSED 0xAA /* self test */
#define REPLY_ID_FIRST 0xAB
#define REPLY_ID_SECOND 0x83

#define SET1_RELEASED 0x80u
#define KEY_ESCAPE 0x01
#define KEY_BACKSPACE 0x0E
#define KEY_TAB 0x0F
#define KEY_ENTER 0x1C
#define KEY_CONTROL 0x1D
#define KEY_SHIFT 0x2A
#define KEY_NONE 0
#define SEQUENCE_MAX 6u /* bytes of a key with a modifier, down and up, in set 2 */

#define CHAR_BACKSPACE 0x08
#define CHAR_ESCAPE 0x1B
#define CHAR_DELETE 0x7F

/* A key is named by its code of set 1, which is its place in these tables. */
static const char plain[] = "\0\0"
                            "1234567890-=\0\0qwertyuiop[]\0\0asdfghjkl;'`\0\\zxcvbnm,./\0\0\0 ";
static const char shifted[] = "\0\0"
                              "!@#$%^&*()_+\0\0QWERTYUIOP{}\0\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0\0\0 ";
_Static_assert(sizeof(plain) == sizeof(shifted), "the two layouts have the same keys");

static const uint8_t set2[] = {
    0x00, 0x76, 0x16, 0x1E, 0x26, 0x25, 0x2E, 0x36, 0x3D, 0x3E, 0x46, 0x45, /* 00: Esc 1 to 0 */
    0x4E, 0x55, 0x66, 0x0D, 0x15, 0x1D, 0x24, 0x2D, 0x2C, 0x35, 0x3C, 0x43, /* 0C: - = q to i */
    0x44, 0x4D, 0x54, 0x5B, 0x5A, 0x14, 0x1C, 0x1B, 0x23, 0x2B, 0x34, 0x33, /* 18: o to h */
    0x3B, 0x42, 0x4B, 0x4C, 0x52, 0x0E, 0x12, 0x5D, 0x1A, 0x22, 0x21, 0x2A, /* 24: j to v */
    0x32, 0x31, 0x3A, 0x41, 0x49, 0x4A, 0x59, 0x7C, 0x11, 0x29, 0x58, 0x05, /* 30: b to F1 */
    0x06, 0x04, 0x0C, 0x03, 0x0B, 0x83, 0x0A, 0x01, 0x09, 0x77, 0x7E, 0x6C, /* 3C: F2 to 7 */
    0x75, 0x7D, 0x7B, 0x6B, 0x73, 0x74, 0x79, 0x69, 0x72, 0x7A, 0x70, 0x71, /* 48: keypad */
    0x84, 0x60, 0x61, 0x78, 0x07,                                           /* 54: to F12 */
};
_Static_assert(sizeof(set2) == 0x59, "codes of set 1 go up to F12");

static bool queue_put(struct keyboard_queue *queue, uint8_t byte)
{
    if (queue->count >= KEYBOARD_QUEUE)
        return false;
    queue->bytes[(queue->head + queue->count) % KEYBOARD_QUEUE] = byte;
    queue->count++;
    return true;
}

static bool queue_get(struct keyboard_queue *queue, uint8_t *byte)
{
    if (!queue->count)
        return false;
    *byte = queue->bytes[queue->head];
    queue->head = (uint8_t)((queue->head + 1) % KEYBOARD_QUEUE);
    queue->count--;
    return true;
}

uint8_t keyboard_translate(uint8_t code)
{
    for (unsigned key = 1; key < sizeof(set2); key++)
        if (set2[key] == code)
            return (uint8_t)key;
    return code; /* replies */
}

static void keyboard_reply(struct keyboard *keyboard, uint8_t byte)
{
    /* A guest that sends commands and reads nothing loses replies. */
    (void)queue_put(&keyboard->replies, byte);
}

void keyboard_reset(struct keyboard *keyboard)
{
    memset(keyboard, 0, sizeof(*keyboard));
    keyboard->set = 2;
}

static void keyboard_argument(struct keyboard *keyboard, uint8_t byte)
{
    bool select = keyboard->command == COMMAND_SCAN_SET;

    keyboard->command = 0;
    if (select && byte > 2) { /* set 3 is not offered */
        keyboard_reply(keyboard, REPLY_RESEND);
        return;
    }
    keyboard_reply(keyboard, REPLY_ACK);
    if (select && byte == 0)
        keyboard_reply(keyboard, keyboard->set);
    else if (select)
        keyboard->set = byte;
}

static void keyboard_plain_command(struct keyboard *keyboard, uint8_t byte)
{
    keyboard_reply(keyboard, REPLY_ACK);
    if (byte == COMMAND_LEDS || byte == COMMAND_SCAN_SET || byte == COMMAND_RATE)
        keyboard->command = byte;
    if (byte == COMMAND_IDENTIFY) {
        keyboard_reply(keyboard, REPLY_ID_FIRST);
        keyboard_reply(keyboard, REPLY_ID_SECOND);
    }
    if (byte == COMMAND_ENABLE || byte == COMMAND_DEFAULTS)
        keyboard->disabled = false;
    if (byte == COMMAND_DISABLE)
        keyboard->disabled = true;
    if (byte == COMMAND_DISABLE || byte == COMMAND_DEFAULTS)
        keyboard->set = 2;
}

void keyboard_command(struct keyboard *keyboard, uint8_t byte)
{
    if (keyboard->command && byte < COMMAND_LEDS) {
        keyboard_argument(keyboard, byte);
        return;
    }
    keyboard->command = 0;
    switch (byte) {
    case COMMAND_LEDS:
    case COMMAND_SCAN_SET:
    case COMMAND_IDENTIFY:
    case COMMAND_RATE:
    case COMMAND_ENABLE:
    case COMMAND_DISABLE:
    case COMMAND_DEFAULTS:
        keyboard_plain_command(keyboard, byte);
        break;
    case COMMAND_ECHO:
        keyboard_reply(keyboard, COMMAND_ECHO);
        break;
    case COMMAND_RESEND:
        keyboard_reply(keyboard, keyboard->last);
        break;
    case COMMAND_RESET:
        keyboard_reset(keyboard);
        keyboard_reply(keyboard, REPLY_ACK);
        keyboard_reply(keyboard, REPLY_PASSED);
        break;
    default:
        keyboard_reply(keyboard, REPLY_RESEND);
    }
}

bool keyboard_next(struct keyboard *keyboard, uint8_t *byte)
{
    if (!queue_get(&keyboard->replies, byte) &&
        (keyboard->disabled || !queue_get(&keyboard->keys, byte)))
        return false;
    keyboard->last = *byte;
    return true;
}

bool keyboard_empty(const struct keyboard *keyboard)
{
    return keyboard->keys.count == 0;
}

static void keyboard_key(struct keyboard *keyboard, uint8_t key, bool down)
{
    if (keyboard->set == 1) {
        (void)queue_put(&keyboard->keys, (uint8_t)(key | (down ? 0 : SET1_RELEASED)));
        return;
    }
    if (!down)
        (void)queue_put(&keyboard->keys, KEYBOARD_RELEASE);
    (void)queue_put(&keyboard->keys, set2[key]);
}

static uint8_t keyboard_find(const char layout[], char character)
{
    for (uint8_t key = 1; key < sizeof(plain) - 1; key++)
        if (layout[key] == character)
            return key;
    return KEY_NONE;
}

/* The key of a character, and the modifier to hold. */
static uint8_t keyboard_lookup(char character, uint8_t *modifier)
{
    uint8_t key;

    *modifier = KEY_NONE;
    switch (character) {
    case '\r':
    case '\n':
        return KEY_ENTER;
    case '\t':
        return KEY_TAB;
    case CHAR_BACKSPACE:
    case CHAR_DELETE:
        return KEY_BACKSPACE;
    case CHAR_ESCAPE:
        return KEY_ESCAPE;
    case '\0':
        return KEY_NONE;
    }
    if (character > 0 && character < ' ') {
        *modifier = KEY_CONTROL;
        key = keyboard_find(shifted, (char)(character + '@'));
        return key ? key : keyboard_find(plain, (char)(character + '@'));
    }
    key = keyboard_find(plain, character);
    if (key)
        return key;
    *modifier = KEY_SHIFT;
    return keyboard_find(shifted, character);
}

bool keyboard_type(struct keyboard *keyboard, char character)
{
    uint8_t modifier, key = keyboard_lookup(character, &modifier);

    if (key == KEY_NONE) /* no key makes it */
        return true;
    if (keyboard->keys.count + SEQUENCE_MAX > KEYBOARD_QUEUE)
        return false;
    if (modifier)
        keyboard_key(keyboard, modifier, true);
    keyboard_key(keyboard, key, true);
    keyboard_key(keyboard, key, false);
    if (modifier)
        keyboard_key(keyboard, modifier, false);
    return true;
}
