/* SPDX-License-Identifier: MIT */
/*
 * Two tasks that never give up the CPU of their own accord; that both get somewhere shows that the
 * timer takes it from them. Between races they wait, so that the CPU can sleep.
 */
#include "guests/tutor/race.h"

#include "guests/tutor/console.h"
#include "guests/tutor/devices.h"
#include "guests/tutor/io.h"
#include "guests/tutor/power.h"
#include "guests/tutor/shell.h"
#include "guests/tutor/task.h"

#define RACE_TICKS 20u

static struct racer {
    const char *name;
    volatile uint32_t laps;
} racers[] = {{.name = "ping"}, {.name = "pong"}};

#define RACERS (sizeof(racers) / sizeof(racers[0]))

static volatile uint32_t race_end; /* the tick at which the race ends */

static bool race_is_over(void)
{
    return (int32_t)(pit_ticks() - race_end) >= 0;
}

static void racer_run(void *argument)
{
    struct racer *racer = argument;

    for (;;) {
        uint32_t flags = cpu_irq_save();

        while (race_is_over())
            task_wait(racers);
        cpu_irq_restore(flags);
        while (!race_is_over())
            racer->laps++;
    }
}

void race_init(void)
{
    for (unsigned i = 0; i < RACERS; i++)
        if (task_create(racers[i].name, racer_run, &racers[i]) < 0)
            power_panic("no memory for the race's tasks");
}

COMMAND(race, "", "lets two busy tasks compete; the timer divides the CPU")
{
    for (unsigned i = 0; i < RACERS; i++)
        racers[i].laps = 0;
    race_end = pit_ticks() + RACE_TICKS;
    task_wake(racers);
    task_sleep(RACE_TICKS + 1);
    for (unsigned i = 0; i < RACERS; i++)
        kprintf("%s: %u laps in %u ticks\n", racers[i].name, racers[i].laps, RACE_TICKS);
    return 0;
}
