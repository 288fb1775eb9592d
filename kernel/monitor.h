/* SPDX-License-Identifier: MIT */
/*
 * The monitor: commands for people on the physical console (root mode, CPU 0, never in an
 * interrupt handler). A command is a function and a line in its file:
 * MONITOR_COMMAND(name, "usage", "what it does", function).
 */
#ifndef KERNEL_MONITOR_H
#define KERNEL_MONITOR_H

#include "kernel/set.h"
#include "kernel/types.h"

struct vm;

#define MONITOR_WORDS_MAX 32 /* the rest of a line stays in the last one */

struct monitor_command {
    const char *name;
    const char *usage; /* the arguments; "..." behind the last one: more words */
    const char *help;  /* one line */
    /* words[0] is the command; words[count] is NULL. */
    void (*run)(int count, char **words);
};
SET_DECLARE(monitor_command, struct monitor_command);

#define MONITOR_COMMAND(name_, usage_, help_, fn)                                                  \
    static const struct monitor_command command_##name_ = {                                        \
        .name = #name_, .usage = (usage_), .help = (help_), .run = (fn)};                          \
    SET_ADD(monitor_command, command_##name_)

/* A key, while the monitor is on screen. */
void monitor_key(uint8_t byte);
/* The monitor comes on screen: shows the line so far. */
void monitor_redraw(void);
/* While it is on screen: shows the line again when the log has come between. */
void monitor_poll(void);
/* False: nobody has typed yet, so nothing of his can be torn apart. */
bool monitor_polled(void);
/* Carries out a line. */
void monitor_execute(const char *line);

/* For commands: the VM of that name or number; NULL: there is none, and it was said. */
struct vm *monitor_vm(const char *word);
#define MONITOR_BUILT (BIT(VM_READY) | BIT(VM_RUNNING)) /* memory, vCPUs and devices are there */
#define MONITOR_IDLE (BIT(VM_READY) | BIT(VM_ENDED))
/* The same, if it is in one of these states (bits by number), else that it is not was said. */
struct vm *monitor_vm_in(const char *word, uint64_t states);
/* A number, decimal or 0x; false: it is none, and it was said. */
bool monitor_number(const char *word, uint64_t *number);
/* Its VM_... names in words. */
const char *monitor_vm_state(const struct vm *vm);
/* Says "NAME: what" or, with an error of a life-cycle call, why not. */
void monitor_result(const char *name, const char *what, int err);

#endif
