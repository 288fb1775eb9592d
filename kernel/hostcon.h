/* SPDX-License-Identifier: MIT */
/*
 * Physical text devices (UART, frame buffer, keyboard, emulator port). The log and the monitor
 * write to all that are present, and read bytes from whichever delivers some. A driver registers
 * with SET_ADD(hostcon, ...).
 */
#ifndef KERNEL_HOSTCON_H
#define KERNEL_HOSTCON_H

#include "kernel/set.h"
#include "kernel/types.h"

struct hostcon {
    const char *name;
    /* Works by I/O ports alone, so that it can be probed before memory is mapped. */
    bool early;
    /* Finds the device and sets it up; false: not there. */
    bool (*probe)(void);
    /* NULL: input only. Lines end with \n. Never called by two CPUs at once, except in a panic. */
    void (*write)(const char *text, size_t length);
    /* Hands received bytes to hostcon_input(); NULL: output only. On CPU 0. */
    void (*poll)(void);
    /* Interrupts exist: the driver may queue output from now on. False: it got none, and its
     * input has to be polled. NULL: it has no use for them. On CPU 0. */
    bool (*start)(void);
    /* A panic: put out what is queued and write at once from now on. NULL: it always does. */
    void (*stop)(void);
};
SET_DECLARE(hostcon, struct hostcon);

/* The frame buffer that firmware left on: 4 bytes a pixel. */
struct hostcon_fb {
    void *base; /* NULL: there is none */
    uint32_t width, height, pitch;
};
extern struct hostcon_fb hostcon_fb;

/* Maps the frame buffer; before the devices that are not early are probed. */
struct boot_fb;
void hostcon_set_fb(const struct boot_fb *fb);

/* Probes the early devices, or all the others. Each gets the log's text so far. */
void hostcon_probe(bool early);
/* Lets drivers use interrupts. On CPU 0, at the end of start-up. */
void hostcon_start(void);
/* From here on nothing is locked or queued: all other CPUs have been stopped. */
void hostcon_panic(void);

/* Writes to all devices. From any CPU; lock rank HOSTCON. */
void hostcon_write(const char *text, size_t length);
/* The next byte that was typed, or -1. On CPU 0. */
int hostcon_read(void);
/* Did an interrupt bring a byte that waits to be read? */
bool hostcon_has_input(void);
/* Does any device's input come by polling only? */
bool hostcon_polled(void);

/* From a driver's poll or interrupt handler. Dropped when nobody reads. */
void hostcon_input(uint8_t byte);

#endif
