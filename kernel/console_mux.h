/* SPDX-License-Identifier: MIT */
/*
 * Multiplexed output on the emulators' debug port: all channels at once, for headless runs. Byte
 * MUX_ESCAPE, then a byte that names a channel; what follows belongs to it until the next
 * MUX_ESCAPE. A MUX_ESCAPE of the data is doubled. scripts/mux.py takes it apart.
 */
#ifndef KERNEL_CONSOLE_MUX_H
#define KERNEL_CONSOLE_MUX_H

#include "kernel/types.h"

#define MUX_ESCAPE 0x1e
#define MUX_LOG 'l' /* the channel at the start */
#define MUX_EVENTS 'R'
#define MUX_CONSOLES '0' /* + number of the VM, below 32 */

/* The port, as a host console that carries the log: hostcon's probe and write. */
bool mux_probe(void);
void mux_write_log(const char *text, size_t length);

/* Text for a channel; nothing happens where there is no port. Any CPU; lock rank DEVICE. */
void mux_write(uint8_t channel, const char *text, size_t length);

/* Between these, what this CPU writes to host consoles is a screen's and no part of the log. One
 * CPU at a time: under the screen's lock. */
void mux_screen_begin(void);
void mux_screen_end(void);

#endif
