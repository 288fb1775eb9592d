/* SPDX-License-Identifier: MIT */
/* Completion of commands and names of VMs (root mode, CPU 0). */
#include <string.h>

#include "kernel/console.h"
#include "kernel/monitor.h"
#include "kernel/monitor_line.h"

struct matches {
    const char *common; /* the first one */
    unsigned length;    /* of it that all have */
    unsigned count;
};

static unsigned shared(const char *a, const char *b, unsigned most)
{
    unsigned i = 0;

    while (i < most && a[i] == b[i])
        i++;
    return i;
}

static struct matches find(bool first, const char *word, unsigned length)
{
    struct matches m = { 0 };
    const char *name;

    for (unsigned i = 0; (name = monitor_candidate(first, i)); i++) {
        if (strncmp(name, word, length) != 0)
            continue;
        if (!m.count++) {
            m.common = name;
            m.length = (unsigned)strlen(name);
        }
        m.length = shared(m.common, name, m.length);
    }
    return m;
}

static void print_matches(bool first, const char *word, unsigned length)
{
    const char *name;

    for (unsigned i = 0; (name = monitor_candidate(first, i)); i++) {
        if (strncmp(name, word, length) == 0)
            console_print("  %s", name);
    }
}

void line_complete(struct monitor_line *l)
{
    unsigned start = l->cursor, length;
    struct matches m;
    bool first;

    while (start && l->text[start - 1] != ' ')
        start--;
    length = l->cursor - start;
    first = strspn(l->text, " ") >= start;
    m = find(first, l->text + start, length);
    if (m.length > length)
        line_insert(l, m.common + length, m.length - length);
    if (m.count == 1)
        line_insert(l, " ", 1);
    if (m.count > 1 && m.length == length) {
        console_print("\n");
        print_matches(first, l->text + start, length);
        console_print("\n");
        monitor_redraw();
    }
}
