/* SPDX-License-Identifier: MIT */
/* The monitor's prompt and how a line becomes a command (root mode, CPU 0). */
#include "kernel/monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/console.h"
#include "kernel/log.h"
#include "kernel/manifest.h"
#include "kernel/monitor_line.h"
#include "kernel/vm.h"

#define PROMPT "mullion> "

static struct monitor_line line;
static bool used;            /* someone has typed here */
static uint64_t log_seen;

static bool log_has_grown(void)
{
    char text[128];
    bool grown = false;

    while (log_read(&log_seen, text, sizeof(text)))
        grown = true;
    return grown;
}

void monitor_redraw(void)
{
    log_has_grown();
    console_print(PROMPT);
    line_show(&line);
}

void monitor_poll(void)
{
    if (used && log_has_grown())
        monitor_redraw();
}

bool monitor_polled(void)
{
    return used;
}

void monitor_key(uint8_t byte)
{
    used = true;
    if (!line_key(&line, byte))
        return;
    monitor_execute(line.text);
    line_next(&line);
    /* a command may have put something else on screen */
    if (!console_on_screen())
        monitor_redraw();
}

static const struct monitor_command *find_command(const char *name)
{
    SET_FOREACH(p, monitor_command) {
        if (strcmp((*p)->name, name) == 0)
            return *p;
    }
    return NULL;
}

/* Cuts the line into words; what is too much stays in the last. */
static int split(char *text, char **words)
{
    int count = 0;

    text += strspn(text, " ");
    while (*text && count < MONITOR_WORDS_MAX) {
        words[count++] = text;
        text += strcspn(text, " ");
        if (*text && count < MONITOR_WORDS_MAX)
            *text++ = '\0';
        text += strspn(text, " ");
    }
    words[count] = NULL;
    return count;
}

/* How many arguments the usage has room for: its words, up to a bar. */
static int most_arguments(const char *usage)
{
    int count = strstr(usage, "...") ? MONITOR_WORDS_MAX : *usage != '\0';

    while ((usage = strchr(usage, ' ')) && *++usage != '|')
        count++;
    return count;
}

void monitor_execute(const char *text)
{
    char copy[LINE_MAX_LENGTH];
    char *words[MONITOR_WORDS_MAX + 1];
    const struct monitor_command *command;
    int count, most;

    strncpy(copy, text, sizeof(copy) - 1);
    copy[sizeof(copy) - 1] = '\0';
    count = split(copy, words);
    if (!count)
        return;
    command = find_command(words[0]);
    most = command ? most_arguments(command->usage) : 0;
    if (!command)
        console_print("%s: no such command; 'help' lists them\n", words[0]);
    else if (count - 1 > most)
        console_print("%s: too much; usage: %s %s\n", words[most + 1], words[0], command->usage);
    else
        command->run(count, words);
}

bool monitor_number(const char *word, uint64_t *number)
{
    bool hex = word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
    char *end;

    errno = 0;
    *number = strtoull(word, &end, hex ? 16 : 10);
    if (*word >= '0' && *word <= '9' && !*end && !errno)
        return true;
    console_print("%s: not a number\n", word);
    return false;
}

struct vm *monitor_vm(const char *word)
{
    struct vm *vm = word ? vm_find(word) : NULL;
    uint64_t number;

    if (!word) {
        console_print("which VM? 'list' shows them\n");
        return NULL;
    }
    if (!vm && *word >= '0' && *word <= '9' && monitor_number(word, &number) && number - 1 < VM_MAX)
        vm = vm_get((uint32_t)number - 1);
    if (!vm)
        console_print("%s: no such VM; 'list' shows them\n", word);
    return vm;
}

const char *monitor_vm_state(const struct vm *vm)
{
    static const char *const names[] = {
        [VM_ABSENT] = "absent",     [VM_READY] = "ready", [VM_RUNNING] = "running",
        [VM_STOPPING] = "stopping", [VM_ENDED] = "ended",
    };
    return vm->state < ARRAY_SIZE(names) ? names[vm->state] : "?";
}

struct vm *monitor_vm_in(const char *word, uint64_t states)
{
    struct vm *vm = monitor_vm(word);

    if (!vm || (states & BIT(vm->state)))
        return vm;
    console_print("%s %s %s already\n", vm->name, vm->state == VM_ENDED ? "has" : "is",
                  monitor_vm_state(vm));
    return NULL;
}

void monitor_result(const char *name, const char *what, int err)
{
    static const struct {
        int err;
        const char *text;
    } texts[] = {
        { -ENOMEM, "not enough memory" },     { -EBUSY, "there is a session; 'gdb off' ends it" },
        { -EEXIST, "it is there already" },   { -ESRCH, "it does not run" },
        { -ENOSPC, "no room for it" },        { -EINVAL, "not possible as configured" },
        { -EFAULT, "outside of its memory" }, { -ENODEV, "that CPU did not start" },
        { -ENOTSUP, "VMs cannot run here" },
    };

    if (!err) {
        console_print("%s: %s\n", name, what);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (texts[i].err == err) {
            console_print("%s: not %s: %s\n", name, what, texts[i].text);
            return;
        }
    }
    console_print("%s: not %s: error %d\n", name, what, err);
}
