/* SPDX-License-Identifier: MIT */
/* Taking text apart. Pure. */
#include "guests/tutor/words.h"

#include <stdbool.h>

#include "guests/tutor/errno.h"
#include "guests/tutor/string.h"

/* Moves one word to the front of where it was, without its quotes; returns what follows it. */
static char *take_word(char *p, bool *quoted)
{
    char *to = p;

    for (; *p && (*quoted || *p != ' '); p++) {
        if (*p == '"')
            *quoted = !*quoted;
        else
            *to++ = *p;
    }
    if (*p)
        p++;
    *to = '\0';
    return p;
}

int words_split(char *line, char **words, int max)
{
    bool quoted = false;
    int count = 0;

    for (;;) {
        while (*line == ' ')
            line++;
        if (!*line)
            return quoted ? -EINVAL : count;
        if (count == max)
            return -E2BIG;
        words[count++] = line;
        line = take_word(line, &quoted);
    }
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int words_number(const char *word, uint32_t *value)
{
    uint32_t base = 10, number = 0;

    if (word[0] == '0' && (word[1] == 'x' || word[1] == 'X')) {
        base = 16;
        word += 2;
    }
    if (!*word)
        return -EINVAL;
    for (; *word; word++) {
        int d = digit(*word);

        if (d < 0 || (uint32_t)d >= base)
            return -EINVAL;
        if (number > (UINT32_MAX - (uint32_t)d) / base)
            return -ERANGE;
        number = number * base + (uint32_t)d;
    }
    *value = number;
    return 0;
}

static const char *find_option(const char *cmdline, const char *name)
{
    size_t length = strlen(name);

    for (const char *p = cmdline; *p; p++)
        if ((p == cmdline || p[-1] == ' ') && strncmp(p, name, length) == 0 && p[length] == '=')
            return p + length + 1;
    return NULL;
}

int words_option(const char *cmdline, const char *name, char *value, size_t size)
{
    const char *from = find_option(cmdline, name);
    char end = '\0';
    size_t length = 0;

    if (!from)
        return -ENOENT;
    if (*from == '"')
        end = *from++;
    while (from[length] && from[length] != end)
        length++;
    if (length >= size)
        return -E2BIG;
    memcpy(value, from, length);
    value[length] = '\0';
    return 0;
}
