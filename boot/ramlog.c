/* SPDX-License-Identifier: MIT */
/* The log area that survives a warm reset (see ramlog.h). Runs in the UEFI loader. */
#include "boot/ramlog.h"

#include <string.h>

#include "boot/loader.h"

#define RING_SIZE ((uint32_t)(RAMLOG_AREA - sizeof(struct ramlog)))
#define LAST_LOG  "\\mullion\\last.log"

/* Firmware must leave the place alone at reset: above what it unpacks itself to, in low RAM. */
static const uint64_t places[] = {0x7ff0000, 0x3ff0000, 0x1ff0000, 0xff0000};
#define PLACE_COUNT (sizeof(places) / sizeof(places[0]))

static struct ramlog *area_at(size_t place)
{
    return (struct ramlog *)(uintptr_t)places[place];
}

static bool is_log(const struct ramlog *log)
{
    return log->magic == RAMLOG_MAGIC && log->size == RING_SIZE && log->head < RING_SIZE;
}

/* Takes every place that is free, and returns the one with a log, else the first; -1: none. */
static int claim(bool *taken)
{
    int chosen = -1;

    for (size_t i = 0; i < PLACE_COUNT; i++) {
        EFI_PHYSICAL_ADDRESS address = places[i];

        taken[i] = !EFI_ERROR(BOOT_SERVICES->AllocatePages(AllocateAddress, EfiReservedMemoryType,
                                                           PAGES(RAMLOG_AREA), &address));
        if (taken[i] && (chosen < 0 || (is_log(area_at(i)) && !is_log(area_at((size_t)chosen)))))
            chosen = (int)i;
    }
    return chosen;
}

/* What the area held, oldest byte first, without the part that was never written. */
static char *text;
static size_t used;

const char *ramlog_last(size_t *size)
{
    *size = used;
    return used ? text : NULL;
}

static void save(const struct ramlog *log)
{
    text = memory_borrow(RING_SIZE, "the last log");
    for (uint32_t i = 0; i < RING_SIZE; i++) {
        char c = log->ring[(log->head + i) % RING_SIZE];

        if (c != '\0')
            text[used++] = c;
    }
    if (used == 0)
        return;
    say("mullion: the last run's log, %u bytes, goes to %s\n", (unsigned)used, LAST_LOG);
    file_write(LAST_LOG, text, used);
}

void ramlog_open(struct bootinfo *info)
{
    bool taken[PLACE_COUNT];
    int chosen = claim(taken);
    struct ramlog *log;

    for (size_t i = 0; i < PLACE_COUNT; i++) {
        if (taken[i] && (int)i != chosen)
            BOOT_SERVICES->FreePages(places[i], PAGES(RAMLOG_AREA));
    }
    if (chosen < 0) {
        say("mullion: no place for a log that survives a reset\n");
        return;
    }
    log = area_at((size_t)chosen);
    if (is_log(log))
        save(log);
    memset(log, 0, RAMLOG_AREA);
    log->size = RING_SIZE;
    log->magic = RAMLOG_MAGIC;
    info->log_hpa = places[chosen];
    info->log_size = RAMLOG_AREA;
}
