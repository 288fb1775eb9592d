/* SPDX-License-Identifier: MIT */
/* All physical text devices as one stream each way (root mode). */
#include "kernel/hostcon.h"

#include "boot/bootinfo.h"
#include "kernel/hostmap.h"
#include "kernel/lock.h"
#include "kernel/log.h"

#define HOSTCON_MAX        8u
#define HOSTCON_INPUT_SIZE 256u /* a power of two */

struct hostcon_fb hostcon_fb;
static const struct hostcon *present[HOSTCON_MAX];
static unsigned present_count;
static bool panicking, polled;
static struct lock hostcon_lock = LOCK_INIT(LOCK_RANK_HOSTCON, "hostcon");

/* One writer (interrupts of CPU 0) and one reader (CPU 0). */
static uint8_t input[HOSTCON_INPUT_SIZE];
static volatile uint32_t input_head, input_tail;

/* What was logged before the device was found. */
static void hostcon_replay(const struct hostcon *con)
{
    char text[128];
    uint64_t position = 0;
    size_t length;

    while (con->write && (length = log_read(&position, text, sizeof text)))
        con->write(text, length);
}

void hostcon_probe(bool early)
{
    SET_FOREACH(p, hostcon)
    {
        if ((*p)->early != early || present_count == HOSTCON_MAX || !(*p)->probe())
            continue;
        hostcon_replay(*p);
        present[present_count++] = *p;
    }
}

void hostcon_set_fb(const struct boot_fb *fb)
{
    if (fb->format == BOOT_FB_NONE)
        return;
    hostcon_fb = (struct hostcon_fb){
        .base = hostmap_wc(fb->base, (uint64_t)fb->pitch * fb->height),
        .width = fb->width,
        .height = fb->height,
        .pitch = fb->pitch,
    };
}

void hostcon_start(void)
{
    for (unsigned i = 0; i < present_count; i++)
        if (present[i]->start && !present[i]->start() && present[i]->poll)
            polled = true;
}

void hostcon_panic(void)
{
    panicking = true;
    for (unsigned i = 0; i < present_count; i++)
        if (present[i]->stop)
            present[i]->stop();
}

static void hostcon_write_all(const char *text, size_t length)
{
    for (unsigned i = 0; i < present_count; i++)
        if (present[i]->write)
            present[i]->write(text, length);
}

void hostcon_write(const char *text, size_t length)
{
    if (panicking) {
        hostcon_write_all(text, length);
        return;
    }
    lock_acquire(&hostcon_lock);
    hostcon_write_all(text, length);
    lock_release(&hostcon_lock);
}

bool hostcon_has_input(void)
{
    return input_head != input_tail;
}

bool hostcon_polled(void)
{
    return polled;
}

int hostcon_read(void)
{
    if (!hostcon_has_input())
        for (unsigned i = 0; i < present_count; i++)
            if (present[i]->poll)
                present[i]->poll();
    if (!hostcon_has_input())
        return -1;
    uint8_t byte = input[input_tail % HOSTCON_INPUT_SIZE];
    input_tail++;
    return byte;
}

void hostcon_input(uint8_t byte)
{
    if (input_head - input_tail == HOSTCON_INPUT_SIZE)
        return;
    input[input_head % HOSTCON_INPUT_SIZE] = byte;
    input_head++;
}
