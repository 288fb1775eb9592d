/* SPDX-License-Identifier: MIT */
/* Emulators' debug port (root mode): one character a write, at next to no cost. Output only. */
#include "kernel/console_mux.h"
#include "kernel/hostcon.h"

static const struct hostcon e9_console = {
    .name = "e9",
    .early = true,
    .probe = mux_probe,
    .write = mux_write_log,
};
SET_ADD(hostcon, e9_console);
