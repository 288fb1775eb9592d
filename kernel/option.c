/* SPDX-License-Identifier: MIT */
/* Boot options (root mode). */
#include "kernel/option.h"

#include <string.h>

static char options[sizeof((struct bootinfo *)0)->options];

void option_init(const struct bootinfo *boot)
{
    memcpy(options, boot->options, sizeof options - 1);
}

bool option_has(const char *word)
{
    size_t length = strlen(word);

    for (const char *p = options; *p;) {
        size_t here = strcspn(p, " ");
        if (here == length && memcmp(p, word, length) == 0)
            return true;
        p += here;
        p += strspn(p, " ");
    }
    return false;
}
