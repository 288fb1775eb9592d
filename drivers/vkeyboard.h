/* SPDX-License-Identifier: MIT */
/* A PS/2 keyboard with a US layout, on the other end of drivers/vi8042.c. Runs in root mode. */
#ifndef DRIVERS_VKEYBOARD_H
#define DRIVERS_VKEYBOARD_H

#include "kernel/types.h"

#define KEYBOARD_QUEUE 32u

struct keyboard_queue {
    uint8_t head, count;
    uint8_t bytes[KEYBOARD_QUEUE];
};

struct keyboard {
    struct keyboard_queue replies; /* to commands; they overtake keys */
    struct keyboard_queue keys;    /* scan codes */
    uint8_t command;               /* waits for its argument; 0: none */
    uint8_t set;                   /* scan code set: 1 or 2 */
    uint8_t last;                  /* for "resend" */
    bool disabled;                 /* keys are not scanned */
};

#define KEYBOARD_RELEASE 0xF0u /* set 2: the next code is of a key that goes up */

void keyboard_reset(struct keyboard *keyboard);
/* A byte from the controller. */
void keyboard_command(struct keyboard *keyboard, uint8_t byte);
/* The next byte for the controller; false: none. */
bool keyboard_next(struct keyboard *keyboard, uint8_t *byte);
/* Presses and releases what makes this character. False: no room, nothing was done. */
bool keyboard_type(struct keyboard *keyboard, char character);
bool keyboard_empty(const struct keyboard *keyboard);
/* What the controller's translation makes of a code of set 2. */
uint8_t keyboard_translate(uint8_t code);

#endif
