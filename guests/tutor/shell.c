/* SPDX-License-Identifier: MIT */
/* The prompt: reads a line, finds its command in the linker set, runs it. */
#include "guests/tutor/shell.h"

#include <stddef.h>

#include "guests/tutor/console.h"
#include "guests/tutor/errno.h"
#include "guests/tutor/multiboot.h"
#include "guests/tutor/string.h"
#include "guests/tutor/words.h"

#define PROMPT "tutor> "
#define LINE_MAX 128
#define WORDS_MAX 16

static const struct command *find_command(const char *name)
{
    for (const struct command *const *c = __start_set_command; c < __stop_set_command; c++)
        if (strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

static void run_line(char *line)
{
    char *words[WORDS_MAX];
    int count = words_split(line, words, WORDS_MAX);
    const struct command *command;

    if (count == 0)
        return;
    if (count < 0) {
        kprintf("%s\n", count == -E2BIG ? "too many words" : "a quote is not closed");
        return;
    }
    command = find_command(words[0]);
    if (!command)
        kprintf("%s: no such command (try help)\n", words[0]);
    else if (command->run(count, words) == -EINVAL)
        kprintf("usage: %s %s\n", command->name, command->arguments);
}

/* Commands separated by semicolons, shown as if they had been typed. */
static void run_script(char *script)
{
    while (script) {
        char *line = script;

        while (*script && *script != ';')
            script++;
        if (*script)
            *script++ = '\0';
        else
            script = NULL;
        kprintf(PROMPT "%s\n", line);
        run_line(line);
    }
}

void shell_run(void *argument)
{
    static char script[BOOT_TEXT_MAX];
    char line[LINE_MAX];

    (void)argument;
    if (words_option(boot_info()->cmdline, "run", script, sizeof(script)) == 0)
        run_script(script);
    for (;;) {
        kprintf(PROMPT);
        console_read_line(line, sizeof(line));
        run_line(line);
    }
}
